"""The job queue: what runs, what waits, what is tried again, what is taken over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace

import psycopg
import pytest

from anchorage.adapters.postgres import jobs as table
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.queue import PostgresQueue, QueueLimits, open_queue
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.errors import Conflict, DocumentRefused, ModelUnavailable, NotFound
from anchorage.ingest.sync import sync_job
from anchorage.model import Job, Principal
from anchorage.ports.queue import JobResult, NewJob, Progress, Run

ANNA, BERT = Principal("anna"), Principal("bert")
LIMITS = QueueLimits(job_timeout=30, shutdown_timeout=5, retention_days=7)


@pytest.fixture
async def queue(database: str, pool: Pool) -> AsyncIterator[PostgresQueue]:
    async with open_queue(database, pool, LIMITS) as opened:
        yield opened


def new(name: str, *, lane: str = "upload:anna", priority: int = 0) -> NewJob:
    return NewJob("ingest", "c", f"upload://c/{name}", name, lane, priority, blob_key="0" * 64)


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(queue: PostgresQueue, run: Run, concurrency: int = 4) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(queue.work(run, concurrency=concurrency))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ended(queue: PostgresQueue, count: int = 1, status: str = "done") -> None:
    async def reached() -> bool:
        return (await queue.counts(ANNA))[status] >= count

    await until(reached, f"{count} {status}")


async def test_jobs_run_once_and_tell_what_came_of_them(queue: PostgresQueue) -> None:
    ran: list[str] = []

    async def run(job: Job, progress: Progress) -> JobResult:
        ran.append(job.name)
        await progress(1, 2)
        return JobResult("document-of-" + job.name)

    ids = await queue.add(ANNA, [new(f"n{number}") for number in range(100)])
    assert len(set(ids)) == 100
    async with working(queue, run):
        await ended(queue, 100)
    assert sorted(ran) == sorted(f"n{number}" for number in range(100))
    job = await queue.job(ANNA, ids[7])
    assert (job.status, job.document_id, job.attempts, job.error, job.done) == ("done", "document-of-n7", 1, None, 1)
    assert job.finished_at and job.started_at and job.created_at
    with pytest.raises(NotFound):
        await queue.job(BERT, ids[7])
    assert not await queue.jobs(BERT)


async def test_what_is_temporary_is_tried_again_and_what_is_not_is_set_aside(
    queue: PostgresQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_BACKOFF", (0.05, 0.1))
    tries: list[str] = []

    async def run(job: Job, progress: Progress) -> JobResult:
        tries.append(job.name)
        if job.name == "flaky" and job.attempts < 3:
            raise ModelUnavailable("The model server is away.")
        if job.name == "never":
            raise ModelUnavailable("The model server is away.")
        if job.name == "bad":
            raise DocumentRefused("corrupt", "bad is damaged.")
        if job.name == "bug":
            raise ValueError("secret")
        return JobResult()

    flaky, never, bad, bug = await queue.add(ANNA, [new(name) for name in ("flaky", "never", "bad", "bug")])
    async with working(queue, run):
        await ended(queue, 3, "failed")
        await ended(queue, 1)
        assert (await queue.job(ANNA, flaky)).attempts == 3
        assert tries.count("never") == tries.count("bug") == table.MAX_ATTEMPTS and tries.count("bad") == 1
        assert (await queue.job(ANNA, bad)).error.code == "corrupt"  # type: ignore[union-attr]
        broke = (await queue.job(ANNA, bug)).error
        assert broke and broke.code == "internal" and "secret" not in broke.message
        assert (await queue.retry(ANNA, bad)).status in ("queued", "running")
        await until(lambda: _tried(tries, "bad", 2), "the retry")
        with pytest.raises(Conflict, match="done"):
            await queue.retry(ANNA, flaky)
        with pytest.raises(NotFound):
            await queue.retry(BERT, never)


async def _tried(tries: list[str], name: str, count: int) -> bool:
    return tries.count(name) >= count


async def test_what_moves_or_waits_for_others_is_not_stuck(
    database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_BACKOFF", (60.0, 60.0))

    async def run(job: Job, progress: Progress) -> JobResult:
        for step in range(4):
            if job.name == "moves":
                await progress(step, 4)
            with progress.waiting() if job.name == "waits" else nullcontext():
                await asyncio.sleep(0.2)
        return JobResult()

    async with open_queue(database, pool, QueueLimits(job_timeout=0.5, shutdown_timeout=5, retention_days=7)) as queue:
        moves, waits, stuck = await queue.add(ANNA, [new(name) for name in ("moves", "waits", "stuck")])
        async with working(queue, run):
            await ended(queue, 2)
            await until(lambda: _attempted(queue, stuck), "the end of its time")
        assert {(await queue.job(ANNA, item)).status for item in (moves, waits)} == {"done"}
        reason = (await queue.job(ANNA, stuck)).error
        assert reason and reason.code == "timeout" and "JOB_TIMEOUT" in reason.message


async def _attempted(queue: PostgresQueue, job: str) -> bool:
    found = await queue.job(ANNA, job)
    return found.status == "queued" and found.attempts == 1 and found.error is not None


async def test_a_worker_whose_cancellation_gets_lost_ends(
    queue: PostgresQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = asyncio.Event()

    async def run(job: Job, progress: Progress) -> JobResult:
        return JobResult()

    async def deaf() -> None:  # as `asyncio.wait_for` of Python 3.11 can be
        entered.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    monkeypatch.setattr(queue, "_release_due", deaf)
    async with asyncio.timeout(30), working(queue, run):
        await entered.wait()


async def test_an_upload_goes_before_what_waits_and_lanes_take_turns(queue: PostgresQueue) -> None:
    order: list[str] = []

    async def run(job: Job, progress: Progress) -> JobResult:
        order.append(job.name)
        return JobResult()

    await queue.add(ANNA, [new(f"big{number}", lane="source:big") for number in range(200)])
    await queue.add(ANNA, [new(f"small{number}", lane="source:small") for number in range(5)])
    await queue.add(ANNA, [new("upload", priority=10)])
    async with working(queue, run, 1):
        await ended(queue, 206)
    assert order[0] == "upload"
    assert max(order.index(f"small{number}") for number in range(5)) <= table.compute_share("source:big", 16) + 6


async def test_a_source_yields_while_somebody_waits_for_an_upload(queue: PostgresQueue) -> None:
    together: list[int] = []
    running: Counter[str] = Counter()

    async def run(job: Job, progress: Progress) -> JobResult:
        kind = job.name.rstrip("0123456789")
        running[kind] += 1
        if kind == "upload":
            together.append(running["bulk"])
        await asyncio.sleep(0.01)
        running[kind] -= 1
        return JobResult()

    await queue.add(ANNA, [new(f"upload{number}", priority=10) for number in range(40)])
    await queue.add(ANNA, [new(f"bulk{number}", lane="source:bulk") for number in range(60)])
    async with working(queue, run, 16):
        await ended(queue, 100)
    assert max(together) <= 2 and (await queue.counts(ANNA))["done"] == 100


async def test_jobs_of_one_document_run_one_after_the_other(queue: PostgresQueue) -> None:
    running, most, order = 0, 0, []

    async def run(job: Job, progress: Progress) -> JobResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        order.append(job.id)
        running -= 1
        return JobResult()

    same = replace(new("same"), blob_key=None)
    ids = [(await queue.add(ANNA, [same]))[0] for _ in range(4)]
    async with working(queue, run):
        await ended(queue, 4)
    assert (most, order) == (1, ids)


async def test_cancelling_ends_what_waits_and_what_runs(queue: PostgresQueue) -> None:
    stopped = asyncio.Event()
    started = asyncio.Event()

    async def run(job: Job, progress: Progress) -> JobResult:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return JobResult()

    running, waiting = await queue.add(ANNA, [new("a"), new("b")])
    async with working(queue, run, 1):
        await started.wait()
        assert (await queue.cancel(ANNA, waiting)).status == "cancelled"
        assert (await queue.cancel(ANNA, running)).status == "cancelled"
        async with asyncio.timeout(20):
            await stopped.wait()
        with pytest.raises(Conflict):
            await queue.cancel(ANNA, running)
    assert await queue.counts(ANNA) == {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 2}


async def test_a_shutdown_gives_running_jobs_back(queue: PostgresQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_limits", QueueLimits(30, 0.1, 7))
    started = asyncio.Event()

    async def forever(job: Job, progress: Progress) -> JobResult:
        started.set()
        await asyncio.sleep(60)
        return JobResult()

    async def quick(job: Job, progress: Progress) -> JobResult:
        return JobResult()

    (job,) = await queue.add(ANNA, [new("a")])
    async with working(queue, forever):
        await started.wait()
    assert (await queue.job(ANNA, job)).status == "queued"
    async with working(queue, quick):
        await ended(queue)
    assert (await queue.job(ANNA, job)).attempts == 1


async def test_a_dead_workers_job_is_taken_over_and_its_late_end_says_nothing(
    queue: PostgresQueue, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's heart stops, as that of a killed or frozen process does; another one does the job."""
    monkeypatch.setattr("anchorage.adapters.postgres.queue._STALE", 1.0)
    monkeypatch.setattr("anchorage.adapters.postgres.queue._REAP", 0.2)
    taken, thaw = asyncio.Event(), asyncio.Event()

    async def frozen(job: Job, progress: Progress) -> JobResult:
        taken.set()
        await thaw.wait()
        return JobResult("from the frozen one")

    async def healthy(job: Job, progress: Progress) -> JobResult:
        return JobResult("from the healthy one")

    (job,) = await queue.add(ANNA, [new("a")])
    async with working(queue, frozen):
        await taken.wait()
        connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
        async with connection:
            stop = "UPDATE procrastinate.procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
            await connection.execute(stop)
            queue._handle = healthy
            await ended(queue)
        thaw.set()
    found = await queue.job(ANNA, job)
    assert (found.status, found.document_id) == ("done", "from the healthy one")


