"""Sync: brings a collection up to date with a registered source, document by document through the queue.

Listing decides: what is new or has another tag is queued, what is listed no more is deleted. A list that ends in an error
deletes nothing, and one that has lost too much is held until somebody confirms it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from anchorage.errors import AnchorageError
from anchorage.ingest.batching import group_items
from anchorage.ingest.indexing import IndexOpener
from anchorage.ingest.outcomes import describe_failure
from anchorage.ingest.parse import FileParser
from anchorage.ingest.removal import Remover, is_gone
from anchorage.model import Document, Failure, Principal, RegisteredSource, SourceEntry
from anchorage.ports.catalog import Catalog
from anchorage.ports.queue import JobResult, NewJob, Progress, Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.source import Source

_AT_ONCE = 500
_WITHIN = 5.0  # seconds that what a slow source lists waits for more
UPLOAD_PRIORITY, SYNC_PRIORITY, SOURCE_PRIORITY = 10, 5, 0


@dataclass(frozen=True, slots=True)
class SyncLimits:
    """A sync is held when it would delete more than `share` of a source's documents, and more than `least` of them."""

    share: float = 0.5
    least: int = 10


@dataclass(slots=True)
class _Listing:
    """What a source listed, and what of it was queued."""

    listed: set[str] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    queued: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """The ids of the documents that are gone from the source, of so many that it had."""

    gone: Sequence[str]
    stored: int


def sync_job(source: RegisteredSource, *, confirmed: bool = False) -> NewJob:
    """The job that syncs a source. Syncs have a lane of their own: documents that wait do not keep them back, nor they much else."""
    return NewJob(
        "sync", source.collection, source.location, source.location, "sync", SYNC_PRIORITY,
        source_id=source.id, confirmed=confirmed,
    )  # fmt: skip


class Syncer:
    """Lists registered sources, queues what has changed and deletes what is gone."""

    def __init__(
        self, catalog: Catalog, queue: Queue, registry: SourceRegistry, indexes: IndexOpener, parser: FileParser,
        remover: Remover, limits: SyncLimits,
    ) -> None:  # fmt: skip
        self._catalog, self._queue, self._registry = catalog, queue, registry
        self._indexes, self._parser, self._remover, self._limits = indexes, parser, remover, limits

    async def sync(
        self, registered: RegisteredSource, source: Source, progress: Progress, *, confirmed: bool
    ) -> JobResult:
        """Sync one source; its record says how it went."""
        await self._registry.note(registered.id, "syncing")
        owner = Principal(registered.owner)
        try:
            await self._indexes.open(owner, registered.collection)
            listing = await self._queue_changed(owner, registered, source, progress)
            unlisted = await self._find_unlisted(owner, registered, listing, source, progress)
            gone = self._deletable(unlisted, registered, listing, confirmed=confirmed)
        except AnchorageError as error:
            failure = describe_failure(error)
            await self._registry.note(registered.id, "failed", failure)
            return JobResult(error=failure)
        report = {"listed": len(listing.listed), "queued": listing.queued, "unchanged": listing.unchanged}
        if isinstance(gone, Failure):
            await self._registry.note(registered.id, "held", gone, report)
            return JobResult()
        gone = await self._catalog.release(owner, registered.collection, gone, registered.id)
        await self._remover.delete_documents(owner, gone)
        await self._registry.note(registered.id, "synced", None, {**report, "deleted": len(gone)})
        return JobResult()

    async def _queue_changed(
        self, owner: Principal, registered: RegisteredSource, source: Source, progress: Progress
    ) -> _Listing:
        """List the source, and queue the documents that are new or have another tag."""
        listing, collection = _Listing(), registered.collection
        async for group in group_items(source.list(), _AT_ONCE, _WITHIN):
            known = await self._catalog.versions(owner, collection, [item.uri for item in group])
            # What is asked for by name and is not there any more is gone; what never was is a failure that somebody should see.
            group = [entry for entry in group if not (entry.missing and _is_indexed(known.get(entry.uri)))]
            changed = [entry for entry in group if not self._is_settled(known.get(entry.uri), entry)]
            await self._queue.add(owner, [_document_job(registered, entry) for entry in changed])
            shared = [item.uri for item in known.values() if item.source_id not in (None, registered.id)]
            if shared:  # they stay when the source that they belong to loses them
                await self._catalog.claim(owner, collection, shared, registered.id)
            listing.listed |= {entry.uri for entry in group}
            listing.closed += [entry.uri + "/" for entry in group if entry.closed]
            listing.queued += len(changed)
            listing.unchanged += len(group) - len(changed)
            await progress(len(listing.listed), None)
        return listing

    def _is_settled(self, known: Document | None, entry: SourceEntry) -> bool:
        """Whether these bytes were read for a source before. What came in another way becomes this source's by its next reading."""
        return self._parser.has_read(entry, known) and known is not None and known.source_id is not None

    async def _find_unlisted(
        self, owner: Principal, registered: RegisteredSource, listing: _Listing, source: Source, progress: Progress
    ) -> _Unlisted:
        """The documents of the source that it does not list any more, and that are gone for certain."""
        stored = await self._catalog.of_source(owner, registered.collection, registered.id)
        below = tuple(listing.closed)  # a folder that could not be listed: what it held is not gone for that
        missing = {uri: stored[uri] for uri in stored if uri not in listing.listed and not uri.startswith(below or " ")}
        if source.lists_all or not missing:
            return _Unlisted(list(missing.values()), len(stored))
        known = await self._catalog.versions(owner, registered.collection, list(missing))
        gone = []
        for uri, document_id in missing.items():
            if not _is_indexed(known.get(uri)) or await is_gone(source, uri, listing.listed):
                gone.append(document_id)
            await progress(len(listing.listed), None)  # a slow site may take long over it
        return _Unlisted(gone, len(stored))

    def _deletable(
        self, unlisted: _Unlisted, registered: RegisteredSource, listing: _Listing, *, confirmed: bool
    ) -> Sequence[str] | Failure:
        """The documents to delete, or why they are kept."""
        gone, stored = unlisted.gone, unlisted.stored
        if gone and not confirmed:
            suspicious = len(gone) > max(self._limits.least, self._limits.share * stored)
            if suspicious or not listing.listed:
                return Failure(
                    "source_shrank",
                    f"{registered.location} lists {len(listing.listed)} documents, and {len(gone)} of the {stored} indexed ones are "
                    f"gone from it. They stay until you confirm: `anchorage sources sync {registered.id} --confirm`.",
                )
        return gone


def _is_indexed(known: Document | None) -> bool:
    return known is not None and known.version is not None


def _document_job(registered: RegisteredSource, entry: SourceEntry) -> NewJob:
    name = entry.uri.rstrip("/").rsplit("/", 1)[-1] or entry.uri
    return NewJob(
        "ingest", registered.collection, entry.uri, name, f"source:{registered.id}", SOURCE_PRIORITY,
        source_id=registered.id, tag=entry.tag,
    )  # fmt: skip
