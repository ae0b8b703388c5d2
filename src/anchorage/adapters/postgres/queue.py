"""The job queue on Postgres. Our table says what is to be done and how it ended; procrastinate delivers it to workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import procrastinate
import structlog
from procrastinate import exceptions
from psycopg import AsyncConnection

from anchorage.adapters.postgres import jobs as table
from anchorage.adapters.postgres import originals
from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.batching import Batcher
from anchorage.cancellation import raise_if_cancelled
from anchorage.errors import AnchorageError, BadRequest, Conflict, Contended, DatabaseUnavailable, NotFound
from anchorage.model import Failure, Job, Principal
from anchorage.ports.queue import JobResult, NewJob, Run
from anchorage.telemetry import JOBS, JOBS_TAKEN_OVER

_log = structlog.get_logger(__name__)
_HEARTBEAT, _STALE, _REAP, _RELEASE = 3.0, 12.0, 5.0, 1.0  # seconds
_REAPER_LOCK = 20763
_FINISH_RETRIES = (0.2, 0.5, 1, 2, 4, 8, 8)
_STATUSES = ("queued", "running", "done", "failed", "cancelled")
_DRAIN = (
    8.0  # seconds for running jobs at shutdown: heartbeats stop with the worker, and others would take its jobs over
)
_AT_ONCE, _PAUSE = 64, 0.03  # jobs that begin or end together, and seconds between two such groups
_SLOTS = 16  # the assumed number of slots, in a process that only adds jobs


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Seconds that a job may take and that running jobs get at shutdown, and days that ended ones are kept."""

    job_timeout: float
    shutdown_timeout: float
    retention_days: float


