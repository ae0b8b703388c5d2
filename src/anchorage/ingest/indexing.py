"""How the documents of a collection become passages: its own index version decides, not the settings of the day."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace

import numpy as np

from anchorage.errors import ConfigurationError, IndexMismatch, IndexMoved, ModelError, ModelUnavailable
from anchorage.ingest.chunk import CHUNKER, ChunkBudget, body_budget, chunk_document, passage_header
from anchorage.model import BlockKind, Chunk, IndexSpec, ParsedDocument, Principal, SourceItem
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedder, Embedders

_SHORT = 20_000  # characters that are cut within milliseconds
_CHUNKER = re.compile(r"\S+ (\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index version with the embedder that it was made with. `tokens` and `overlap` are those of a passage."""

    index_id: int
    spec: IndexSpec
    embedder: Embedder
    tokens: int
    overlap: int

    async def chunk_item(
        self, item: SourceItem, version: str, parsed: ParsedDocument, blob_key: str | None
    ) -> IndexedDocument:
        """The third step of ingestion: a parsed item cut into chunks, still without their vectors."""
        short = len(parsed.text) <= _SHORT  # a thread would cost more than the work
        chunks = self.chunk(parsed) if short else await asyncio.to_thread(self.chunk, parsed)
        return IndexedDocument(
            uri=item.uri, version=version, parsed=replace(parsed, metadata={**parsed.metadata, **item.metadata}),
            chunks=chunks, vectors=np.zeros((0, 0), dtype=np.float32),
            headers=[passage_header(parsed.title, chunk.heading_path) for chunk in chunks],
            media_type=item.media_type, blob_key=blob_key, size=item.size,
        )  # fmt: skip

    def chunk(self, parsed: ParsedDocument) -> list[Chunk]:
        """Cut a document. Takes the CPU for a while: not for the event loop."""
        headings = [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind is BlockKind.HEADING]
        longest = max((passage_header(parsed.title, (heading,)) for heading in ["", *headings]), key=len)
        tokens = body_budget(self.tokens, len(self.embedder.token_starts(longest)))
        budget = ChunkBudget(tokens, min(self.overlap, tokens // 2))
        return chunk_document(parsed, self.embedder.token_starts(parsed.text), budget)


def chunker_name(tokens: int, overlap: int) -> str:
    """The name under which an index remembers how its documents were cut."""
    return f"{CHUNKER} {tokens}/{overlap}"


def chunk_size(spec: IndexSpec) -> tuple[int, int]:
    """Tokens of a passage and of its overlap. Raises `IndexMismatch` for a chunker that this release does not know."""
    match = _CHUNKER.fullmatch(spec.chunker)
    if match is None:
        raise IndexMismatch(
            f"The index was cut by {spec.chunker!r}, which this release cannot read. Index it anew: "
            "`anchorage reindex NAME --chunk 256`."
        )
    return int(match[1]), int(match[2])


def open_index(index_id: int, spec: IndexSpec, embedder: Embedder) -> OpenIndex:
    """Raises `IndexMismatch` for a chunker that this release does not know."""
    tokens, overlap = chunk_size(spec)
    return OpenIndex(index_id, spec, embedder, min(tokens, embedder.max_tokens), overlap)


class IndexOpener:
    """Opens the index that a collection is written with; a new collection gets `index`."""

    def __init__(self, catalog: Catalog, embedders: Embedders, index: IndexSpec) -> None:
        self._catalog, self._embedders, self._index = catalog, embedders, index

    async def open(self, principal: Principal, collection: str, *, kind: str = "user") -> OpenIndex:
        """The collection's live index; the collection is made when it is new.

        Raises `IndexMismatch` when the settings do not lead to its embedder, and what `open_collection` raises.
        """
        found = await self._catalog.open_collection(principal, collection, self._index, kind=kind)
        return open_index(found.index_id, found.index, await self._embedders.of(found.index.embedder))

    async def require_live(self, principal: Principal, collection: str, index: OpenIndex, error: Exception) -> None:
        """Raise `IndexMoved` when the collection answers from another index by now, so that this one's model may be out of use.

        Does nothing for an `error` that is no model's. Raises what `open` does.
        """
        if not isinstance(error, ModelUnavailable | ModelError | ConfigurationError):
            return
        if (await self.open(principal, collection)).index_id != index.index_id:
            raise IndexMoved(
                f"The collection {collection!r} was switched to another index meanwhile. Its documents go there."
            )
