"""Ingestion: source -> fetch -> parse -> chunk -> embed -> store.

A document's chunks become visible together, in the transaction that stores them; until then its old version answers.
Killing this at any point leaves whole documents, and running it again completes the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import structlog

from anchorage.errors import AnchorageError, Conflict, DatabaseUnavailable, ModelError, NotFound
from anchorage.ingest.chunk import ChunkBudget, body_budget, chunk_document, passage_header, passage_text
from anchorage.model import (
    BlockKind,
    Chunk,
    Document,
    DocumentStatus,
    Failure,
    IndexSpec,
    Outcome,
    ParsedDocument,
    Principal,
    SourceItem,
)
from anchorage.ports.blob import BlobStore
from anchorage.ports.embedder import Embedder
from anchorage.ports.parser import Parser
from anchorage.ports.source import Source
from anchorage.ports.store import IndexedDocument, Store

_log = structlog.get_logger(__name__)
_DATABASE_RETRIES = (0.5, 1, 2, 4, 8, 8, 8)  # seconds between tries to store a batch while Postgres is away
_NO_VECTORS = np.zeros((0, 0), dtype=np.float32)
_LOOKAHEAD = 64  # documents parsed while a batch is embedded


@dataclass(frozen=True, slots=True)
class IngestServices:
    """What ingestion works with."""

    store: Store
    blobs: BlobStore
    parser: Parser
    embedder: Embedder
    index: IndexSpec
    chunk_tokens: int
    overlap_tokens: int
    batch_chunks: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A parsed and chunked document waiting for its vectors, or the outcome that it ended with before."""

    uri: str
    outcome: Outcome | None = None
    document: IndexedDocument | None = None
    passages: Sequence[str] = ()


async def ingest_source(
    services: IngestServices, principal: Principal, collection: str, source: Source
) -> AsyncIterator[Outcome]:
    """Bring a collection up to date with a source; yields what became of each document as it is known.

    Raises `IndexMismatch`, `NotAllowed` or `NotFound` before anything is changed, and `DatabaseUnavailable` when Postgres
    stays away.
    """
    await services.store.open_collection(principal, collection, services.index)
    seen: set[str] = set()

    async def prepared() -> AsyncIterator[_Prepared]:
        async for entry in source.list():
            seen.add(entry.uri)
            yield await _prepare(services, principal, collection, source, entry.uri)

    async for outcome in _stored(services, principal, collection, prepared()):
        yield outcome
    async for outcome in _vanished(services, principal, collection, source, seen):
        yield outcome


async def ingest_parsed(
    services: IngestServices,
    principal: Principal,
    collection: str,
    documents: AsyncIterator[tuple[SourceItem, ParsedDocument]],
) -> AsyncIterator[Outcome]:
    """The same from texts that are parsed already, such as an evaluation set's; their originals are not kept."""
    await services.store.open_collection(principal, collection, services.index)

    async def prepared() -> AsyncIterator[_Prepared]:
        async for item, parsed in documents:
            version = hashlib.sha256(f"{parsed.title}\n{parsed.text}".encode()).hexdigest()
            yield await _chunked(services, item, version, parsed, None)

    async for outcome in _stored(services, principal, collection, prepared()):
        yield outcome


async def _stored(
    services: IngestServices, principal: Principal, collection: str, items: AsyncIterator[_Prepared]
) -> AsyncIterator[Outcome]:
    """Store the documents in batches while the next ones are prepared."""
    async for batch in _batches(_ahead(items), services.batch_chunks):
        for outcome in await _store(services, principal, collection, batch):
            yield outcome


