"""Sync: brings a collection up to date with a registered source, document by document through the queue.

Listing decides: what is new or has another tag is queued, what is listed no more is deleted. A list that ends in an error
deletes nothing, and one that has lost too much is held until somebody confirms it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from anchorage.errors import AnchorageError
from anchorage.ingest.batching import grouped
from anchorage.ingest.pipeline import Ingester, failure_of
from anchorage.ingest.removal import delete_documents, is_gone
from anchorage.model import Document, Failure, Principal, RegisteredSource, SourceEntry
from anchorage.ports.queue import JobResult, NewJob, Progress, Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.source import Source

_log = structlog.get_logger(__name__)
_AT_ONCE = 500
_WITHIN = 5.0  # seconds that what a slow source lists waits for more
UPLOAD_PRIORITY, SYNC_PRIORITY, SOURCE_PRIORITY = 10, 5, 0


@dataclass(frozen=True, slots=True)
class SyncLimits:
    """A sync is held when it would delete more than `share` of a source's documents, and more than `least` of them."""

    share: float = 0.5
    least: int = 10


@dataclass(slots=True)
class _Found:
    listed: set[str] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    queued: int = 0
    unchanged: int = 0


def sync_job(source: RegisteredSource, *, confirmed: bool = False) -> NewJob:
    """The job that syncs a source. Syncs have a lane of their own: documents that wait do not keep them back, nor they much else."""
    return NewJob(
        "sync", source.collection, source.location, source.location, "sync", SYNC_PRIORITY,
        source_id=source.id, confirmed=confirmed,
    )  # fmt: skip


async def sync_source(
    ingester: Ingester, queue: Queue, registry: SourceRegistry, registered: RegisteredSource, source: Source,
    limits: SyncLimits, progress: Progress, *, confirmed: bool,
) -> JobResult:  # fmt: skip
    """List the source, queue what has changed and delete what is gone; the source's record says how it went."""
    await registry.note(registered.id, "syncing")
    principal = Principal(registered.owner)
    try:
        await ingester.open(registered.collection)
        found = await _list(ingester, queue, principal, registered, source, progress)
        unlisted = await _unlisted(ingester, principal, registered, found, source, progress)
        gone = _certain(unlisted, registered, found, limits, confirmed=confirmed)
    except AnchorageError as error:
        await registry.note(registered.id, "failed", failure_of(error))
        return JobResult(error=failure_of(error))
    told = {"listed": len(found.listed), "queued": found.queued, "unchanged": found.unchanged}
    if isinstance(gone, Failure):
        await registry.note(registered.id, "held", gone, told)
        return JobResult()
    gone = await ingester.services.catalog.release(principal, registered.collection, gone, registered.id)
    await delete_documents(ingester.services, principal, gone)
    await registry.note(registered.id, "synced", None, {**told, "deleted": len(gone)})
    return JobResult()


async def _list(
    ingester: Ingester,
    queue: Queue,
    principal: Principal,
    registered: RegisteredSource,
    source: Source,
    progress: Progress,
) -> _Found:
    found = _Found()
    async for group in grouped(source.list(), _AT_ONCE, _WITHIN):
        known = await ingester.services.catalog.versions(principal, registered.collection, [item.uri for item in group])
        # What is asked for by name and is not there any more is gone; what never was is a failure that somebody should see.
        group = [entry for entry in group if not (entry.missing and _is_read(known.get(entry.uri)))]
        changed = [entry for entry in group if not _is_settled(known.get(entry.uri), entry, ingester)]
        await queue.add(principal, [_document_job(registered, entry) for entry in changed])
        shared = [item.uri for item in known.values() if item.source_id not in (None, registered.id)]
        if shared:  # they stay when the source that they belong to loses them
            await ingester.services.catalog.claim(principal, registered.collection, shared, registered.id)
        found.listed |= {entry.uri for entry in group}
        found.closed += [entry.uri + "/" for entry in group if entry.closed]
        found.queued += len(changed)
        found.unchanged += len(group) - len(changed)
        await progress(len(found.listed), None)
    return found


def _is_read(known: Document | None) -> bool:
    return known is not None and known.version is not None


def _is_settled(known: Document | None, entry: SourceEntry, ingester: Ingester) -> bool:
    """Whether these bytes were read for a source before. What came in another way becomes this source's by its next reading."""
    return ingester.is_seen(entry, known) and known is not None and known.source_id is not None


def _document_job(registered: RegisteredSource, entry: SourceEntry) -> NewJob:
    name = entry.uri.rstrip("/").rsplit("/", 1)[-1] or entry.uri
    return NewJob(
        "ingest", registered.collection, entry.uri, name, f"source:{registered.id}", SOURCE_PRIORITY,
        source_id=registered.id, tag=entry.tag,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """The ids of the documents that are gone from the source, of so many that it had."""

    gone: Sequence[str]
    held: int


async def _unlisted(
    ingester: Ingester, principal: Principal, registered: RegisteredSource, found: _Found, source: Source, progress: Progress
) -> _Unlisted:  # fmt: skip
    catalog = ingester.services.catalog
    held = await catalog.of_source(principal, registered.collection, registered.id)
    below = tuple(found.closed)  # a folder that could not be listed: what it held is not gone for that
    missing = {uri: held[uri] for uri in held if uri not in found.listed and not uri.startswith(below or " ")}
    if source.lists_all or not missing:
        return _Unlisted(list(missing.values()), len(held))
    known = await catalog.versions(principal, registered.collection, list(missing))
    gone = []
    for uri, document_id in missing.items():
        if not _is_read(known.get(uri)) or await is_gone(source, uri, found.listed):
            gone.append(document_id)
        await progress(len(found.listed), None)  # a slow site may take long over it
    return _Unlisted(gone, len(held))


def _certain(
    unlisted: _Unlisted, registered: RegisteredSource, found: _Found, limits: SyncLimits, *, confirmed: bool
) -> Sequence[str] | Failure:
    """The documents to delete, or why they are kept."""
    gone, held = unlisted.gone, unlisted.held
    if gone and not confirmed:
        suspicious = len(gone) > max(limits.least, limits.share * held)
        if suspicious or not found.listed:
            return Failure(
                "source_shrank",
                f"{registered.location} lists {len(found.listed)} documents, and {len(gone)} of the {held} indexed ones are gone "
                f"from it. They stay until you confirm: `anchorage sources sync {registered.id} --confirm`.",
            )
    return gone