class PostgresQueue:
    """Implements the `Queue` port. Build with `open_queue`."""

    def __init__(self, app: procrastinate.App, pool: Pool, limits: QueueLimits) -> None:
        self._app, self._pool, self._limits = app, pool, limits
        self._handle: Run | None = None
        self._concurrency = self._slots = _SLOTS
        # Jobs of one worker that begin or end while it is busy with others do so in one transaction.
        self._start: Batcher[int, table.StartedJob | None] = Batcher(
            self._start_batch, limit=_AT_ONCE, weight=_weigh_as_one, pause=_PAUSE
        )
        self._end: Batcher[table.EndedJob, str | None] = Batcher(
            self._end_batch, limit=_AT_ONCE, weight=_weigh_as_one, pause=_PAUSE
        )
        self._task = app.task(name=table.TASK, queue=table.QUEUE)(self._run_delivery)

    @asynccontextmanager
    async def _open_transaction(
        self, what: str, *, durable: bool = True, pipelined: bool = False
    ) -> AsyncIterator[AsyncConnection[Any]]:
        """Open a transaction. One that is not `durable` may be lost in a crash of Postgres; the job then runs again.

        A `pipelined` one waits for results only where they are read.
        """
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(connection_for(self._pool, what))
            if pipelined:
                await stack.enter_async_context(connection.pipeline())
            await stack.enter_async_context(connection.transaction())
            if not durable:
                await connection.execute("SET LOCAL synchronous_commit TO off")
            yield connection

    async def add(self, principal: Principal, jobs: Sequence[NewJob]) -> Sequence[str]:
        if not jobs:
            return []
        async with self._open_transaction("queueing jobs") as connection:
            return await table.add_jobs(connection, principal, jobs, self._slots)

    async def jobs(
        self, principal: Principal, *, status: str | None = None, source_id: str | None = None,
        changed_after: datetime | None = None, limit: int = 100,
    ) -> Sequence[Job]:  # fmt: skip
        if status is not None and status not in _STATUSES:
            raise BadRequest(f"{status[:40]!r} is no status of a job. Take one of {', '.join(_STATUSES)}.")
        async with self._open_transaction("reading the jobs") as connection:
            return await table.find_jobs(
                connection, principal, status=status, source_id=source_id, changed_after=changed_after, limit=limit
            )

    async def job(self, principal: Principal, job_id: str) -> Job:
        async with self._open_transaction("reading a job") as connection:
            found = await table.find_jobs(connection, principal, job_id=_parse_job_id(job_id), limit=1)
        if not found:
            raise _make_not_found(job_id)
        return found[0]

    async def counts(self, principal: Principal) -> Mapping[str, int]:
        async with self._open_transaction("counting the jobs") as connection:
            cursor = await connection.execute(
                "SELECT CASE WHEN status IN ('waiting', 'released') THEN 'queued' ELSE status END, count(*)::int "
                "FROM anchorage.jobs WHERE owner = %s GROUP BY 1",
                (principal.id,),
            )
            found = dict(await cursor.fetchall())
        return {status: found.get(status, 0) for status in _STATUSES}

    async def oldest(self) -> float:
        async with self._open_transaction("looking for the oldest job") as connection:
            cursor = await connection.execute(
                "SELECT coalesce(extract(epoch FROM now() - min(not_before)), 0)::float8 "
                "FROM anchorage.jobs WHERE status IN ('waiting', 'released') AND not_before <= now()"
            )
            row = await cursor.fetchone()
        return float(row[0]) if row else 0.0

    async def retry(self, principal: Principal, job_id: str) -> Job:
        found = await self.job(principal, job_id)
        async with self._open_transaction("retrying a job") as connection:
            lane = await table.retry_job(connection, principal, int(found.id))
            if lane is None:
                raise Conflict(
                    f"The job {job_id} is {found.status}, or a later job stands for the same document. Only failed and cancelled "
                    "ones without a successor can be retried."
                )
            await table.release_jobs(connection, lane, self._slots)
        return await self.job(principal, job_id)

    async def cancel(self, principal: Principal, job_id: str) -> Job:
        found = await self.job(principal, job_id)
        async with self._open_transaction("cancelling a job") as connection:
            cancelled = await table.cancel_job(connection, principal, int(found.id))
            if cancelled is None:
                raise Conflict(f"The job {job_id} is {found.status} already, so there is nothing to cancel.")
            lane, delivery = cancelled
            await table.release_jobs(connection, lane, self._slots)
        await self._abort_delivery(delivery)
        return await self.job(principal, job_id)

    async def cancel_uploads(self, principal: Principal, documents: Sequence[tuple[str, str]]) -> None:
        async with self._open_transaction("cancelling uploads") as connection:
            cancelled = await table.cancel_uploads(connection, principal, documents)
            for lane in sorted({lane for lane, _ in cancelled}):
                await table.release_jobs(connection, lane, self._slots)
        for _, delivery in cancelled:
            await self._abort_delivery(delivery)

    async def _abort_delivery(self, delivery: int | None) -> None:
        if delivery is not None:
            with suppress(exceptions.ProcrastinateException):  # the row decides; this only saves work
                await self._app.job_manager.cancel_job_by_id_async(delivery, abort=True, delete_job=True)

    async def blobs_in_use(self, keys: Sequence[str]) -> set[str]:
        async with self._open_transaction("looking up the jobs' files") as connection:
            return await originals.find_blobs_in_use(connection, keys)

    async def forget_blobs(self, keys: Sequence[str]) -> None:
        async with self._open_transaction("letting go of files") as connection:
            await originals.forget_blobs(connection, keys)

    async def sweep(self, grace: float) -> Sequence[str]:
        async with self._open_transaction("forgetting old jobs") as connection:
            ended = await originals.delete_ended_jobs(connection, self._limits.retention_days)
            await originals.forget_blobs(connection, ended)
            return await originals.find_forgotten_blobs(connection, grace)

    async def swept(self, keys: Sequence[str], grace: float) -> None:
        async with self._open_transaction("noting files no more") as connection:
            await originals.clear_forgotten_blobs(connection, keys, grace)

    async def cancel_source(self, source_id: str) -> int:
        async with self._open_transaction("cancelling a source's jobs") as connection:
            return await table.cancel_source_jobs(connection, source_id)

    async def work(self, run: Run, *, concurrency: int) -> None:
        self._handle, self._concurrency = run, concurrency
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tend_queue())
            group.create_task(self._take_jobs(concurrency))

    async def _take_jobs(self, concurrency: int) -> None:
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[table.QUEUE], concurrency=concurrency, install_signal_handlers=False,
                    fetch_job_polling_interval=_RELEASE, abort_job_polling_interval=_HEARTBEAT, delete_jobs="always",
                    update_heartbeat_interval=_HEARTBEAT, stalled_worker_timeout=_STALE,
                    shutdown_graceful_timeout=min(self._limits.shutdown_timeout, _DRAIN),
                )  # fmt: skip
            except (exceptions.ProcrastinateException, AnchorageError, OSError) as error:
                _log.warning("worker_restarts", reason=str(error))
            raise_if_cancelled()
            await asyncio.sleep(1)  # it also ends by an error of a side task, while Postgres is down for a moment

    async def _run_delivery(self, *, job: int) -> None:
        """Run one job, once for each delivery, and record its end."""
        assert self._handle is not None
        finished, started = False, None
        try:
            started = await self._start(job)
            if started is not None:
                await self._record_end(started, await self._run_job(started))
            finished = True
        finally:
            if not finished:  # cancelled by a user, as the row says already, or by a shutdown
                await asyncio.shield(self._requeue(job, started.run if started else None))

    async def _start_batch(self, ids: Sequence[int]) -> Sequence[table.StartedJob | None]:
        async with self._open_transaction("starting jobs", durable=False, pipelined=True) as connection:
            started = await table.start_jobs(connection, ids)
        return [started.get(job_id) for job_id in ids]

    async def _end_batch(self, ended: Sequence[table.EndedJob]) -> Sequence[str | None]:
        async with self._open_transaction("ending jobs", durable=False, pipelined=True) as connection:
            statuses = await table.finish_jobs(connection, ended)
            for lane in sorted({item.started.lane for item in ended}):
                await table.release_jobs(connection, lane, self._slots)
        return statuses

    async def _run_job(self, started: table.StartedJob) -> JobResult:
        assert self._handle is not None

        async def record(done: int, total: int | None) -> None:
            async with self._open_transaction("reporting progress", durable=False) as connection:
                await table.record_progress(connection, started, done, total)

        job, limit = started.job, self._limits.job_timeout
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                return await self._handle(job, _JobProgress(deadline, limit, record))
        except TimeoutError as error:
            if not deadline.expired():
                return _report_crash(job, error)
            reason = f"{job.name} made no progress for {limit:.0f} s (ANCHORAGE_INGEST__JOB_TIMEOUT). It is tried again; or raise the limit."
            return JobResult(error=Failure("timeout", reason, temporary=True))
        except AnchorageError as error:
            return JobResult(error=Failure(error.code, error.message, error.temporary))
        except Exception as error:  # noqa: BLE001  a fault of ours must not stop the worker, nor be hidden
            return _report_crash(job, error)

    async def _record_end(self, started: table.StartedJob, result: JobResult) -> None:
        for delay in (*_FINISH_RETRIES, None):
            try:
                status = await self._end(table.EndedJob(started, result))
            except (DatabaseUnavailable, Contended):  # contended: another job for the same document was queued just now
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                JOBS.labels(started.job.kind, status or "given_up").inc()
                return

    async def _requeue(self, job: int, run: int | None) -> None:
        with suppress(AnchorageError):  # else a reaper does it
            async with self._open_transaction("giving a job back") as connection:
                await table.requeue_jobs(connection, [job], undone=True, run=run)

    async def _tend_queue(self) -> None:
        """Release the jobs that are due and, in one worker at a time, take over the jobs of dead workers."""
        loop = asyncio.get_running_loop()
        reaped = -_REAP
        while True:
            try:
                await self._release_due()
                if loop.time() - reaped >= _REAP:
                    reaped = loop.time()
                    await self._reap_dead_workers()
            except (AnchorageError, exceptions.ProcrastinateException, OSError) as error:
                _log.warning("queue_tending_failed", reason=str(error))
            raise_if_cancelled()
            await asyncio.sleep(_RELEASE)

    async def _release_due(self) -> None:
        async with self._open_transaction("releasing jobs", durable=False) as connection:
            self._slots = self._concurrency * max(1, await table.count_live_workers(connection, _STALE))
            for lane in await table.find_due_lanes(connection):
                await table.release_jobs(connection, lane, self._slots)

    async def _reap_dead_workers(self) -> None:
        stalled = await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALE)
        deliveries = [job.id for job in stalled if job.id is not None]
        async with self._open_transaction("taking over stalled jobs") as connection:
            cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_REAPER_LOCK,))
            row = await cursor.fetchone()
            if not (row and row[0]):
                return
            await connection.execute(table.QUEUE_PATH)
            await table.drop_finished_deliveries(connection)
            # Deleted, since a job that stays `doing` keeps its lock, and the document could never be ingested again.
            cursor = await connection.execute(
                "WITH dead AS (DELETE FROM procrastinate.procrastinate_jobs j WHERE j.id = ANY(%s) AND j.status = 'doing' "
                "AND NOT EXISTS (SELECT FROM procrastinate.procrastinate_workers w WHERE w.id = j.worker_id "
                "AND w.last_heartbeat > now() - make_interval(secs => %s)) RETURNING (j.args ->> 'job')::bigint) SELECT * FROM dead",
                (deliveries, _STALE),
            )
            taken = await table.requeue_jobs(connection, [row[0] for row in await cursor.fetchall()], lost=True)
            orphaned = await table.requeue_jobs(connection, await table.find_undelivered(connection))
        if taken or orphaned:
            JOBS_TAKEN_OVER.inc(taken + orphaned)
            _log.warning("stalled_jobs_taken_over", jobs=taken + orphaned)


