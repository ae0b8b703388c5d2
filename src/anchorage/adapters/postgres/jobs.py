"""The table of jobs: adding, releasing, starting and ending them. Its rows are what users see and what decides.

A job waits, is released to procrastinate (a few of each lane at a time, so that one source cannot starve the others), runs,
and is done, failed, cancelled, or waits again. `run` counts the deliveries, so that the end of one that was given up says
nothing about the next.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor, errors

from anchorage.model import Failure, Job, Principal
from anchorage.ports.queue import DELETED, JobResult, NewJob

QUEUE_PATH = "SET LOCAL search_path TO procrastinate, public"  # its triggers name their tables bare
TASK = "anchorage.run_job"
QUEUE = "ingest"
MIN_SHARE = 4  # jobs of a lane, waiting for a worker or running, where there are few slots
_SHARE_BESIDE_UPLOADS = 2  # jobs of a source that may be on their way while somebody waits for an upload
_SILENT_UPLOAD = 60.0  # seconds without a report after which a running upload no longer holds sources back
_SHARE_OF_SLOTS = 0.75  # of all workers, that one lane may fill
_LANE_SHARES = {"sync": 2, "suspect": 1}  # lanes of their own kind, and how many jobs of each may be on their way
MAX_ATTEMPTS = 8
MAX_LOSSES = 5  # workers that may die over a job before it is taken for their killer
_BACKOFF = (2.0, 300.0)  # seconds before the second attempt, and at most before any
_STATUS = "CASE WHEN status IN ('waiting', 'released') THEN 'queued' ELSE status END"
_COLUMNS = (
    f"id::text, kind, {_STATUS}, collection, uri, name, owner, blob_key, source_id::text, tag, confirmed, attempts, done, total, "
    "document_id, error_code, error_message, CASE WHEN status = 'waiting' THEN not_before END, created_at, started_at, "
    "finished_at, updated_at"
)
_TOUCH = "updated_at = clock_timestamp()"

_ADD = """
INSERT INTO anchorage.jobs (owner, kind, lane, priority, collection, uri, name, blob_key, source_id, tag, confirmed)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (source_id, kind, md5(uri)) WHERE status = 'waiting' AND source_id IS NOT NULL
DO UPDATE SET tag = excluded.tag, confirmed = anchorage.jobs.confirmed OR excluded.confirmed,
    not_before = CASE WHEN excluded.tag IS DISTINCT FROM anchorage.jobs.tag OR excluded.kind = 'sync' THEN now()
                      ELSE anchorage.jobs.not_before END
RETURNING id
"""
# Rows are claimed with SKIP LOCKED, so any number of workers may release at once; a lane may then exceed its share for a moment.
_RELEASE = """
WITH chosen AS (
    SELECT id FROM anchorage.jobs WHERE lane = %(lane)s AND status = 'waiting' AND not_before <= clock_timestamp()
    ORDER BY priority DESC, id
    LIMIT greatest(0, CASE WHEN %(yields)s AND EXISTS (
        SELECT FROM anchorage.jobs WHERE starts_with(lane, 'upload:') AND (
            status = 'released' OR (status = 'running' AND updated_at > clock_timestamp() - make_interval(secs => %(long)s)))
    ) THEN least(%(share)s, %(least)s) ELSE %(share)s END
      - (SELECT count(*) FROM anchorage.jobs WHERE lane = %(lane)s AND status IN ('released', 'running')))
    FOR UPDATE SKIP LOCKED
), sent AS (
    SELECT id, nextval('procrastinate.procrastinate_jobs_id_seq') AS delivery FROM chosen
), released AS (
    UPDATE anchorage.jobs j SET status = 'released', delivery = s.delivery, updated_at = clock_timestamp()
    FROM sent s WHERE j.id = s.id RETURNING j.id, j.delivery, j.priority, j.collection, j.uri
)
INSERT INTO procrastinate.procrastinate_jobs (id, queue_name, task_name, priority, lock, args)
SELECT delivery, %(queue)s, %(task)s, priority, md5(collection || chr(10) || uri), jsonb_build_object('job', id) FROM released
ORDER BY priority DESC, id
"""
# Another job stands for the same: one of the same item that waits, or a later upload under the same name.
_SUPERSEDED = """EXISTS (
    SELECT FROM anchorage.jobs t WHERE t.id <> j.id AND md5(t.uri) = md5(j.uri) AND t.owner = j.owner AND t.kind = j.kind
    AND t.collection = j.collection AND t.status NOT IN ('cancelled', 'failed') AND (
        (t.status = 'waiting' AND t.source_id = j.source_id) OR (t.id > j.id AND t.blob_key IS NOT NULL AND j.blob_key IS NOT NULL)
    )
)"""
_CONFIRM = """
UPDATE anchorage.jobs t SET confirmed = true FROM anchorage.jobs j
WHERE j.id = ANY(%s) AND j.status IN ('released', 'running') AND j.confirmed AND NOT t.confirmed AND t.id <> j.id
    AND t.status = 'waiting' AND t.source_id = j.source_id AND t.kind = j.kind AND md5(t.uri) = md5(j.uri)
