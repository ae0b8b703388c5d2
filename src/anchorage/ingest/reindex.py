"""Reindexing: builds a collection's other index version from the texts that are stored, beside the one that answers.

Nothing is fetched or parsed again, and citations keep their offsets, since the texts stay. Documents that change meanwhile
are caught up with, until the new version holds all of them and takes over in one transaction. Killed at any point, a later
call goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anchorage.errors import BadRequest, Contended, NotFound
from anchorage.ingest.batching import concurrently
from anchorage.ingest.chunk import passage_header, passage_text
from anchorage.ingest.indexing import Indexing, chunker_name, cut_of, indexing_of
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


@dataclass(frozen=True, slots=True)
class ReindexServices:
    """What reindexing works with."""

    upkeep: Upkeep
    versions: IndexVersions
    embedders: Embedders
    batch_chunks: int


def target_spec(live: IndexSpec, wanted: IndexSpec, embedder: EmbedderSpec | None, chunk: str | None) -> IndexSpec:
    """The spec to build. Without an embedder and a cut (TOKENS or TOKENS/OVERLAP) it is as the settings want it.

    What is named changes what the collection has, and nothing else does. Raises `BadRequest`.
    """
    if embedder is None and chunk is None:
        return replace(wanted, parser=live.parser)
    tokens, overlap = _cut(chunk) if chunk else cut_of(live)
    return replace(
        wanted, parser=live.parser, chunker=chunker_name(tokens, overlap), embedder=embedder or live.embedder
    )


async def check_cut(embedders: Embedders, spec: IndexSpec) -> None:
    """Raise `BadRequest` when passages would be longer than what the embedder reads."""
    embedder, (tokens, _) = await embedders.of(spec.embedder), cut_of(spec)
    if tokens > embedder.max_tokens:
        raise BadRequest(
            f"Passages of {tokens} tokens are too long for {spec.embedder.name}, which reads {embedder.max_tokens}. Give "
            f"--chunk {embedder.max_tokens} or less."
        )


def _cut(chunk: str) -> tuple[int, int]:
    tokens, _, overlap = chunk.partition("/")
    if not tokens.isascii() or not tokens.isdigit() or (overlap and not (overlap.isascii() and overlap.isdigit())):
        raise BadRequest(
            f"--chunk {chunk!r}: give the tokens of a passage, and of its overlap if you like: 256 or 256/32."
        )
    cut = int(tokens), int(overlap or min(32, int(tokens) // 4))
    if not 16 <= cut[0] <= 8192 or cut[1] > cut[0] // 2:
        raise BadRequest(f"--chunk {chunk!r}: a passage has 16 to 8192 tokens, and its overlap at most half of them.")
    return cut


async def build(services: ReindexServices, principal: Principal, version: IndexVersion, progress: Progress) -> None:
    """Bring a version that is not live up to date with the collection, its vector index included.

    Raises `Contended` when documents change faster than they can be indexed.
    """
    index = indexing_of(version.id, version.spec, await services.embedders.of(version.spec.embedder))
    for _ in range(_ROUNDS):
        if await _round(services, principal, index, version, progress) <= _LAST:
            break
    else:
        raise Contended(
            f"Documents of {version.collection!r} change faster than they can be indexed. Run the same command again when "
            "ingestion has calmed down: what is built stays."
        )
    while await services.upkeep.maintain(settled=True, wait=True):
        pass


async def _round(
    services: ReindexServices, principal: Principal, index: Indexing, version: IndexVersion, progress: Progress
) -> int:
    """Index what the version lacks now; returns how many documents that were."""
    live, *others = await services.versions.versions(principal, version.collection)
    done = next((other.documents for other in others if other.id == version.id), 0)
    progress(done, live.documents)
    found = 0

    async def lacking() -> AsyncIterator[Sequence[StoredDocument]]:
        nonlocal found
        after: str | None = None
        while group := await services.versions.behind(principal, version.id, after=after, limit=_READ_AT_ONCE):
            after = group[-1].id
            found += len(group)
            yield group

    async def one(group: Sequence[StoredDocument]) -> int:
        items = await _passages(services, index, group)
        return await services.versions.fill(principal, version.id, items)

    async for filled in concurrently(lacking(), one, _IN_WORK):
        done += filled
        progress(min(done, live.documents), live.documents)
    return found


async def _passages(services: ReindexServices, index: Indexing, documents: Sequence[StoredDocument]) -> list[Passages]:
    cut = [(item, await asyncio.to_thread(index.chunks, item.parsed)) for item in documents]
    texts = [passage_text(item.parsed.title, chunk) for item, chunks in cut for chunk in chunks]
    size = services.batch_chunks
    pieces = [await index.embedder.embed_passages(texts[start : start + size]) for start in range(0, len(texts), size)]
    vectors = np.concatenate(pieces) if pieces else np.zeros((0, index.spec.embedder.dimension), dtype=np.float32)
    items, at = [], 0
    for item, chunks in cut:
        headers = [passage_header(item.parsed.title, chunk.heading_path) for chunk in chunks]
        items.append(Passages(item, chunks, headers, vectors[at : at + len(chunks)]))
        at += len(chunks)
    return items


async def switch(services: ReindexServices, principal: Principal, version: IndexVersion, progress: Progress) -> None:
    """Make a version that is built the live one. What changed while it was checked is caught up with first.

    Raises `Contended` when documents change faster than they can be indexed.
    """
    index = indexing_of(version.id, version.spec, await services.embedders.of(version.spec.embedder))

    async def catch_up() -> None:
        await _round(services, principal, index, version, progress)

    for tries in range(_ROUNDS):
        # Who writes or deletes waits for what is indexed within the switch, so that is only for documents that never rest.
        most = _LAST if tries >= _OUTSIDE else 0
        if not await services.versions.switch(principal, version.id, catch_up, most=most):
            return
        await build(services, principal, version, progress)
    raise Contended(
        f"Documents of {version.collection!r} change faster than they can be indexed. Run the same command again when "
        "ingestion has calmed down: what is built stays, and the old index goes on answering."
    )


async def other_version(versions: IndexVersions, principal: Principal, collection: str) -> IndexVersion:
    """The version beside the live one. Raises `NotFound` when there is none."""
    for version in await versions.versions(principal, collection):
        if not version.live:
            return version
    raise NotFound(
        f"The collection {collection!r} has only its live index. `anchorage reindex {collection}` builds another."
    )