class _JobProgress:
    """Implements `Progress` for a job that may run `limit` seconds without a report."""

    def __init__(
        self, deadline: asyncio.Timeout, limit: float, record: Callable[[int, int | None], Awaitable[None]]
    ) -> None:
        self._deadline, self._limit, self._record = deadline, limit, record

    async def __call__(self, done: int, total: int | None) -> None:
        self._restart_deadline()
        await self._record(done, total)

    def _restart_deadline(self) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._limit)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        if not self._deadline.expired():
            self._deadline.reschedule(None)
        try:
            yield
        finally:
            self._restart_deadline()


def _report_crash(job: Job, error: Exception) -> JobResult:
    _log.error("job_broke", job=job.id, uri=job.uri, exc_info=error)
    reason = f"{job.name} met an unexpected error ({type(error).__name__}); the worker's log has the details."
    return JobResult(error=Failure("internal", reason, temporary=True))


def _weigh_as_one(_: object) -> int:
    return 1


def _parse_job_id(job_id: str) -> int:
    if not job_id.isdecimal() or len(job_id) > 18:
        raise _make_not_found(job_id)
    return int(job_id)


def _make_not_found(job_id: str) -> NotFound:
    return NotFound(f"No job {job_id[:80]!r} of yours. `anchorage jobs list` and GET /api/jobs show them.")


@asynccontextmanager
async def open_queue(url: str, pool: Pool, limits: QueueLimits) -> AsyncIterator[PostgresQueue]:
    """Open a queue in the migrated state database at `url`; `pool` connects to the same database, for our own table."""
    # Deliveries need not survive a crash of Postgres: our table does, and what is not delivered is sent again.
    options = "-c search_path=procrastinate -c synchronous_commit=off"
    kwargs: dict[str, Any] = {"options": options, "application_name": "anchorage-queue"}
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, kwargs=kwargs, min_size=1, max_size=4)
    )
    try:
        await app.open_async()
    except (exceptions.ProcrastinateException, OSError) as error:
        raise DatabaseUnavailable(
            "The state database does not answer. Check STATE_DB_URL and that it runs; `anchorage doctor` tells more."
        ) from error
    try:
        yield PostgresQueue(app, pool, limits)
    finally:
        await app.close_async()
