"""An upload while a bulk load waits: python -m bench.fairness [--waiting 20000] [--upload 50]."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from anchorage.ingest.jobs.upload import upload_job
from anchorage.ports.queue import NewJob
from anchorage.settings import load_settings
from anchorage.wiring.services import Services, open_services
from bench.instant import instant_ingest, instant_worker
from bench.support import made_up_text, report, write_texts


async def uploaded(services: Services, scratch: Path, batch: str, count: int) -> float:
    """Seconds from queueing so many uploads until the last one is done."""
    jobs: list[NewJob] = []
    for number in range(count):
        path = scratch / f"{batch}-{number}.txt"
        path.write_text(made_up_text(hash((batch, number)), 40))
        key = await services.storage.blobs.put(path)
        jobs.append(upload_job(services.principal, "bench", f"upload://bench/{path.name}", path.name, key))
    started = time.perf_counter()
    ids = await services.storage.queue.add(services.principal, jobs)
    for job_id in ids:
        while (await services.storage.queue.job(services.principal, job_id)).status != "done":
            await asyncio.sleep(0.02)
    return time.perf_counter() - started


async def measure(scratch: Path, waiting: int, upload: int) -> None:
    settings = load_settings(data={"dir": scratch / "data"}, log={"level": "ERROR"})
    async with open_services(settings) as services:
        await services.storage.catalog.open_collection(services.principal, "bench", instant_ingest(services).index)
        worker = asyncio.create_task(instant_worker(services).work(settings.ingest.concurrency))
        await uploaded(services, scratch, "warm", upload)
        idle = min([await uploaded(services, scratch, f"idle{turn}", upload) for turn in range(3)])
        folder = scratch / "bulk"
        write_texts(folder, waiting, 40)
        source = await services.storage.registry.add(services.principal, "bench", folder.as_uri(), {}, None)
        jobs = [
            NewJob("ingest", "bench", (folder / f"{number}.txt").as_uri(), f"{number}.txt", f"source:{source.id}",
                   source_id=source.id)
            for number in range(waiting)
        ]  # fmt: skip
        for start in range(0, waiting, 1000):
            await services.storage.queue.add(services.principal, jobs[start : start + 1000])
        busy = [await uploaded(services, scratch, f"busy{turn}", upload) for turn in range(3)]
        left = (await services.storage.queue.counts(services.principal))["queued"]
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    report(
        waiting=waiting, still_waiting_at_the_end=left, upload=upload, idle_seconds=round(idle, 2),
        busy_seconds=[round(value, 2) for value in busy], ratio=round(sorted(busy)[1] / idle, 2),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=20_000)
    parser.add_argument("--upload", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(Path(scratch), given.waiting, given.upload))


if __name__ == "__main__":
    main()
