"""Ingestion: source -> fetch -> parse -> chunk -> embed -> store.

A document's chunks become visible together, in the transaction that stores them; until then its old version answers.
Killing this at any point leaves whole documents, and running it again completes the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import structlog

from anchorage.batching import Batcher
from anchorage.errors import (
    AnchorageError,
    Contended,
    DatabaseUnavailable,
    IndexMoved,
    NotFound,
    Superseded,
)
from anchorage.ingest.batching import Budget, concurrently, grouped
from anchorage.ingest.chunk import passage_header, passage_text
from anchorage.ingest.indexing import Indexing, open_indexing, require_live
from anchorage.ingest.passwords import opened
from anchorage.ingest.removal import forget_blobs, vanished
from anchorage.model import (
    Document,
    DocumentStatus,
    EmbedderSpec,
    Failure,
    IndexSpec,
    Outcome,
    ParsedDocument,
    Principal,
    SourceEntry,
    SourceItem,
)
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.blob import BlobStore
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedders, Vectors
from anchorage.ports.parser import Parser
from anchorage.ports.queue import UNWATCHED, Progress, Queue
from anchorage.ports.source import Source
from anchorage.ports.upkeep import Upkeep
from anchorage.telemetry import DOCUMENTS

_log = structlog.get_logger(__name__)
_DATABASE_RETRIES = (0.5, 1, 2, 4, 8, 8, 8)  # seconds between tries to store a batch while Postgres is away
_LOOKED_UP_AT_ONCE = 500
_SWITCHES = 4  # times that a document is prepared anew because the index was switched
_PAUSE = 0.05  # seconds between the beginnings of two small batches
_WRITERS = 2  # a vector index takes one row at a time of each connection
_READINGS = 3  # of a document that others keep changing
_SHORT = 20_000  # characters that are cut within milliseconds
_PARSED_AT_ONCE = 256  # documents of an evaluation set are short
# What another setting or another installation reads, so that the next sync tries it again.
_MENDED_BY_SETTINGS = {"needs_ocr", "encrypted", "too_large", "too_complex", "timeout"}
_BYTES_IN_FLIGHT = 128 * 1024**2  # of files being parsed, embedded and stored

Prepare = Callable[[Indexing], Awaitable["IndexedDocument | Outcome"]]
"""Makes a document ready for an index; an outcome when there is nothing to store."""


@dataclass(frozen=True, slots=True)
class IngestServices:
    """What ingestion works with."""

    catalog: Catalog
    upkeep: Upkeep
    blobs: BlobStore
    parser: Parser
    embedders: Embedders
    queue: Queue
    index: IndexSpec
    """What a new collection gets; every other keeps its own."""
    batch_chunks: int
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords of documents, by names under which sources refer to them."""
    documents_at_once: int = 64
    embeddings_at_once: int = 1


@dataclass(frozen=True, slots=True)
class _Reading:
    """A document that is being brought up to date, and what the store had of it."""

    collection: str
    source: Source
    entry: SourceEntry
    known: Document | None
    source_id: str | None
    password: str | None
    progress: Progress
    kept: list[str] = field(default_factory=list)
    """The keys of the original bytes that were kept for it."""