async def _prepare(
    services: IngestServices, principal: Principal, collection: str, source: Source, uri: str
) -> _Prepared:
    """Fetch, parse and chunk one document, unless its bytes are those that are indexed."""
    try:
        async with source.fetch(uri) as item:
            version = await asyncio.to_thread(_version, Path(item.path), services.parser.version)
            known = (await services.store.versions(principal, collection, [uri])).get(uri)
            if known and known.version == version:
                return _Prepared(uri, await _unchanged(services, principal, known))
            parsed = await services.parser.parse(Path(item.path), item.name)
            key = await services.blobs.put(Path(item.path))
    except DatabaseUnavailable:
        raise
    except AnchorageError as error:
        return _Prepared(uri, Outcome(uri, None, DocumentStatus.FAILED, error=Failure(error.code, error.message)))
    except OSError as error:
        reason = f"The file could not be read: {error.strerror}. Ingest it again."
        return _Prepared(uri, Outcome(uri, None, DocumentStatus.FAILED, error=Failure("unreadable", reason)))
    return await _chunked(services, item, version, parsed, key)


async def _unchanged(services: IngestServices, principal: Principal, known: Document) -> Outcome:
    if known.status is not DocumentStatus.INDEXED:
        # A later version failed and the file has come back to the one that is indexed.
        await services.store.restore(principal, known.id)
    return Outcome(known.uri, known.id, DocumentStatus.UNCHANGED, known.chunks)


def _version(path: Path, parser: str) -> str:
    """The hash that identifies a document version: of the bytes and the parser with its version."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    return hashlib.sha256(content.digest() + parser.encode()).hexdigest()


async def _chunked(
    services: IngestServices, item: SourceItem, version: str, parsed: ParsedDocument, blob_key: str | None
) -> _Prepared:
    chunks = await asyncio.to_thread(_chunks, services, parsed)
    document = IndexedDocument(
        uri=item.uri, version=version, parsed=parsed, chunks=chunks, vectors=_NO_VECTORS,
        headers=[passage_header(parsed.title, chunk.heading_path) for chunk in chunks],
        media_type=item.media_type, blob_key=blob_key, size=item.size,
    )  # fmt: skip
    return _Prepared(item.uri, None, document, [passage_text(parsed.title, chunk) for chunk in chunks])


def _chunks(services: IngestServices, parsed: ParsedDocument) -> list[Chunk]:
    headings = [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind is BlockKind.HEADING]
    longest = max((passage_header(parsed.title, (heading,)) for heading in ["", *headings]), key=len)
    header_tokens = len(services.embedder.token_starts(longest))
    tokens = body_budget(services.chunk_tokens, header_tokens)
    budget = ChunkBudget(tokens, min(services.overlap_tokens, tokens // 2))
    return chunk_document(parsed, services.embedder.token_starts(parsed.text), budget)


async def _ahead(items: AsyncIterator[_Prepared]) -> AsyncIterator[_Prepared]:
    """The same items, a few of them made while the consumer is busy. Raises what making them raises."""
    queue: asyncio.Queue[_Prepared] = asyncio.Queue(_LOOKAHEAD)

    async def fill() -> None:
        async for item in items:
            await queue.put(item)

    filling = asyncio.create_task(fill())
    getting: asyncio.Task[_Prepared] | None = None
    try:
        while True:
            getting = asyncio.create_task(queue.get())
            await asyncio.wait({getting, filling}, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():  # nothing is left, and nothing will come
                filling.result()
                return
            yield getting.result()
    finally:
        tasks = [task for task in (filling, getting) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _batches(items: AsyncIterator[_Prepared], size: int) -> AsyncIterator[list[_Prepared]]:
    """Groups of documents with about `size` chunks together."""
    batch: list[_Prepared] = []
    chunks = 0
    async with aclosing(items):  # type: ignore[type-var]
        async for item in items:
            batch.append(item)
            chunks += len(item.passages)
            if chunks >= size or len(batch) >= size:
                yield batch
                batch, chunks = [], 0
    if batch:
        yield batch


async def _store(
    services: IngestServices, principal: Principal, collection: str, batch: Sequence[_Prepared]
) -> list[Outcome]:
    """Embed and store the documents of a batch; records those that failed before."""
    ready = [item for item in batch if item.document]
    try:
        vectors = await services.embedder.embed_passages([text for item in ready for text in item.passages])
    except AnchorageError as error:
        if len(ready) > 1 and isinstance(error, ModelError):  # one text that the model refuses must not fail the others
            return [outcome for item in batch for outcome in await _store(services, principal, collection, [item])]
        failure = Failure(error.code, error.message)
        batch = [
            replace(
                item,
                document=None,
                outcome=item.outcome or Outcome(item.uri, None, DocumentStatus.FAILED, error=failure),
            )
            for item in batch
        ]
        ready, vectors = [], _NO_VECTORS
    documents, at = [], 0
    for item in ready:
        assert item.document
        documents.append(replace(item.document, vectors=vectors[at : at + len(item.passages)]))
        at += len(item.passages)
    ids = dict(zip([d.uri for d in documents], await _written(services, principal, collection, documents), strict=True))
    outcomes = []
    for item in batch:
        if item.outcome and item.outcome.status is DocumentStatus.FAILED:
            outcomes.append(await record_failure(services, principal, collection, item.outcome))
        elif item.outcome:
            outcomes.append(item.outcome)
        else:
            outcomes.append(Outcome(item.uri, ids[item.uri], DocumentStatus.INDEXED, len(item.passages)))
    return outcomes


async def _written(
    services: IngestServices, principal: Principal, collection: str, documents: Sequence[IndexedDocument]
) -> Sequence[str]:
    if not documents:
        return []
    for delay in _DATABASE_RETRIES:
        try:
            return await services.store.replace(principal, collection, documents)
        except (DatabaseUnavailable, Conflict) as error:
            _log.warning("storing_retried", reason=error.message, seconds=delay)
            await asyncio.sleep(delay)
    return await services.store.replace(principal, collection, documents)


async def record_failure(services: IngestServices, principal: Principal, collection: str, outcome: Outcome) -> Outcome:
    """Keep a failed document's reason in the store."""
    assert outcome.error
    title = outcome.uri.rsplit("/", 1)[-1]
    document_id = await services.store.fail(principal, collection, outcome.uri, title, outcome.error, {})
    return replace(outcome, document_id=document_id)