"""
_SUPERSEDE = f"""
UPDATE anchorage.jobs j SET status = 'cancelled', finished_at = now(), {_TOUCH}, error_code = 'superseded',
    error_message = 'A later job for the same document took its place.'
WHERE id = ANY(%s) AND status IN ('released', 'running', 'failed', 'cancelled')
"""
_START = f"""
UPDATE anchorage.jobs SET status = 'running', run = run + 1, attempts = attempts + 1, started_at = now(), done = NULL,
    total = NULL, {_TOUCH}
WHERE id = ANY(%s) AND status = 'released' RETURNING run, lane, {_COLUMNS}
"""
_DONE = f"""
UPDATE anchorage.jobs j SET status = 'done', document_id = n.document_id, error_code = NULL, error_message = NULL, {_TOUCH},
    finished_at = now()
FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS n(id, run, document_id)
WHERE j.id = n.id AND j.run = n.run AND j.status = 'running' RETURNING j.id
"""
_LOST = f"""
UPDATE anchorage.jobs SET losses = losses + %(lost)s, {_TOUCH},
    status = CASE WHEN losses + %(lost)s >= %(most)s THEN 'failed' ELSE 'waiting' END,
    -- The second time one by one, so that those who only were with the killer prove it.
    lane = CASE WHEN losses + %(lost)s >= 2 AND kind = 'ingest' THEN 'suspect:' || owner ELSE lane END,
    attempts = greatest(attempts - %(undone)s * (status = 'running')::int, 0),
    error_code = CASE WHEN losses + %(lost)s >= %(most)s THEN 'worker_lost' ELSE error_code END,
    error_message = CASE WHEN losses + %(lost)s >= %(most)s THEN
        'The worker died ' || %(most)s || ' times over ' || name || ', so it is set aside. Look at it, then retry the job.'
        ELSE error_message END,
    finished_at = CASE WHEN losses + %(lost)s >= %(most)s THEN now() END,
    not_before = now()
WHERE id = %(id)s AND status IN ('released', 'running') AND (%(run)s::int IS NULL OR run = %(run)s) RETURNING id
"""
# Nothing else would record how the sync of its source ended.
_LOST_SYNC = """
UPDATE anchorage.sources s SET status = 'failed', error_code = j.error_code, error_message = j.error_message
FROM anchorage.jobs j WHERE j.id = %s AND j.kind = 'sync' AND j.status = 'failed' AND s.id = j.source_id
"""


@dataclass(frozen=True, slots=True)
class StartedJob:
    """A job that this worker runs."""

    job: Job
    run: int
    lane: str


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A run of a job with its result."""

    started: StartedJob
    result: JobResult


def build_job(row: Sequence[Any]) -> Job:
    error = Failure(row[15], row[16] or "") if row[15] else None
    values: list[Any] = [*row[:15], error, *row[17:]]
    return Job(*values)


