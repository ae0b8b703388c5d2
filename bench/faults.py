"""Ingestion under faults: python -m bench.faults [--documents 2000] [--workers 3] [--kill-every 5].

Ingests the same folder twice through a registered source: once in peace, once while a worker is killed with SIGKILL every few seconds,
Postgres is killed twice, and the embeddings server answers 429 and 500 and hangs at random. Both indexes must be the same.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from anchorage.adapters.postgres.embedded.cluster import Cluster
from anchorage.adapters.postgres.embedded.supervisor import find_server_pid
from anchorage.errors import AnchorageError
from anchorage.faces.sources import register_source
from anchorage.settings import Settings, load_settings
from anchorage.testing.model_server import Behaviour, ModelServer, model_server
from anchorage.wiring.databases import open_databases
from anchorage.wiring.services import Services, open_services
from bench.support import ANCHORAGE, made_up_text, report

_DIMENSION = 384
_FAULTS = (
    (0.03, Behaviour(status=429, retry_after="1")),
    (0.03, Behaviour(status=500)),
    (0.005, Behaviour(fault="hang")),
)
_WAITING = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - greatest(not_before, updated_at))), 0)::float FROM anchorage.jobs
WHERE kind = 'ingest' AND (attempts > 0 OR losses > 0) AND status IN ('waiting', 'released')
"""
_STUCK = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - started_at)), 0)::float FROM anchorage.jobs WHERE status = 'running'
"""


class Workers:
    """Worker processes, one of which dies every few seconds and is started again."""

    def __init__(self, data: Path, env: dict[str, str], count: int) -> None:
        self._data, self._env, self._count = data, env, count
        self._processes: list[asyncio.subprocess.Process] = []
        self.kills = 0

    async def start(self) -> None:
        while len(self._processes) < self._count:
            self._processes.append(
                await asyncio.create_subprocess_exec(
                    ANCHORAGE,
                    "worker",
                    "--data",
                    str(self._data),
                    env={**os.environ, **self._env, "LOG_LEVEL": "ERROR"},
                )
            )

    async def kill_one(self) -> None:
        process = self._processes.pop(random.randrange(len(self._processes)))
        process.kill()
        await process.wait()
        self.kills += 1
        await self.start()

    async def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            await process.wait()


async def rows(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
            async with connection:
                return await (await connection.execute(statement, parameters)).fetchall()
        except psycopg.OperationalError:
            await asyncio.sleep(0.2)


async def index_of(url: str, collection: str) -> list[tuple[Any, ...]]:
    """Every chunk of a collection with what decides it, and its vector's digest."""
    ((index,),) = await rows(
        url, "SELECT v.id FROM anchorage.index_versions v JOIN anchorage.collections c ON c.id = v.collection_id "
        "WHERE c.name = %s AND v.live", collection,
    )  # fmt: skip
    return await rows(
        url, f"SELECT d.uri, k.ordinal, k.span_start, k.span_end, k.header, k.text, md5(k.embedding::text) FROM anchorage.chunks_{index} k "
        "JOIN anchorage.documents d ON d.id = k.document_id ORDER BY d.uri, k.ordinal, k.id",
    )  # fmt: skip


async def until_done(services: Services, url: str) -> tuple[float, float, float]:
    """Wait for all jobs; returns the seconds, and the longest waits seen."""
    started, waited, stuck = time.perf_counter(), 0.0, 0.0
    while True:
        waited = max(waited, (await rows(url, _WAITING))[0][0])
        stuck = max(stuck, (await rows(url, _STUCK))[0][0])
        try:
            counts = await services.storage.queue.counts(services.principal)
        except AnchorageError:
            continue
        if not counts["queued"] and not counts["running"]:
            return time.perf_counter() - started, waited, stuck
        await asyncio.sleep(0.25)


@asynccontextmanager
async def troubles(workers: Workers, cluster: Cluster, every: float, restarts: list[float]) -> AsyncIterator[None]:
    async def kill() -> None:
        while True:
            await asyncio.sleep(every)
            await workers.kill_one()

    async def restart() -> None:
        for pause in (12.0, 25.0):
            await asyncio.sleep(pause)
            if pid := find_server_pid(cluster):
                os.kill(pid, signal.SIGKILL)
                restarts.append(time.time())

    tasks = [asyncio.create_task(kill()), asyncio.create_task(restart())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure(
    folder: Path, settings: Settings, env: dict[str, str], server: ModelServer, count: int, every: float
) -> None:
    calm = server.next_behaviour

    def faulty(request: Any) -> Behaviour:
        dice = random.random()
        for share, behaviour in _FAULTS:
            if dice < share:
                return behaviour
            dice -= share
        return calm(request)

    restarts: list[float] = []
    cluster = Cluster(settings.data.dir / "postgres")
    async with open_databases(settings) as urls, open_services(settings) as services:
        workers = Workers(settings.data.dir, env, count)
        await workers.start()
        await register_source(services, services.principal, str(folder), "calm", {}, None, local=True)
        calm_seconds, _, _ = await until_done(services, urls.state)
        server.next_behaviour = faulty  # type: ignore[method-assign]
        await register_source(services, services.principal, str(folder), "faults", {}, None, local=True)
        async with troubles(workers, cluster, every, restarts):
            seconds, waited, stuck = await until_done(services, urls.state)
        await workers.stop()
        first, second = await index_of(urls.vector, "calm"), await index_of(urls.vector, "faults")
        jobs = await rows(
            urls.state, "SELECT count(*), count(*) FILTER (WHERE status = 'done'), sum(losses)::int, max(losses), max(attempts) "
            "FROM anchorage.jobs WHERE collection = 'faults' AND kind = 'ingest'",
        )  # fmt: skip
        documents = await rows(
            urls.vector, "SELECT d.status, count(*) FROM anchorage.documents d JOIN anchorage.collections c ON c.id = d.collection_id "
            "WHERE c.name = 'faults' GROUP BY 1",
        )  # fmt: skip
    report(
        documents=dict(documents), chunks=len(second), equal_to_fault_free=first == second,
        calm_seconds=round(calm_seconds, 1), seconds=round(seconds, 1), kills=workers.kills, postgres_kills=len(restarts),
        jobs=jobs[0][0], jobs_done=jobs[0][1], jobs_lost_with_their_worker=jobs[0][2], most_losses_of_one=jobs[0][3],
        most_attempts=jobs[0][4], longest_wait_beyond_backoff=round(waited, 1), longest_running=round(stuck, 1),
    )  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kill-every", type=float, default=5.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "texts"
        folder.mkdir()
        for number in range(given.documents):
            (folder / f"{number}.txt").write_text(made_up_text(number, 10 + number % 60))
        async with model_server(dimension=_DIMENSION) as server:
            env = {
                "OPENAI_BASE_URL": server.url, "EMBEDDING_MODEL": "hashed", "ANCHORAGE_EMBEDDING__DIMENSION": str(_DIMENSION),
                "ANCHORAGE_LLM__PROVIDER": "none", "ANCHORAGE_EMBEDDING__TIMEOUT": "10", "ANCHORAGE_EMBEDDING__PROVIDER": "openai",
            }  # fmt: skip
            os.environ.update(env)
            settings = load_settings(data={"dir": Path(scratch) / "data"}, log={"level": "ERROR"})
            await measure(folder, settings, env, server, given.workers, given.kill_every)


if __name__ == "__main__":
    asyncio.run(main())
