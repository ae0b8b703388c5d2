"""The job queue on Postgres, by procrastinate: one job for each document to ingest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
import structlog
from procrastinate import exceptions

from anchorage.adapters.postgres.pool import Pool, translate_errors
from anchorage.errors import AnchorageError, DatabaseUnavailable, NotFound
from anchorage.model import Failure, Job, Principal
from anchorage.ports.queue import Ingest

_log = structlog.get_logger(__name__)
_QUEUE = "ingest"
_TASK = "anchorage.ingest_document"
_ATTEMPTS = 5
_STATUS = {"todo": "queued", "doing": "running", "succeeded": "done", "failed": "failed", "cancelled": "failed",
           "aborting": "running", "aborted": "failed"}  # fmt: skip
_JOBS = """
SELECT j.id, j.status::text, j.args, j.attempts FROM procrastinate.procrastinate_jobs j
WHERE j.task_name = %(task)s AND j.args ->> 'principal' = %(principal)s AND (%(id)s::bigint IS NULL OR j.id = %(id)s)
ORDER BY j.id DESC LIMIT %(limit)s
"""


class _TemporaryFailure(Exception):
    """The document could not be ingested now; procrastinate tries again later."""


class PostgresQueue:
    """Implements the `Queue` port. Build with `open_queue`."""

    def __init__(self, app: procrastinate.App, pool: Pool) -> None:
        self._app, self._pool = app, pool
        self._handle: Ingest | None = None
        retry = procrastinate.RetryStrategy(
            max_attempts=_ATTEMPTS, exponential_wait=4, retry_exceptions={_TemporaryFailure, DatabaseUnavailable}
        )
        self._task = app.task(name=_TASK, queue=_QUEUE, retry=retry)(self._run)

    async def _run(self, *, collection: str, uri: str, name: str, blob_key: str, principal: str) -> str | None:
        assert self._handle is not None
        outcome = await self._handle(collection, uri, name, blob_key)
        if outcome.error and outcome.error.code in ("model_unavailable", "unavailable"):
            raise _TemporaryFailure(outcome.error.message)
        return outcome.document_id

    async def defer(self, collection: str, uri: str, name: str, blob_key: str, principal: Principal) -> str:
        try:
            # One at a time for each document: a second upload of the same name waits for the first.
            job = await self._task.configure(lock=f"{collection}\n{uri}").defer_async(
                collection=collection, uri=uri, name=name, blob_key=blob_key, principal=principal.id
            )
        except exceptions.ProcrastinateException as error:
            raise DatabaseUnavailable(
                f"{name} could not be queued, since the state database does not answer. Try again; `anchorage doctor` tells more."
            ) from error
        return str(job)

    async def jobs(self, principal: Principal, *, limit: int = 100) -> Sequence[Job]:
        return await self._select(principal, None, limit)

    async def job(self, principal: Principal, job_id: str) -> Job:
        found = await self._select(principal, int(job_id), 1) if job_id.isdecimal() and len(job_id) < 19 else []
        if not found:
            raise NotFound(f"No job {job_id[:80]!r} of yours. GET /api/jobs lists them.")
        return found[0]

    async def _select(self, principal: Principal, job_id: int | None, limit: int) -> list[Job]:
        with translate_errors("reading the job queue"):
            async with self._pool.connection() as connection:
                cursor = await connection.execute(
                    _JOBS, {"task": _TASK, "principal": principal.id, "id": job_id, "limit": limit}
                )
                rows = await cursor.fetchall()
        failed = Failure(
            "job_failed", "The document could not be ingested; `anchorage documents list` shows the reason."
        )
        return [
            Job(str(row[0]), _TASK, _STATUS.get(row[1], row[1]), row[2]["uri"], row[2]["collection"], row[3],
                error=failed if _STATUS.get(row[1]) == "failed" else None)
            for row in rows
        ]  # fmt: skip

    async def work(self, handle: Ingest, *, concurrency: int) -> None:
        self._handle = handle
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[_QUEUE],
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=5.0,
                )
                return
            except (exceptions.ProcrastinateException, AnchorageError, OSError) as error:
                _log.warning("worker_restarts", reason=str(error))
                await asyncio.sleep(1)


@asynccontextmanager
async def open_queue(url: str, pool: Pool) -> AsyncIterator[PostgresQueue]:
    """A queue in the migrated state database at `url`; `pool` is another way into the same one, for reading."""
    kwargs: dict[str, Any] = {"options": "-c search_path=procrastinate", "application_name": "anchorage-queue"}
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
        yield PostgresQueue(app, pool)
    finally:
        await app.close_async()