async def add_jobs(
    connection: AsyncConnection[Any], principal: Principal, jobs: Sequence[NewJob], slots: int
) -> list[str]:
    """Insert the jobs and release what their lanes may have running, in the caller's transaction."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            _ADD,
            [
                (principal.id, job.kind, job.lane, job.priority, job.collection, job.uri, job.name, job.blob_key,
                 job.source_id, job.tag, job.confirmed)
                for job in jobs
            ],
            returning=True,
        )  # fmt: skip
        ids = []
        while True:
            row = await cursor.fetchone()
            assert row is not None
            ids.append(str(row[0]))
            if not cursor.nextset():
                break
    for lane in sorted({job.lane for job in jobs}):
        await release_jobs(connection, lane, slots)
    return ids


def compute_share(lane: str, slots: int) -> int:
    """How many jobs of a lane may be on their way when all workers together have so many slots."""
    kind = lane.partition(":")[0]
    if kind == "upload":  # somebody waits for it, so it may fill every slot twice
        return 2 * max(MIN_SHARE, slots)
    return _LANE_SHARES.get(kind) or max(MIN_SHARE, int(_SHARE_OF_SLOTS * slots))


async def count_live_workers(connection: AsyncConnection[Any], stale: float) -> int:
    """Count the workers whose heartbeat is recent."""
    cursor = await connection.execute(
        "SELECT count(*) FROM procrastinate.procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)",
        (stale,),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def release_jobs(connection: AsyncConnection[Any], lane: str, slots: int) -> None:
    """Hand the next jobs of a lane to procrastinate, as many as may run at once, in the caller's transaction."""
    await connection.execute(QUEUE_PATH)
    values = {
        "lane": lane, "share": compute_share(lane, slots), "queue": QUEUE, "task": TASK, "yields": lane.startswith("source:"),
        "least": _SHARE_BESIDE_UPLOADS, "long": _SILENT_UPLOAD,
    }  # fmt: skip
    await connection.execute(_RELEASE, values)


async def find_due_lanes(connection: AsyncConnection[Any]) -> list[str]:
    """Find the lanes that have a job that is due."""
    cursor = await connection.execute(
        "SELECT DISTINCT lane FROM anchorage.jobs WHERE status = 'waiting' AND not_before <= clock_timestamp()"
    )
    return [row[0] for row in await cursor.fetchall()]


async def start_jobs(connection: AsyncConnection[Any], ids: Sequence[int]) -> dict[int, StartedJob]:
    """Start released jobs, by id. Those that were cancelled, taken by another worker or superseded meanwhile are missing."""
    ids = sorted(ids)
    await _supersede_jobs(connection, ids, f"AND status = 'released' AND {_SUPERSEDED}")
    cursor = await connection.execute(_START, (ids,))
    return {int(row[2]): StartedJob(build_job(row[2:]), row[0], row[1]) for row in await cursor.fetchall()}


async def record_progress(connection: AsyncConnection[Any], started: StartedJob, done: int, total: int | None) -> None:
    await connection.execute(
        f"UPDATE anchorage.jobs SET done = %s, total = %s, {_TOUCH} WHERE id = %s AND run = %s AND status = 'running'",
        (done, total, int(started.job.id), started.run),
    )


async def finish_jobs(connection: AsyncConnection[Any], ended: Sequence[EndedJob]) -> list[str | None]:
    """Record how these runs ended. Returns the new status of each job; None when the run was given up meanwhile."""
    good = sorted((item for item in ended if not item.result.error), key=lambda item: int(item.started.job.id))
    done: set[int] = set()
    if good:
        columns = zip(*((int(i.started.job.id), i.started.run, i.result.document_id) for i in good), strict=True)
        cursor = await connection.execute(_DONE, [list(column) for column in columns])
        done = {row[0] for row in await cursor.fetchall()}
    return [
        await _fail_job(connection, item.started, error, item.result.document_id)
        if (error := item.result.error)
        else "done"
        if int(item.started.job.id) in done
        else None
        for item in ended
    ]