async def test_a_job_that_kills_its_workers_is_set_aside(queue: PostgresQueue, pool: Pool) -> None:
    (job,) = await queue.add(ANNA, [new("poison")])
    for number in range(table.MAX_LOSSES):
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("UPDATE anchorage.jobs SET status = 'released' WHERE id = %s", (int(job),))
            assert await table.start_jobs(connection, [int(job)])
            assert await table.requeue_jobs(connection, [int(job)], lost=True) == 1
        expected = "failed" if number == table.MAX_LOSSES - 1 else "queued"
        found = await queue.job(ANNA, job)
        assert found.status == expected
    assert found.error and found.error.code == "worker_lost" and "poison" in found.error.message


async def test_a_sync_that_kills_its_workers_says_so_of_its_source(queue: PostgresQueue, pool: Pool) -> None:
    registry = PostgresRegistry(pool)
    source = await registry.add(ANNA, "c", "/docs", {}, None)
    (job,) = await queue.add(ANNA, [sync_job(source)])
    await registry.note(source.id, "syncing")
    for number in range(table.MAX_LOSSES):
        assert (await registry.source(ANNA, source.id)).status == "syncing", number
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("UPDATE anchorage.jobs SET status = 'running' WHERE id = %s", (int(job),))
            await table.requeue_jobs(connection, [int(job)], lost=True)
    found = await registry.source(ANNA, source.id)
    assert found.status == "failed" and found.error and found.error.code == "worker_lost"