class Ingester:
    """Ingests documents for one principal, many at once: their passages are embedded and stored in common batches."""

    def __init__(self, services: IngestServices, principal: Principal) -> None:
        self.services, self.principal = services, principal
        self._room = Budget(_BYTES_IN_FLIGHT)
        self._indexings: dict[str, Indexing] = {}
        self._embedding: dict[EmbedderSpec, Batcher[Sequence[str], Vectors]] = {}
        self._look_up: Batcher[tuple[str, str], Document | None] = Batcher(
            self._look_up_all, limit=_LOOKED_UP_AT_ONCE, weight=lambda _: 1, pause=_PAUSE
        )
        self._write: Batcher[tuple[str, int, IndexedDocument], str] = Batcher(
            self._write_all, limit=services.batch_chunks, weight=lambda item: max(1, len(item[2].chunks)),
            at_once=_WRITERS, pause=_PAUSE,
        )  # fmt: skip

    async def open(self, collection: str) -> Indexing:
        """The index that the collection is written with. Raises what `open_indexing` raises."""
        if collection not in self._indexings:
            self._indexings[collection] = await open_indexing(self.services, self.principal, collection)
        return self._indexings[collection]

    def _moved(self, collection: str, index: Indexing) -> None:
        """Forget an index that is not the live one any more."""
        if self._indexings.get(collection) is index:
            del self._indexings[collection]

    def _batches(self, index: Indexing) -> Batcher[Sequence[str], Vectors]:
        """The common batches of all documents that one embedder embeds."""
        embedder = index.embedder

        async def embed(groups: Sequence[Sequence[str]]) -> Sequence[Vectors]:
            vectors = await embedder.embed_passages([text for group in groups for text in group])
            ends = np.cumsum([len(group) for group in groups])
            return [vectors[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]

        return self._embedding.setdefault(
            embedder.spec,
            Batcher(embed, limit=self.services.batch_chunks, weight=len, at_once=self.services.embeddings_at_once),
        )

    async def known(self, collection: str, uri: str) -> Document | None:
        """What the store has of a document."""
        return await self._look_up((collection, uri))

    async def _look_up_all(self, keys: Sequence[tuple[str, str]]) -> Sequence[Document | None]:
        found: dict[tuple[str, str], Document] = {}
        for collection in dict.fromkeys(name for name, _ in keys):
            uris = [uri for name, uri in keys if name == collection]
            known = await self.services.catalog.versions(self.principal, collection, uris)
            found |= {(collection, uri): document for uri, document in known.items()}
        return [found.get(key) for key in keys]

    async def document(
        self, collection: str, source: Source, entry: SourceEntry, known: Document | None, *,
        source_id: str | None = None, password: str | None = None, progress: Progress = UNWATCHED,
    ) -> Outcome:  # fmt: skip
        """Bring one document up to date; `known` is what the store has of it. Its failure is recorded and returned.

        `password` names the one to open it with; all are tried without it. Of a long document `progress` hears after each piece.

        Raises `DatabaseUnavailable` when Postgres stays away, and what forbids writing to the collection.
        """
        if self.is_unchanged(entry, known) and known and (source_id is None or known.source_id is not None):
            return _counted(Outcome(known.uri, known.id, DocumentStatus.UNCHANGED, known.chunks))
        reading = _Reading(collection, source, entry, known, source_id, password, progress)
        for _ in range(_READINGS):
            with suppress(Superseded):  # somebody was faster: what we have read may be the older of the two
                return await self._document(reading)
            reading = replace(reading, known=await self.known(collection, entry.uri), kept=[])
        return await self._document(reading)

    async def _document(self, reading: _Reading) -> Outcome:
        needed = had = reading.known.blob_key if reading.known else None

        async def prepare(index: Indexing) -> IndexedDocument | Outcome:
            return await self._prepared_or_failed(index, reading)

        try:
            outcome = await self._into_live(reading.collection, reading.entry, prepare, reading.source_id)
            needed = reading.kept[-1] if outcome.status is DocumentStatus.INDEXED else had
        finally:
            await forget_blobs(self.services, sorted({key for key in (had, *reading.kept) if key and key != needed}))
        return outcome

    async def _into_live(
        self, collection: str, entry: SourceEntry, prepare: Prepare, source_id: str | None = None
    ) -> Outcome:
        """Prepare a document for the live index and store it; anew when another has become the live one meanwhile."""
        for _ in range(_SWITCHES):
            index = await self.open(collection)
            try:
                done = await prepare(index)
                if isinstance(done, Outcome):
                    return done
                return await self._stored(collection, index, done)
            except IndexMoved:
                self._moved(collection, index)
        reason = Failure(IndexMoved.code, "The collection's index was switched again and again. Ingest it again.", True)
        return await self.failed(collection, entry, reason, source_id)

    async def _prepared_or_failed(self, index: Indexing, reading: _Reading) -> IndexedDocument | Outcome:
        collection, entry, known, source_id = reading.collection, reading.entry, reading.known, reading.source_id
        try:
            done = await self._prepared(index, reading)
        except (DatabaseUnavailable, IndexMoved, Superseded):
            raise
        except AnchorageError as error:
            await require_live(self.services, self.principal, collection, index, error)
            if isinstance(error, NotFound) and source_id and known and known.version:
                # Gone since it was listed: the next sync deletes it.
                return _counted(Outcome(entry.uri, known.id, DocumentStatus.DELETED))
            return await self.failed(collection, entry, failure_of(error), source_id)
        except OSError as error:
            reason = f"The file could not be read: {error.strerror}. Ingest it again."
            return await self.failed(collection, entry, Failure("unreadable", reason, temporary=True), source_id)
        return _counted(done) if isinstance(done, Outcome) else done

    def is_unchanged(self, entry: SourceEntry, known: Document | None) -> bool:
        """Whether the source says that the bytes are those that are indexed, by this parser."""
        return bool(known and known.status is DocumentStatus.INDEXED and self.is_seen(entry, known))

    def is_seen(self, entry: SourceEntry, known: Document | None) -> bool:
        """Whether these bytes were read before by this parser, to good or bad end."""
        return bool(known and entry.tag and known.tag == self._tag(entry.tag))

    async def parsed(self, collection: str, item: SourceItem, parsed: ParsedDocument) -> Outcome:
        """Ingest a text that is parsed already; its original is not kept."""
        version = hashlib.sha256(f"{parsed.title}\n{parsed.text}".encode()).hexdigest()
        entry = SourceEntry(item.uri)

        async def prepare(index: Indexing) -> IndexedDocument | Outcome:
            document = await self._chunked(index, item, version, parsed, None)
            try:
                return replace(document, vectors=await self._vectors(index, document, None))
            except AnchorageError as error:
                return await self.failed(collection, entry, failure_of(error))

        return await self._into_live(collection, entry, prepare)

    async def failed(
        self, collection: str, entry: SourceEntry, failure: Failure, source_id: str | None = None
    ) -> Outcome:
        """Keep a failed document's reason in the store. A version that was indexed before goes on answering."""
        title = entry.uri.rstrip("/").rsplit("/", 1)[-1]
        tag = None if failure.temporary or failure.code in _MENDED_BY_SETTINGS else self._tag(entry.tag)
        document_id = await self.services.catalog.fail(
            self.principal, collection, entry.uri, title, failure, {}, tag=tag, source_id=source_id
        )
        return _counted(Outcome(entry.uri, document_id, DocumentStatus.FAILED, error=failure))

    async def _prepared(self, index: Indexing, reading: _Reading) -> IndexedDocument | Outcome:
        """Fetch, parse, chunk and embed, unless the bytes are those that are indexed."""
        services, known, progress = self.services, reading.known, reading.progress
        taken = 0
        try:
            async with reading.source.fetch(reading.entry.uri) as item:
                with progress.waiting():
                    taken = await self._room.take(item.size)
                key = await services.blobs.put(Path(item.path))
                reading.kept.append(key)
                version = hashlib.sha256(bytes.fromhex(key) + services.parser.version.encode()).hexdigest()
                if known and known.version == version:
                    # The source has touched it, or a later version failed and this one has come back.
                    with suppress(NotFound):  # deleted meanwhile: then it is new
                        tag = self._tag(item.tag)
                        await services.catalog.confirm(self.principal, known.id, version, tag, reading.source_id)
                        return Outcome(known.uri, known.id, DocumentStatus.UNCHANGED, known.chunks)
                with progress.waiting():  # for its turn; then a parser has limits of its own
                    parsed = await opened(services.parser, services.passwords, item, reading.password)
            document = await self._chunked(index, item, version, parsed, key)
            vectors = await self._vectors(index, document, known, progress)
        finally:
            self._room.give(taken)
        had = known.version or "" if known else ""
        tag, source_id = self._tag(item.tag), reading.source_id
        return replace(document, vectors=vectors, tag=tag, source_id=source_id, replaces=had)

    def _tag(self, tag: str | None) -> str | None:
        return f"{self.services.parser.version} {tag}" if tag else None

    async def _chunked(
        self, index: Indexing, item: SourceItem, version: str, parsed: ParsedDocument, blob_key: str | None
    ) -> IndexedDocument:
        short = len(parsed.text) <= _SHORT  # a thread would cost more than the work
        chunks = index.chunks(parsed) if short else await asyncio.to_thread(index.chunks, parsed)
        return IndexedDocument(
            uri=item.uri, version=version, parsed=replace(parsed, metadata={**parsed.metadata, **item.metadata}),
            chunks=chunks, vectors=np.zeros((0, 0), dtype=np.float32),
            headers=[passage_header(parsed.title, chunk.heading_path) for chunk in chunks],
            media_type=item.media_type, blob_key=blob_key, size=item.size,
        )  # fmt: skip

    async def _vectors(
        self, index: Indexing, document: IndexedDocument, known: Document | None, progress: Progress = UNWATCHED
    ) -> Vectors:
        """A vector for each chunk; those that the version before has already are not computed again."""
        keys = list(zip(document.headers, (chunk.text for chunk in document.chunks), strict=True))
        had: Mapping[tuple[str, str], Vectors] = {}
        if known and known.version:
            with suppress(NotFound):  # deleted meanwhile
                had = await self.services.catalog.embedded(self.principal, known.id, index_id=index.index_id)
        missing = [number for number, key in enumerate(keys) if key not in had]
        texts = [passage_text(document.parsed.title, document.chunks[number]) for number in missing]
        size = self.services.batch_chunks
        # A long document waits for its pieces one after the other, so that short ones get between them.
        embed = self._batches(index)
        pieces = []
        for start in range(0, len(texts), size):
            if start:
                await progress(len(keys) - len(texts) + start, len(keys))
            pieces.append(await embed(texts[start : start + size]))
        vectors = np.empty((len(keys), index.spec.embedder.dimension), dtype=np.float32)
        if missing:
            vectors[missing] = np.concatenate(pieces)
        for number, key in enumerate(keys):
            if key in had:
                vectors[number] = had[key]
        return vectors

    async def _stored(self, collection: str, index: Indexing, document: IndexedDocument) -> Outcome:
        document_id = await self._write((collection, index.index_id, document))
        return _counted(Outcome(document.uri, document_id, DocumentStatus.INDEXED, len(document.chunks)))

    async def _write_all(self, items: Sequence[tuple[str, int, IndexedDocument]]) -> Sequence[str]:
        ids: dict[tuple[str, str], str] = {}
        for target in dict.fromkeys((name, index_id) for name, index_id, _ in items):
            documents = list({item.uri: item for name, index_id, item in items if (name, index_id) == target}.values())
            for item, document_id in zip(documents, await self._replace(*target, documents), strict=True):
                ids[target[0], item.uri] = document_id
        return [ids[collection, item.uri] for collection, _, item in items]

    async def _replace(self, collection: str, index_id: int, documents: Sequence[IndexedDocument]) -> Sequence[str]:
        for delay in _DATABASE_RETRIES:
            try:
                return await self.services.catalog.replace(self.principal, collection, documents, index_id=index_id)
            except (DatabaseUnavailable, Contended) as error:
                _log.warning("storing_retried", reason=error.message, seconds=delay)
                await asyncio.sleep(delay)
        return await self.services.catalog.replace(self.principal, collection, documents, index_id=index_id)


def failure_of(error: AnchorageError) -> Failure:
    return Failure(error.code, error.message, error.temporary)


def _counted(outcome: Outcome) -> Outcome:
    DOCUMENTS.labels(outcome.status.value).inc()
    return outcome


async def ingest_source(
    services: IngestServices, principal: Principal, collection: str, source: Source
) -> AsyncIterator[Outcome]:
    """Bring a collection up to date with a source; yields what became of each document as it is known.

    Raises `IndexMismatch`, `NotAllowed` or `NotFound` before anything is changed, and `DatabaseUnavailable` when Postgres
    stays away.
    """
    ingester = Ingester(services, principal)
    await ingester.open(collection)
    seen: set[str] = set()

    async def entries() -> AsyncIterator[tuple[SourceEntry, Document | None]]:
        async for group in grouped(source.list(), _LOOKED_UP_AT_ONCE):
            known = await services.catalog.versions(principal, collection, [entry.uri for entry in group])
            for entry in group:
                seen.add(entry.uri)
                yield entry, known.get(entry.uri)

    async def one(item: tuple[SourceEntry, Document | None]) -> Outcome:
        return await ingester.document(collection, source, *item)

    async for outcome in concurrently(entries(), one, services.documents_at_once):
        yield outcome
    async for outcome in vanished(services, principal, collection, source, seen):
        yield outcome


async def ingest_parsed(
    services: IngestServices,
    principal: Principal,
    collection: str,
    documents: AsyncIterator[tuple[SourceItem, ParsedDocument]],
) -> AsyncIterator[Outcome]:
    """The same from texts that are parsed already, such as an evaluation set's; their originals are not kept."""
    ingester = Ingester(services, principal)
    await ingester.open(collection)

    async def one(item: tuple[SourceItem, ParsedDocument]) -> Outcome:
        return await ingester.parsed(collection, *item)

    async for outcome in concurrently(documents, one, _PARSED_AT_ONCE):
        yield outcome