async def _fail_job(
    connection: AsyncConnection[Any], started: StartedJob, error: Failure, document_id: str | None
) -> str | None:
    if error.temporary and await _end_if_superseded(connection, int(started.job.id), started.run):
        return "cancelled"
    will_retry = error.temporary and started.job.attempts < MAX_ATTEMPTS
    status = "waiting" if will_retry else "failed"
    cursor = await connection.execute(
        f"UPDATE anchorage.jobs SET status = %s, document_id = %s, error_code = %s, error_message = %s, {_TOUCH}, "
        "not_before = now() + make_interval(secs => %s), finished_at = CASE WHEN %s THEN NULL ELSE now() END "
        "WHERE id = %s AND run = %s AND status = 'running' RETURNING status",
        (status, document_id, error.code, error.message,
         compute_backoff(started.job.attempts) if will_retry else 0, will_retry, int(started.job.id), started.run),
    )  # fmt: skip
    row = await cursor.fetchone()
    return str(row[0]) if row else None


def compute_backoff(attempts: int) -> float:
    """Seconds before the next attempt: exponential, with full jitter over its upper half."""
    first, most = _BACKOFF
    return float(min(most, first * 2.0 ** (attempts - 1)) * random.uniform(0.5, 1))


async def requeue_jobs(
    connection: AsyncConnection[Any],
    ids: Sequence[int],
    *,
    lost: bool = False,
    undone: bool = False,
    run: int | None = None,
) -> int:
    """Let jobs wait again whose delivery failed; returns how many.

    `lost` says that their worker died, `undone` that the attempt does not count, since a shutdown ended it; `run`, that only
    this one is meant: another worker may have the job by now.
    """
    count = 0
    for job_id in ids:
        if await _end_if_superseded(connection, job_id, run):
            continue
        values = {"id": job_id, "lost": int(lost), "undone": int(undone), "most": MAX_LOSSES, "run": run}
        try:
            async with connection.transaction():  # a savepoint: one row must not keep the others back
                cursor = await connection.execute(_LOST, values)
                count += cursor.rowcount
                if lost:
                    await connection.execute(_LOST_SYNC, (job_id,))
        except errors.UniqueViolation:  # another job for the same document was queued meanwhile
            await _supersede_jobs(connection, [job_id])
    return count


async def _end_if_superseded(connection: AsyncConnection[Any], job_id: int, run: int | None = None) -> bool:
    """End a job if another job will do the same work; returns whether it did."""
    condition = (
        f"AND status IN ('released', 'running') AND (%s::int IS NULL OR run = %s) AND {_SUPERSEDED} RETURNING id"
    )
    cursor = await _supersede_jobs(connection, [job_id], condition, (run, run))
    return await cursor.fetchone() is not None


async def _supersede_jobs(
    connection: AsyncConnection[Any], ids: Sequence[int], condition: str = "", parameters: Sequence[Any] = ()
) -> AsyncCursor[Any]:
    """End the jobs that meet the condition. A job that takes the place of a confirmed one becomes confirmed."""
    await connection.execute(_CONFIRM, (ids,))
    return await connection.execute(f"{_SUPERSEDE} {condition}", (ids, *parameters))


async def find_undelivered(connection: AsyncConnection[Any]) -> list[int]:
    """Find jobs that count as released or running but that procrastinate no longer knows."""
    cursor = await connection.execute(
        "SELECT j.id FROM anchorage.jobs j WHERE j.status IN ('released', 'running') "
        "AND j.updated_at < clock_timestamp() - interval '10 s' AND NOT EXISTS ("
        "SELECT FROM procrastinate.procrastinate_jobs p WHERE p.id = j.delivery AND p.status IN ('todo', 'doing'))"
    )
    return [row[0] for row in await cursor.fetchall()]


async def drop_finished_deliveries(connection: AsyncConnection[Any]) -> None:
    """Remove deliveries that their worker could not close although their job has ended: they would keep their lock."""
    await connection.execute(
        "DELETE FROM procrastinate.procrastinate_jobs p USING anchorage.jobs j WHERE p.status = 'doing' AND j.delivery = p.id "
        "AND j.status NOT IN ('released', 'running') AND j.updated_at < clock_timestamp() - interval '10 s'"
    )