async def test_a_delivery_that_is_lost_is_made_again(queue: PostgresQueue, pool: Pool) -> None:
    async def run(job: Job, progress: Progress) -> JobResult:
        return JobResult()

    (job,) = await queue.add(ANNA, [new("a")])
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(table.QUEUE_PATH)
        await connection.execute("DELETE FROM procrastinate.procrastinate_jobs")
        await connection.execute("UPDATE anchorage.jobs SET updated_at = now() - interval '1 minute'")
    async with working(queue, run):
        await ended(queue)
    assert (await queue.job(ANNA, job)).status == "done"


async def test_adding_is_all_or_nothing(queue: PostgresQueue) -> None:
    with pytest.raises(Exception, match="database cannot take"):
        await queue.add(ANNA, [new("good"), new("nul\0")])
    assert not await queue.jobs(ANNA)
    assert list(await queue.add(ANNA, [])) == []


async def test_a_later_upload_stands_for_the_earlier_ones(queue: PostgresQueue) -> None:
    ran: list[str] = []

    async def run(job: Job, progress: Progress) -> JobResult:
        ran.append(job.id)
        return JobResult()

    (first,) = await queue.add(ANNA, [replace(new("same"), blob_key="1" * 64)])
    (second,) = await queue.add(ANNA, [replace(new("same"), blob_key="2" * 64)])
    async with working(queue, run):
        await ended(queue)
        await ended(queue, 1, "cancelled")
    superseded = await queue.job(ANNA, first)
    assert ran == [second] and superseded.error and superseded.error.code == "superseded"
    with pytest.raises(Conflict, match="later job"):
        await queue.retry(ANNA, first)


