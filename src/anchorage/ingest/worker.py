"""The worker: runs queued jobs, syncs sources when they are due, and keeps the index tidy."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog

from anchorage.batching import Batcher
from anchorage.cancellation import raise_if_cancelled
from anchorage.errors import AnchorageError, NotFound
from anchorage.ingest.pipeline import Ingester, IngestServices, failure_of
from anchorage.ingest.removal import delete_documents, sweep_blobs
from anchorage.ingest.sync import UPLOAD_PRIORITY, SyncLimits, sync_job, sync_source
from anchorage.model import (
    Failure,
    Job,
    Outcome,
    Principal,
    RegisteredSource,
    SourceEntry,
    SourceItem,
)
from anchorage.ports.blob import BlobStore
from anchorage.ports.queue import DELETED, UNWATCHED, JobResult, NewJob, Progress, Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.source import Source
from anchorage.ports.store import Store
from anchorage.telemetry import record_degradation

_log = structlog.get_logger(__name__)
_MAINTENANCE_PAUSE = 5.0
_SCHEDULE_PAUSE = 2.0
_SWEEP_PAUSE = 600.0
_GRACE = 3600.0  # seconds that bytes stay after they were let go of
_OPEN_SOURCES = 100
_RECENT = 2.0  # seconds that a source's record serves the beginning of jobs
_RECORDS_AT_ONCE = 64
_PAUSE = 0.03  # seconds between two readings of records
PASSWORD = "password"  # noqa: S105  the option of a source that names a password of the settings

OpenSource = Callable[[RegisteredSource], AbstractAsyncContextManager[Source]]


async def _nothing_to_tidy() -> None:
    """For a worker alone in its place."""


@dataclass(frozen=True, slots=True)
class WorkerServices:
    """What a worker works with."""

    ingest: IngestServices
    queue: Queue
    registry: SourceRegistry
    open_source: OpenSource
    sync_limits: SyncLimits = field(default_factory=SyncLimits)
    tidy: Callable[[], Awaitable[None]] = _nothing_to_tidy
    """Removes what killed processes left behind."""


@dataclass(frozen=True, slots=True)
class UploadedSource:
    """A source of one document, whose bytes are in the blob store already."""

    blobs: BlobStore
    uri: str
    name: str
    blob_key: str
    prefix: None = None
    lists_all: bool = True

    async def list(self) -> AsyncIterator[SourceEntry]:
        yield SourceEntry(self.uri)

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        async with self.blobs.local(self.blob_key) as path:
            size = (await asyncio.to_thread(path.stat)).st_size
            yield SourceItem(uri, self.name, str(path), size)


def upload_job(principal: Principal, collection: str, uri: str, name: str, blob_key: str) -> NewJob:
    """The job that ingests a file which a person handed over: it goes before what sources bring."""
    return NewJob("ingest", collection, uri, name, f"upload:{principal.id}", UPLOAD_PRIORITY, blob_key=blob_key)


async def ingest_upload(
    ingester: Ingester, collection: str, uri: str, name: str, blob_key: str, progress: Progress = UNWATCHED
) -> Outcome:
    """Ingest one uploaded file into a collection that is open."""
    source = UploadedSource(ingester.services.blobs, uri, name, blob_key)
    known = await ingester.known(collection, uri)
    return await ingester.document(collection, source, SourceEntry(uri), known, progress=progress)


class _Sources:
    """Registered sources that are open: a site's manners and a client's connections outlive one document."""

    def __init__(self, open_source: OpenSource) -> None:
        self._open_source = open_source
        self._opened: OrderedDict[tuple[str, str, str], tuple[Source, AsyncExitStack]] = OrderedDict()

    async def get(self, registered: RegisteredSource, *, anew: bool = False) -> Source:
        """`anew`: opened again, so that what is wrong now shows. Raises what opening it raises."""
        key = (registered.id, registered.location, repr(registered.options))
        if anew or key not in self._opened:
            stack = AsyncExitStack()
            opened = await stack.enter_async_context(self._open_source(registered)), stack
            before, self._opened[key] = self._opened.get(key), opened
            if before:
                await before[1].aclose()
            await self.trim(_OPEN_SOURCES)
        self._opened.move_to_end(key)
        return self._opened[key][0]

    async def trim(self, most: int) -> None:
        """Close those that were used the longest ago."""
        while len(self._opened) > most:
            _, (_, stack) = self._opened.popitem(last=False)
            await stack.aclose()


class _Records:
    """The records of registered sources, which the documents of one source share."""

    def __init__(self, registry: SourceRegistry) -> None:
        self._registry = registry
        self._recent: dict[tuple[str, str], tuple[float, RegisteredSource]] = {}
        self._read: Batcher[tuple[str, str], RegisteredSource | NotFound] = Batcher(
            self._read_all, limit=_RECORDS_AT_ONCE, weight=lambda _: 1, pause=_PAUSE
        )

    async def now(self, owner: Principal, source_id: str) -> RegisteredSource:
        """As it is after this call began. Raises `NotFound`."""
        found = await self._read((owner.id, source_id))
        if isinstance(found, NotFound):
            raise found
        return found

    async def recent(self, owner: Principal, source_id: str) -> RegisteredSource:
        """As it was a moment ago, or is. Raises `NotFound`."""
        then, found = self._recent.get((owner.id, source_id), (-math.inf, None))
        if found and asyncio.get_running_loop().time() - then < _RECENT:
            return found
        return await self.now(owner, source_id)

    async def _read_all(self, keys: Sequence[tuple[str, str]]) -> Sequence[RegisteredSource | NotFound]:
        found: dict[tuple[str, str], RegisteredSource | NotFound] = {}
        began = asyncio.get_running_loop().time()
        self._recent = {key: value for key, value in self._recent.items() if began - value[0] < _RECENT}
        for owner, source_id in dict.fromkeys(keys):
            try:
                record = await self._registry.source(Principal(owner), source_id)
            except NotFound as error:
                self._recent.pop((owner, source_id), None)
                found[owner, source_id] = error
            else:
                self._recent[owner, source_id] = began, record
                found[owner, source_id] = record
        return [found[key] for key in keys]


class Worker:
    """Runs jobs. Documents that are in work at the same time share the batches of their principal's ingester."""

    def __init__(self, services: WorkerServices) -> None:
        self._services = services
        self._ingesters: dict[str, Ingester] = {}
        self._sources = _Sources(services.open_source)
        self._records = _Records(services.registry)

    async def close(self) -> None:
        """Close the sources that are open. No job may be running."""
        await self._sources.trim(0)

    def _ingester(self, owner: str) -> Ingester:
        if owner not in self._ingesters:
            self._ingesters[owner] = Ingester(self._services.ingest, Principal(owner))
        return self._ingesters[owner]

    async def run(self, job: Job, progress: Progress) -> JobResult:
        """One job, of either kind."""
        if job.kind == "sync":
            return await self._sync(job, progress)
        ingester = self._ingester(job.owner)
        await ingester.open(job.collection)
        if job.blob_key:
            outcome = await ingest_upload(ingester, job.collection, job.uri, job.name, job.blob_key, progress)
            await self._delete_if_deleted(job, outcome)
        else:
            outcome = await self._fetched(ingester, job, progress)
        return JobResult(outcome.document_id, outcome.error)

    async def _delete_if_deleted(self, job: Job, outcome: Outcome) -> None:
        """Somebody deleted the document while we worked: they do not want this one either."""
        owner = Principal(job.owner)
        now = await self._services.queue.job(owner, job.id) if outcome.document_id else None
        if now and now.error and now.error.code == DELETED:
            await delete_documents(self._services.ingest, owner, [outcome.document_id or ""])

    async def _registered(self, job: Job) -> RegisteredSource:
        assert job.source_id
        return await self._records.now(Principal(job.owner), job.source_id)

    async def _sync(self, job: Job, progress: Progress) -> JobResult:
        services, registered = self._services, await self._registered(job)
        try:
            source = await self._sources.get(registered, anew=True)
        except AnchorageError as error:
            await services.registry.note(registered.id, "failed", failure_of(error))
            raise
        try:
            return await sync_source(
                self._ingester(job.owner), services.queue, services.registry, registered, source, services.sync_limits,
                progress, confirmed=job.confirmed,
            )  # fmt: skip
        except BaseException:  # cancelled, out of time, or broken in a way that nobody thought of
            reason = (
                f"The sync of {registered.location} was stopped before its end, and deleted nothing. Sync it again."
            )
            await asyncio.shield(services.registry.note(registered.id, "failed", Failure("stopped", reason)))
            raise

    async def _fetched(self, ingester: Ingester, job: Job, progress: Progress) -> Outcome:
        """One document of a registered source."""
        assert job.source_id
        owner, known = Principal(job.owner), await ingester.known(job.collection, job.uri)
        registered = await self._records.recent(owner, job.source_id)
        source = await self._sources.get(registered)
        if known and known.source_id not in (
            None,
            registered.id,
        ):  # another source was faster: it stays when that one loses it
            await self._services.ingest.store.claim(owner, job.collection, [job.uri], registered.id)
        outcome = await ingester.document(
            job.collection, source, SourceEntry(job.uri, job.tag), known, source_id=registered.id,
            password=registered.options.get(PASSWORD), progress=progress,
        )  # fmt: skip
        try:
            await self._records.now(owner, job.source_id)
        except NotFound:  # removed while we worked: nobody would ever delete the document again
            if outcome.document_id:
                store, ids = self._services.ingest.store, [outcome.document_id]
                alone = await store.release(ingester.principal, job.collection, ids, registered.id)
                await delete_documents(self._services.ingest, ingester.principal, alone)
        return outcome