async def find_jobs(
    connection: AsyncConnection[Any], principal: Principal, *, job_id: int | None = None, status: str | None = None,
    source_id: str | None = None, changed_after: datetime | None = None, limit: int,
) -> list[Job]:  # fmt: skip
    """Find jobs of the principal: the newest first, or by their last change when `changed_after` is given."""
    order = "updated_at, id" if changed_after else "jobs.id DESC"
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM anchorage.jobs WHERE owner = %(owner)s AND (%(id)s::bigint IS NULL OR id = %(id)s) "
        f"AND (%(status)s::text IS NULL OR {_STATUS} = %(status)s) "
        "AND (%(source)s::text IS NULL OR source_id::text = %(source)s) "
        f"AND (%(after)s::timestamptz IS NULL OR updated_at > %(after)s) ORDER BY {order} LIMIT %(limit)s",
        {
            "owner": principal.id,
            "id": job_id,
            "status": status,
            "source": source_id,
            "after": changed_after,
            "limit": limit,
        },
    )
    return [build_job(row) for row in await cursor.fetchall()]


async def retry_job(connection: AsyncConnection[Any], principal: Principal, job_id: int) -> str | None:
    """Let an ended job wait again; returns its lane."""
    cursor = await connection.execute(
        f"UPDATE anchorage.jobs j SET status = 'waiting', attempts = 0, losses = 0, not_before = now(), finished_at = NULL, "
        f"error_code = NULL, error_message = NULL, {_TOUCH} "
        f"WHERE id = %s AND owner = %s AND status IN ('failed', 'cancelled') AND NOT {_SUPERSEDED} RETURNING lane",
        (job_id, principal.id),
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def cancel_job(
    connection: AsyncConnection[Any], principal: Principal, job_id: int
) -> tuple[str, int | None] | None:
    """End a job; returns its lane and its delivery, which may be running."""
    cursor = await connection.execute(
        f"UPDATE anchorage.jobs SET status = 'cancelled', finished_at = now(), {_TOUCH} "
        "WHERE id = %s AND owner = %s AND status IN ('waiting', 'released', 'running') RETURNING lane, delivery",
        (job_id, principal.id),
    )
    row = await cursor.fetchone()
    return (str(row[0]), row[1]) if row else None


async def cancel_uploads(
    connection: AsyncConnection[Any], principal: Principal, documents: Sequence[tuple[str, str]]
) -> list[tuple[str, int | None]]:
    """End the uploads of these (collection, uri); returns the lane and the delivery of each, which may be running."""
    cursor = await connection.execute(
        f"UPDATE anchorage.jobs j SET status = 'cancelled', finished_at = now(), {_TOUCH}, error_code = '{DELETED}', "
        "error_message = 'The document was deleted before this upload of it was read.' "
        "FROM unnest(%s::text[], %s::text[]) AS d(collection, uri) WHERE md5(j.uri) = md5(d.uri) AND j.collection = d.collection "
        "AND j.owner = %s AND j.blob_key IS NOT NULL AND j.status IN ('waiting', 'released', 'running') RETURNING lane, delivery",
        ([collection for collection, _ in documents], [uri for _, uri in documents], principal.id),
    )
    return [(str(row[0]), row[1]) for row in await cursor.fetchall()]


async def cancel_source_jobs(connection: AsyncConnection[Any], source_id: str) -> int:
    """End the jobs of a source that wait; returns how many are running."""
    await connection.execute(
        f"UPDATE anchorage.jobs SET status = 'cancelled', finished_at = now(), {_TOUCH} "
        "WHERE source_id = %s AND status IN ('waiting', 'released')",
        (source_id,),
    )
    cursor = await connection.execute(
        "SELECT count(*) FROM anchorage.jobs WHERE source_id = %s AND status = 'running'", (source_id,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