async def test_a_job_that_must_wait_again_gives_way_to_its_twin(queue: PostgresQueue, pool: Pool) -> None:
    """A sync queues a document anew while an attempt at it is under way, and the attempt comes to nothing."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO anchorage.sources (owner, collection, location) VALUES ('anna', 'c', 'x') RETURNING id::text"
        )
        row = await cursor.fetchone()
    assert row
    item = replace(new("doc", lane="source:x"), blob_key=None, source_id=row[0])
    running = asyncio.Event()
    go_on = asyncio.Event()

    async def run(job: Job, progress: Progress) -> JobResult:
        if job.id == first:
            running.set()
            await go_on.wait()
            raise ModelUnavailable("The model server is away.")
        return JobResult()

    (first,) = await queue.add(ANNA, [item])
    async with working(queue, run):
        await running.wait()
        (second,) = await queue.add(ANNA, [replace(item, tag="newer")])
        async with pool.connection() as connection:  # it is not on its way yet
            await connection.execute(
                "UPDATE anchorage.jobs SET status = 'waiting', not_before = now() + interval '1 s' WHERE id = %s",
                (int(second),),
            )
        go_on.set()
        await ended(queue)
    assert (await queue.job(ANNA, first)).status == "cancelled" and (await queue.job(ANNA, second)).status == "done"


@pytest.mark.parametrize("running", [False, True])
async def test_what_was_confirmed_stays_so_in_the_job_that_takes_its_place(
    queue: PostgresQueue, pool: Pool, *, running: bool
) -> None:
    registry = PostgresRegistry(pool)
    source = await registry.add(ANNA, "c", "/docs", {}, None)
    (confirmed,) = await queue.add(ANNA, [sync_job(source, confirmed=True)])
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("UPDATE anchorage.jobs SET status = 'released' WHERE id = %s", (int(confirmed),))
        if running:
            assert await table.start_jobs(connection, [int(confirmed)])
    (later,) = await queue.add(ANNA, [sync_job(source)])
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("UPDATE anchorage.jobs SET status = 'waiting' WHERE id = %s", (int(later),))
        if running:
            assert not await table.requeue_jobs(connection, [int(confirmed)], lost=True)
        else:
            assert not await table.start_jobs(connection, [int(confirmed)])
    assert (await queue.job(ANNA, confirmed)).status == "cancelled" and (await queue.job(ANNA, later)).confirmed


async def test_the_bytes_that_a_job_needs_stay(queue: PostgresQueue) -> None:
    await queue.add(ANNA, [new("a")])
    assert await queue.blobs_in_use(["0" * 64, "1" * 64]) == {"0" * 64}
    assert await queue.sweep(0) == []
    await queue.forget_blobs(["2" * 64])
    assert await queue.sweep(3600) == []
    assert await queue.sweep(0) == await queue.sweep(0) == ["2" * 64]  # until it is dealt with
    await queue.swept(["2" * 64], 3600)
    assert await queue.sweep(0) == ["2" * 64]  # it was let go of again
    await queue.swept(["2" * 64], 0)
    assert await queue.sweep(0) == []


async def test_those_who_were_with_a_killer_go_one_by_one_the_second_time(queue: PostgresQueue, pool: Pool) -> None:
    ids = [int(job) for job in await queue.add(ANNA, [new(f"n{number}") for number in range(8)])]
    for turn in range(2):
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("UPDATE anchorage.jobs SET status = 'released'")
            assert await table.requeue_jobs(connection, ids, lost=True) == 8
            cursor = await connection.execute("SELECT DISTINCT lane FROM anchorage.jobs")
            lanes = [row[0] for row in await cursor.fetchall()]
            assert lanes == (["suspect:anna"] if turn else ["upload:anna"])
            for lane in lanes:
                await table.release_jobs(connection, lane, 16)
            cursor = await connection.execute("SELECT count(*) FROM anchorage.jobs WHERE status = 'released'")
            assert await cursor.fetchone() == ((1,) if turn else (8,))


async def test_a_delivery_that_could_not_be_closed_lets_go_of_its_document(queue: PostgresQueue, pool: Pool) -> None:
    async def run(job: Job, progress: Progress) -> JobResult:
        return JobResult()

    await queue.add(ANNA, [replace(new("a"), blob_key=None)])
    async with pool.connection() as connection:
        await connection.execute(
            "WITH w AS (INSERT INTO procrastinate.procrastinate_workers DEFAULT VALUES RETURNING id) "
            "UPDATE procrastinate.procrastinate_jobs SET worker_id = (SELECT id FROM w)"
        )
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(table.QUEUE_PATH)
        await connection.execute("UPDATE procrastinate.procrastinate_jobs SET status = 'doing'")
        await connection.execute("UPDATE anchorage.jobs SET status = 'done', updated_at = now() - interval '1 minute'")
    await queue.add(ANNA, [replace(new("a"), blob_key=None)])
    async with working(queue, run):
        await ended(queue, 2)


async def test_an_upload_that_takes_long_holds_no_source_back(queue: PostgresQueue, pool: Pool) -> None:
    (upload,) = await queue.add(ANNA, [new("book")])
    async with pool.connection() as connection:
        for since, released in (("1 s", 2), ("5 min", table.compute_share("source:bulk", 16))):
            await connection.execute(
                "UPDATE anchorage.jobs SET status = 'running', updated_at = now() - %s::interval WHERE id = %s",
                (since, upload),
            )
            await queue.add(ANNA, [new(f"bulk{since}{number}", lane="source:bulk") for number in range(30)])
            cursor = await connection.execute(
                "SELECT count(*)::int FROM anchorage.jobs WHERE lane = 'source:bulk' AND status = 'released'"
            )
            assert await cursor.fetchone() == (released,)


async def test_a_worker_that_slept_gives_back_no_job_of_another(queue: PostgresQueue, pool: Pool) -> None:
    """It was given up while it slept, another worker has the job, and now it is stopped."""
    (job_id,) = await queue.add(ANNA, [new("a")])
    running, sleeper = asyncio.Event(), asyncio.Event()

    async def run(job: Job, progress: Progress) -> JobResult:
        running.set()
        await sleeper.wait()
        return JobResult()

    async with working(queue, run) as slept:
        await running.wait()
        async with pool.connection() as connection:
            await connection.execute("UPDATE anchorage.jobs SET run = run + 1")  # as the other one's start does
        slept.cancel()
        with suppress(asyncio.CancelledError):
            await slept
        assert (await queue.job(ANNA, job_id)).status == "running"


async def test_the_wait_of_the_oldest_job_is_known(queue: PostgresQueue, pool: Pool) -> None:
    assert await queue.oldest() == 0
    first, second, later = await queue.add(ANNA, [new(name) for name in ("first", "second", "later")])
    async with pool.connection() as connection:
        due = "UPDATE anchorage.jobs SET not_before = now() - make_interval(secs => %s), status = %s WHERE id = %s"
        await connection.execute(due, (900, "running", first))
        await connection.execute(due, (600, "waiting", second))
        await connection.execute(due, (-60, "waiting", later))
    assert 600 <= await queue.oldest() < 900
