"""Documents for the suites of the catalog, of search and of upkeep: passages as they are, embedded as bags of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anchorage.model import Block, BlockKind, Chunk, EmbedderSpec, IndexSpec, ParsedDocument, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.model.search import Query, Ranking
from anchorage.ports.catalog import Catalog
from anchorage.ports.search import Search
from anchorage.ports.upkeep import Upkeep
from anchorage.testing.hashing import hash_texts
from anchorage.text.analyser import format_analyser_name

ANNA, BEN = Principal("anna"), Principal("ben")
DIMENSION = 32
WORDS = [f"word{number}" for number in range(60)]


def spec(dimension: int = DIMENSION, embedder: str = "hash") -> IndexSpec:
    """An index of bags of words."""
    return IndexSpec("p/1", "c/1", "r/1", format_analyser_name("english"), EmbedderSpec(embedder, "1", dimension))


def document(uri: str, *passages: str, version: str = "v1") -> IndexedDocument:
    """A document of these passages."""
    text = "\n".join(passages)
    chunks, at = [], 0
    for number, passage in enumerate(passages):
        chunks.append(Chunk(number, passage, at, at + len(passage)))
        at += len(passage) + 1
    parsed = ParsedDocument(text, "", (Block(BlockKind.PARAGRAPH, 0, len(text)),))
    return IndexedDocument(uri, version, parsed, chunks, hash_texts(passages, DIMENSION), [""] * len(passages))


@dataclass(frozen=True, slots=True)
class CollectionWorld:
    """What works on the same collections. The collection `c` is Anna's."""

    catalog: Catalog
    search: Search
    upkeep: Upkeep
    vectors: str
    """The vector index that new collections have."""

    def spec(self, dimension: int = DIMENSION, embedder: str = "hash") -> IndexSpec:
        """An index of bags of words, in that vector index."""
        return replace(spec(dimension, embedder), vectors=self.vectors)

    async def open(self, name: str = "c", principal: Principal = ANNA) -> None:
        """Make a collection."""
        await self.catalog.open_collection(principal, name, self.spec())

    async def ask(
        self, text: str, *, k: int = 10, principal: Principal = ANNA, names: Sequence[str] | None = ("c",)
    ) -> Ranking:
        """Search, both lists included."""
        vectors: dict[EmbedderSpec, NDArray[np.float32] | None] = {spec().embedder: hash_texts([text], DIMENSION)[0]}
        return await self.search.search(principal, Query(text, vectors, k, lists=True), names)

    async def tidy(self) -> None:
        """All upkeep that there is."""
        while await self.upkeep.maintain(settled=True):
            pass
