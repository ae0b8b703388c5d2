"""The fourth step: a vector for each passage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from anchorage.batching import Batcher
from anchorage.errors import NotFound
from anchorage.ingest.chunk import passage_text
from anchorage.ingest.indexing import OpenIndex
from anchorage.model import Document, EmbedderSpec, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedder, Vectors
from anchorage.ports.queue import UNWATCHED, Progress


class PassageEmbedder:
    """Embeds the passages of many documents in common batches, `at_once` of them at the same time."""

    def __init__(self, catalog: Catalog, principal: Principal, batch_chunks: int, at_once: int) -> None:
        self._catalog, self._principal = catalog, principal
        self._batch_chunks, self._at_once = batch_chunks, at_once
        self._batchers: dict[EmbedderSpec, Batcher[Sequence[str], Vectors]] = {}

    async def embed(
        self, index: OpenIndex, document: IndexedDocument, known: Document | None, progress: Progress = UNWATCHED
    ) -> IndexedDocument:
        """The document with a vector for each chunk; those that its version before has are not computed again.

        Of a long document `progress` hears after each piece. Raises `IndexMoved` and what the embedder raises.
        """
        keys = list(zip(document.headers, (chunk.text for chunk in document.chunks), strict=True))
        stored = await self._stored_vectors(index, known)
        missing = [number for number, key in enumerate(keys) if key not in stored]
        texts = [passage_text(document.parsed.title, document.chunks[number]) for number in missing]
        vectors = np.empty((len(keys), index.spec.embedder.dimension), dtype=np.float32)
        if missing:
            vectors[missing] = await self._embed_texts(index, texts, len(keys), progress)
        for number, key in enumerate(keys):
            if key in stored:
                vectors[number] = stored[key]
        return replace(document, vectors=vectors)

    async def _stored_vectors(self, index: OpenIndex, known: Document | None) -> Mapping[tuple[str, str], Vectors]:
        """The vectors of the indexed version, by header and text."""
        if known and known.version:
            with suppress(NotFound):  # deleted meanwhile
                return await self._catalog.read_vectors(self._principal, known.id, index_id=index.index_id)
        return {}

    async def _embed_texts(self, index: OpenIndex, texts: Sequence[str], total: int, progress: Progress) -> Vectors:
        """A long document waits for its pieces one after the other, so that short ones get between them."""
        batcher, size = self._batcher_of(index.embedder), self._batch_chunks
        pieces = []
        for start in range(0, len(texts), size):
            if start:
                await progress(total - len(texts) + start, total)
            pieces.append(await batcher(texts[start : start + size]))
        return np.concatenate(pieces)

    def _batcher_of(self, embedder: Embedder) -> Batcher[Sequence[str], Vectors]:
        """The common batches of all documents that one embedder embeds."""

        async def embed_groups(groups: Sequence[Sequence[str]]) -> Sequence[Vectors]:
            vectors = await embedder.embed_passages([text for group in groups for text in group])
            ends = np.cumsum([len(group) for group in groups])
            return [vectors[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]

        return self._batchers.setdefault(
            embedder.spec, Batcher(embed_groups, limit=self._batch_chunks, weight=len, at_once=self._at_once)
        )
