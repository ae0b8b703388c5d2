"""Many documents through the pipeline at once, and the trouble on the way: retries, failures, originals nobody needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from anchorage.errors import AnchorageError, DatabaseUnavailable, IndexMoved, NotFound, Superseded
from anchorage.ingest.batching import group_items, run_concurrently
from anchorage.ingest.indexing import IndexOpener, OpenIndex
from anchorage.ingest.outcomes import FailureRecorder, count_outcome, describe_failure
from anchorage.ingest.pipeline import Pipeline, Reading
from anchorage.ingest.removal import Remover
from anchorage.ingest.store import LOOKED_UP_AT_ONCE, DocumentLookup
from anchorage.model import (
    Document,
    DocumentStatus,
    Failure,
    Outcome,
    ParsedDocument,
    Principal,
    SourceEntry,
    SourceItem,
)
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.queue import UNWATCHED, Progress
from anchorage.ports.source import Source

_SWITCHES = 4  # times that a document is prepared anew because the index was switched
_READINGS = 3  # of a document that others keep changing
_PARSED_AT_ONCE = 256  # documents of an evaluation set are short

Prepare = Callable[[OpenIndex], Awaitable[IndexedDocument | Outcome]]
"""Makes a document ready for an index; an outcome when there is nothing to store."""


class Ingester:
    """Ingests documents for one principal, many at once: they share the batches of the pipeline's steps."""

    def __init__(
        self, principal: Principal, pipeline: Pipeline, indexes: IndexOpener, lookup: DocumentLookup,
        failures: FailureRecorder, remover: Remover, documents_at_once: int,
    ) -> None:  # fmt: skip
        self.principal = principal
        self._pipeline, self._indexes, self._lookup = pipeline, indexes, lookup
        self._failures, self._remover, self._documents_at_once = failures, remover, documents_at_once
        self._open_indexes: dict[str, OpenIndex] = {}

    async def ingest_source(self, collection: str, source: Source) -> AsyncIterator[Outcome]:
        """Bring a collection up to date with a source; yields what became of each document as it is known.

        Raises `IndexMismatch`, `NotAllowed` or `NotFound` before anything is changed, and `DatabaseUnavailable` when Postgres
        stays away.
        """
        await self.open_index(collection)
        listed: set[str] = set()

        async def list_entries() -> AsyncIterator[tuple[SourceEntry, Document | None]]:
            async for group in group_items(source.list(), LOOKED_UP_AT_ONCE):
                known = await self._lookup.find_many(collection, [entry.uri for entry in group])
                for entry in group:
                    listed.add(entry.uri)
                    yield entry, known.get(entry.uri)

        async def ingest(item: tuple[SourceEntry, Document | None]) -> Outcome:
            return await self.ingest_document(collection, source, *item)

        async for outcome in run_concurrently(list_entries(), ingest, self._documents_at_once):
            yield outcome
        async for outcome in self._remover.delete_unlisted(self.principal, collection, source, listed):
            yield outcome

    async def ingest_texts(
        self, collection: str, documents: AsyncIterator[tuple[SourceItem, ParsedDocument]]
    ) -> AsyncIterator[Outcome]:
        """The same from texts that are parsed already, such as an evaluation set's; their originals are not kept."""
        await self.open_index(collection)

        async def ingest(item: tuple[SourceItem, ParsedDocument]) -> Outcome:
            return await self._ingest_text(collection, *item)

        async for outcome in run_concurrently(documents, ingest, _PARSED_AT_ONCE):
            yield outcome

    async def ingest_document(
        self, collection: str, source: Source, entry: SourceEntry, known: Document | None, *,
        source_id: str | None = None, password: str | None = None, progress: Progress = UNWATCHED,
    ) -> Outcome:  # fmt: skip
        """Bring one document up to date; `known` is what the store has of it. Its failure is recorded and returned.

        `password` names the one to open it with; all are tried without it. Of a long document `progress` hears after each piece.

        Raises `DatabaseUnavailable` when Postgres stays away, and what forbids writing to the collection.
        """
        if known and self._is_unchanged(entry, known) and (source_id is None or known.source_id is not None):
            return count_outcome(Outcome(known.uri, known.id, DocumentStatus.UNCHANGED, known.chunks))
        reading = Reading(collection, source, entry, known, source_id, password, progress)
        for _ in range(_READINGS):
            with suppress(Superseded):  # somebody was faster: what we have read may be the older of the two
                return await self._read_and_store(reading)
            reading = replace(reading, known=await self.find_document(collection, entry.uri), kept=[])
        return await self._read_and_store(reading)

    async def find_document(self, collection: str, uri: str) -> Document | None:
        """What the store has of a document."""
        return await self._lookup.find(collection, uri)

    async def open_index(self, collection: str) -> OpenIndex:
        """The index that the collection is written with. Raises what `IndexOpener.open` raises."""
        if collection not in self._open_indexes:
            self._open_indexes[collection] = await self._indexes.open(self.principal, collection)
        return self._open_indexes[collection]

    def _is_unchanged(self, entry: SourceEntry, known: Document) -> bool:
        """Whether the source says that the bytes are those that are indexed, by this parser."""
        return known.status is DocumentStatus.INDEXED and self._pipeline.parser.has_read(entry, known)

    async def _read_and_store(self, reading: Reading) -> Outcome:
        """Prepare and store a document once; then let go of the originals that nothing needs."""
        needed = before = reading.known.blob_key if reading.known else None

        async def prepare(index: OpenIndex) -> IndexedDocument | Outcome:
            return await self._prepare_or_record(index, reading)

        try:
            outcome = await self._store_in_live_index(reading.collection, reading.entry, prepare, reading.source_id)
            needed = reading.kept[-1] if outcome.status is DocumentStatus.INDEXED else before
        finally:
            await self._remover.forget_blobs(sorted({key for key in (before, *reading.kept) if key and key != needed}))
        return outcome

    async def _store_in_live_index(
        self, collection: str, entry: SourceEntry, prepare: Prepare, source_id: str | None = None
    ) -> Outcome:
        """Prepare a document for the live index and store it; anew when another has become the live one meanwhile."""
        for _ in range(_SWITCHES):
            index = await self.open_index(collection)
            try:
                prepared = await prepare(index)
                if isinstance(prepared, Outcome):
                    return prepared
                return await self._pipeline.store(collection, index, prepared)
            except IndexMoved:
                if self._open_indexes.get(collection) is index:
                    del self._open_indexes[collection]
        reason = Failure(IndexMoved.code, "The collection's index was switched again and again. Ingest it again.", True)
        return await self._failures.record_failure(collection, entry, reason, source_id)

    async def _prepare_or_record(self, index: OpenIndex, reading: Reading) -> IndexedDocument | Outcome:
        """Prepare a document; where that fails by its own fault, the reason is kept."""
        collection, entry, known, source_id = reading.collection, reading.entry, reading.known, reading.source_id
        try:
            prepared = await self._pipeline.prepare(index, reading)
        except (DatabaseUnavailable, IndexMoved, Superseded):
            raise
        except AnchorageError as error:
            await self._indexes.require_live(self.principal, collection, index, error)
            if isinstance(error, NotFound) and source_id and known and known.version:
                # Gone since it was listed: the next sync deletes it.
                return count_outcome(Outcome(entry.uri, known.id, DocumentStatus.DELETED))
            return await self._failures.record_failure(collection, entry, describe_failure(error), source_id)
        except OSError as error:
            reason = f"The file could not be read: {error.strerror}. Ingest it again."
            failure = Failure("unreadable", reason, temporary=True)
            return await self._failures.record_failure(collection, entry, failure, source_id)
        return count_outcome(prepared) if isinstance(prepared, Outcome) else prepared

    async def _ingest_text(self, collection: str, item: SourceItem, parsed: ParsedDocument) -> Outcome:
        entry = SourceEntry(item.uri)

        async def prepare(index: OpenIndex) -> IndexedDocument | Outcome:
            try:
                return await self._pipeline.prepare_text(index, item, parsed)
            except AnchorageError as error:
                return await self._failures.record_failure(collection, entry, describe_failure(error))

        return await self._store_in_live_index(collection, entry, prepare)
