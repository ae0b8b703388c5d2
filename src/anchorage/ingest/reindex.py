"""Reindexing: builds a collection's other index version from the texts that are stored, beside the one that answers.

Nothing is fetched or parsed again, and citations keep their offsets, since the texts stay. Documents that change meanwhile
are caught up with, until the new version holds all of them and takes over in one transaction. Killed at any point, a later
call goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import numpy as np

from anchorage.errors import BadRequest, Contended, NotFound
from anchorage.ingest.batching import run_concurrently
from anchorage.ingest.chunk import passage_header, passage_text
from anchorage.ingest.indexing import OpenIndex, chunk_size, chunker_name, open_index
from anchorage.model import EmbedderSpec, IndexSpec, IndexVersion, Principal
from anchorage.ports.embedder import Embedders
from anchorage.ports.index_versions import IndexVersions, Passages, StoredDocument
from anchorage.ports.upkeep import Upkeep

_READ_AT_ONCE = 64
_IN_WORK = 4  # groups that are cut, embedded and written at the same time
_LAST = 8  # documents that are indexed while writers wait, before the switch
_OUTSIDE = 3  # tries to catch up before that
_ROUNDS = 50  # over what has changed meanwhile, each shorter than the one before

Progress = Callable[[int, int], None]
"""Is told how many documents are done, and of how many."""


def target_spec(live: IndexSpec, wanted: IndexSpec, embedder: EmbedderSpec | None, chunk: str | None) -> IndexSpec:
    """The spec to build. Without an embedder and a cut (TOKENS or TOKENS/OVERLAP) it is as the settings want it.

    What is named changes what the collection has, and nothing else does. Raises `BadRequest`.
    """
    if embedder is None and chunk is None:
        return replace(wanted, parser=live.parser)
    tokens, overlap = _parse_chunk(chunk) if chunk else chunk_size(live)
    return replace(
        wanted, parser=live.parser, chunker=chunker_name(tokens, overlap), embedder=embedder or live.embedder
    )


async def check_chunk_size(embedders: Embedders, spec: IndexSpec) -> None:
    """Raise `BadRequest` when passages would be longer than what the embedder reads."""
    embedder, (tokens, _) = await embedders.of(spec.embedder), chunk_size(spec)
    if tokens > embedder.max_tokens:
        raise BadRequest(
            f"Passages of {tokens} tokens are too long for {spec.embedder.name}, which reads {embedder.max_tokens}. Give "
            f"--chunk {embedder.max_tokens} or less."
        )


def _parse_chunk(chunk: str) -> tuple[int, int]:
    tokens, _, overlap = chunk.partition("/")
    if not tokens.isascii() or not tokens.isdigit() or (overlap and not (overlap.isascii() and overlap.isdigit())):
        raise BadRequest(
            f"--chunk {chunk!r}: give the tokens of a passage, and of its overlap if you like: 256 or 256/32."
        )
    size = int(tokens), int(overlap or min(32, int(tokens) // 4))
    if not 16 <= size[0] <= 8192 or size[1] > size[0] // 2:
        raise BadRequest(f"--chunk {chunk!r}: a passage has 16 to 8192 tokens, and its overlap at most half of them.")
    return size


class Reindexer:
    """Builds another index version of a collection, and makes it the live one."""

    def __init__(self, versions: IndexVersions, embedders: Embedders, upkeep: Upkeep, batch_chunks: int) -> None:
        self._versions, self._embedders = versions, embedders
        self._upkeep, self._batch_chunks = upkeep, batch_chunks

    async def build(self, principal: Principal, version: IndexVersion, progress: Progress) -> None:
        """Bring a version that is not live up to date with the collection, its vector index included.

        Raises `Contended` when documents change faster than they can be indexed.
        """
        index = await self._open(version)
        for _ in range(_ROUNDS):
            if await self._catch_up(principal, index, version, progress) <= _LAST:
                break
        else:
            raise Contended(
                f"Documents of {version.collection!r} change faster than they can be indexed. Run the same command again when "
                "ingestion has calmed down: what is built stays."
            )
        while await self._upkeep.maintain(settled=True, wait=True):
            pass

    async def switch(self, principal: Principal, version: IndexVersion, progress: Progress) -> None:
        """Make a version that is built the live one. What changed while it was checked is caught up with first.

        Raises `Contended` when documents change faster than they can be indexed.
        """
        index = await self._open(version)

        async def catch_up() -> None:
            await self._catch_up(principal, index, version, progress)

        for tries in range(_ROUNDS):
            # Who writes or deletes waits for what is indexed within the switch, so that is only for documents that never rest.
            most = _LAST if tries >= _OUTSIDE else 0
            if not await self._versions.switch(principal, version.id, catch_up, most=most):
                return
            await self.build(principal, version, progress)
        raise Contended(
            f"Documents of {version.collection!r} change faster than they can be indexed. Run the same command again when "
            "ingestion has calmed down: what is built stays, and the old index goes on answering."
        )

    async def _open(self, version: IndexVersion) -> OpenIndex:
        return open_index(version.id, version.spec, await self._embedders.of(version.spec.embedder))

    async def _catch_up(self, principal: Principal, index: OpenIndex, version: IndexVersion, progress: Progress) -> int:
        """Index what the version lacks now; returns how many documents that were."""
        live, *others = await self._versions.versions(principal, version.collection)
        done = next((other.documents for other in others if other.id == version.id), 0)
        progress(done, live.documents)
        found = 0

        async def list_lacking() -> AsyncIterator[Sequence[StoredDocument]]:
            nonlocal found
            after: str | None = None
            while group := await self._versions.behind(principal, version.id, after=after, limit=_READ_AT_ONCE):
                after = group[-1].id
                found += len(group)
                yield group

        async def fill(group: Sequence[StoredDocument]) -> int:
            return await self._versions.fill(principal, version.id, await self._chunk_and_embed(index, group))

        async for filled in run_concurrently(list_lacking(), fill, _IN_WORK):
            done += filled
            progress(min(done, live.documents), live.documents)
        return found

    async def _chunk_and_embed(self, index: OpenIndex, documents: Sequence[StoredDocument]) -> list[Passages]:
        chunked = [(item, await asyncio.to_thread(index.chunk, item.parsed)) for item in documents]
        texts = [passage_text(item.parsed.title, chunk) for item, chunks in chunked for chunk in chunks]
        size, embed = self._batch_chunks, index.embedder.embed_passages
        pieces = [await embed(texts[start : start + size]) for start in range(0, len(texts), size)]
        vectors = np.concatenate(pieces) if pieces else np.zeros((0, index.spec.embedder.dimension), dtype=np.float32)
        items, at = [], 0
        for item, chunks in chunked:
            headers = [passage_header(item.parsed.title, chunk.heading_path) for chunk in chunks]
            items.append(Passages(item, chunks, headers, vectors[at : at + len(chunks)]))
            at += len(chunks)
        return items


async def find_other_version(versions: IndexVersions, principal: Principal, collection: str) -> IndexVersion:
    """The version beside the live one. Raises `NotFound` when there is none."""
    for version in await versions.versions(principal, collection):
        if not version.live:
            return version
    raise NotFound(
        f"The collection {collection!r} has only its live index. `anchorage reindex {collection}` builds another."
    )