async def _vanished(
    services: IngestServices, principal: Principal, collection: str, source: Source, seen: set[str]
) -> AsyncIterator[Outcome]:
    """Documents that the source held and lists no more: deleted, or held when it lists nothing at all."""
    if source.prefix is None:
        return
    held: Mapping[str, str] = await services.store.uris_below(principal, collection, source.prefix)
    unlisted = {uri: document_id for uri, document_id in held.items() if uri not in seen}
    if not seen:
        reason = Failure(
            "source_empty",
            f"{source.uri} lists nothing, so its documents stay. If they are to go, `anchorage documents delete` them.",
        )
        for uri, document_id in unlisted.items():
            yield Outcome(uri, document_id, DocumentStatus.HELD, error=reason)
        return
    gone = {uri: document_id for uri, document_id in unlisted.items() if await _is_gone(source, uri)}
    await delete_documents(services.store, services.blobs, principal, list(gone.values()))
    for uri, document_id in gone.items():
        yield Outcome(uri, document_id, DocumentStatus.DELETED)


async def _is_gone(source: Source, uri: str) -> bool:
    """Whether the source itself says so: what is only not listed, or not readable now, stays."""
    try:
        async with source.fetch(uri):
            return False
    except NotFound:
        return True
    except AnchorageError:
        return False


async def delete_documents(
    store: Store, blobs: BlobStore, principal: Principal, document_ids: Sequence[str]
) -> Sequence[str]:
    """Remove documents, and their original bytes where no other document has the same."""
    keys = await store.blob_keys(principal, document_ids)
    deleted = await store.delete(principal, document_ids)
    for key in await store.unused_blobs(keys) if keys else ():
        await blobs.delete(key)
    return deleted