async def run_worker(services: WorkerServices, concurrency: int) -> None:
    """Work until cancelled."""
    worker = Worker(services)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(services.queue.work(worker.run, concurrency=concurrency))
            group.create_task(_schedule_forever(services))
            group.create_task(_sweep_forever(services))
            group.create_task(maintain_forever(services.ingest.store))
    finally:
        await worker.close()


async def _schedule_forever(services: WorkerServices) -> None:
    """Queue the syncs that are due; trouble is logged and tried again."""
    while True:
        try:
            due = await services.registry.due()
        except AnchorageError as error:
            _log.warning("scheduling_failed", reason=error.message)
            due = []
        for source in due:
            try:
                await services.queue.add(Principal(source.owner), [sync_job(source)])
            except AnchorageError as error:  # removed in this moment, or Postgres is away: its next turn comes
                _log.warning("scheduling_failed", source=source.location, reason=error.message)
        raise_if_cancelled()
        await asyncio.sleep(_SCHEDULE_PAUSE)


async def _sweep_forever(services: WorkerServices) -> None:
    """Forget old jobs, the bytes of uploads that came to nothing, and leftovers; trouble is logged and tried again."""
    while True:
        try:
            await services.tidy()
            await sweep_blobs(services.ingest, _GRACE)
        except AnchorageError as error:
            _log.warning("sweeping_failed", reason=error.message)
        raise_if_cancelled()
        await asyncio.sleep(_SWEEP_PAUSE)


async def maintain_forever(store: Store) -> None:
    """Merge index segments in the background, piece by piece; trouble is logged and tried again."""
    while True:
        done = await maintain_once(store)
        raise_if_cancelled()
        if not done:
            await asyncio.sleep(_MAINTENANCE_PAUSE)


async def maintain_once(store: Store, *, settled: bool = False) -> int:
    """One piece of it; 0 when nothing is left, or when it went wrong, which is no matter of the documents."""
    try:
        return await store.maintain(settled=settled)
    except AnchorageError as error:
        raise_if_cancelled()  # it may have broken its connection by that
        record_degradation("index_maintenance", error.message)
        return 0
