"""How the documents of a collection become passages: its own index version decides, not the settings of the day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from anchorage.errors import ConfigurationError, IndexMismatch, IndexMoved, ModelError, ModelUnavailable
from anchorage.ingest.chunk import CHUNKER, ChunkBudget, body_budget, chunk_document, passage_header
from anchorage.model import BlockKind, Chunk, Collection, IndexSpec, ParsedDocument, Principal
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedder, Embedders

_CHUNKER = re.compile(r"\S+ (\d+)/(\d+)")


class Indexed(Protocol):
    """What opening a collection's index needs: `IngestServices`, and any other that has it."""

    @property
    def catalog(self) -> Catalog: ...
    @property
    def embedders(self) -> Embedders: ...
    @property
    def index(self) -> IndexSpec: ...


@dataclass(frozen=True, slots=True)
class Indexing:
    """An index version with the embedder that it was made with. `tokens` and `overlap` are those of a passage."""

    index_id: int
    spec: IndexSpec
    embedder: Embedder
    tokens: int
    overlap: int

    def chunks(self, parsed: ParsedDocument) -> list[Chunk]:
        """Cut a document. Takes the CPU for a while: not for the event loop."""
        headings = [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind is BlockKind.HEADING]
        longest = max((passage_header(parsed.title, (heading,)) for heading in ["", *headings]), key=len)
        tokens = body_budget(self.tokens, len(self.embedder.token_starts(longest)))
        budget = ChunkBudget(tokens, min(self.overlap, tokens // 2))
        return chunk_document(parsed, self.embedder.token_starts(parsed.text), budget)


def chunker_name(tokens: int, overlap: int) -> str:
    """The name under which an index remembers how its documents were cut."""
    return f"{CHUNKER} {tokens}/{overlap}"


def cut_of(spec: IndexSpec) -> tuple[int, int]:
    """Tokens of a passage and of its overlap. Raises `IndexMismatch` for a chunker that this release does not know."""
    match = _CHUNKER.fullmatch(spec.chunker)
    if match is None:
        raise IndexMismatch(
            f"The index was cut by {spec.chunker!r}, which this release cannot read. Index it anew: "
            "`anchorage reindex NAME --chunk 256`."
        )
    return int(match[1]), int(match[2])


def indexing_of(index_id: int, spec: IndexSpec, embedder: Embedder) -> Indexing:
    """Raises `IndexMismatch` for a chunker that this release does not know."""
    tokens, overlap = cut_of(spec)
    return Indexing(index_id, spec, embedder, min(tokens, embedder.max_tokens), overlap)


async def open_indexing(services: Indexed, principal: Principal, name: str, *, kind: str = "user") -> Indexing:
    """The index that a collection is written with; the collection is made when it is new.

    Raises `IndexMismatch` when the settings do not lead to its embedder, and what `open_collection` raises.
    """
    found: Collection = await services.catalog.open_collection(principal, name, services.index, kind=kind)
    return indexing_of(found.index_id, found.index, await services.embedders.of(found.index.embedder))


async def require_live(services: Indexed, principal: Principal, name: str, index: Indexing, error: Exception) -> None:
    """Raise `IndexMoved` when the collection answers from another index by now, so that this one's model may be out of use.

    Does nothing for an `error` that is no model's. Raises what `open_indexing` does.
    """
    if not isinstance(error, ModelUnavailable | ModelError | ConfigurationError):
        return
    if (await open_indexing(services, principal, name)).index_id != index.index_id:
        raise IndexMoved(f"The collection {name!r} was switched to another index meanwhile. Its documents go there.")
