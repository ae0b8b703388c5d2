"""Syncing what has not changed, and a small change in a long document: python -m bench.sync [--files 20000] [--pages 300]."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from anchorage.faces.sources import request_sync
from anchorage.ingest.pipeline import Ingester
from anchorage.ingest.worker import run_worker
from anchorage.model import RegisteredSource, SourceEntry
from anchorage.settings import load_settings
from anchorage.wiring import Services, local_source, open_services
from bench.instant import instant_ingest, instant_worker, until_idle
from bench.support import made_up_text, report, write_texts


async def synced(services: Services, source: RegisteredSource) -> float:
    started = time.perf_counter()
    await request_sync(services.storage, services.principal, source.id)
    await until_idle(services)
    return time.perf_counter() - started


async def edit(services: Services, path: Path, pages: int) -> float:
    """Seconds from the edit of one paragraph until the new passages answer, embedded by the real model."""
    paragraphs = [made_up_text(number, 30) for number in range(pages)]
    path.write_text("\n\n".join(paragraphs))
    ingester = Ingester(services.ingest, services.principal)
    source = local_source(services.settings, str(path))
    store = services.storage.store
    await store.open_collection(services.principal, "book", services.ingest.index)
    first = await ingester.document("book", source, SourceEntry(source.uri), None)
    assert first.status.value == "indexed", first
    paragraphs[pages // 2] = paragraphs[pages // 2].replace("guild", "lighthouse keepers", 1)
    path.write_text("\n\n".join(paragraphs))
    started = time.perf_counter()
    known = (await store.versions(services.principal, "book", [source.uri]))[source.uri]
    outcome = await ingester.document("book", source, SourceEntry(source.uri), known)
    assert outcome.status.value == "indexed", outcome
    return time.perf_counter() - started


async def measure(folder: Path, book: Path, data: Path, pages: int) -> None:
    settings = load_settings(data={"dir": data}, log={"level": "ERROR"})
    async with open_services(settings) as services:
        await services.storage.store.open_collection(services.principal, "files", instant_ingest(services).index)
        source = await services.storage.registry.add(services.principal, "files", folder.as_uri(), {}, None)
        worker = asyncio.create_task(run_worker(instant_worker(services), settings.ingest.concurrency))
        first = await synced(services, source)
        unchanged = await synced(services, source)
        found = await services.storage.registry.source(services.principal, source.id)
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        edited = await edit(services, book, pages)
    report(
        files=found.report["listed"], unchanged=found.report["unchanged"], first_sync_seconds=round(first, 1),
        unchanged_sync_seconds=round(unchanged, 2), pages=pages, edit_visible_seconds=round(edited, 2),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--pages", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "files"
        write_texts(folder, given.files, 3)
        asyncio.run(measure(folder, Path(scratch) / "book.txt", Path(scratch) / "data", given.pages))


if __name__ == "__main__":
    main()
