"""Syncing what has not changed, and a small change in a long document: python -m bench.sync [--files 20000] [--pages 300] [--s3].

With `--s3` the files are objects of a real S3 server (versitygw, by scripts/versitygw.sh), and nothing is edited.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anchorage.faces.sources import request_sync
from anchorage.model import RegisteredSource, SourceEntry
from anchorage.settings import load_settings
from anchorage.wiring.services import Services, open_services
from anchorage.wiring.sources import local_source
from bench.instant import instant_ingest, instant_worker, until_idle
from bench.support import free_port, made_up_text, report, write_texts


async def synced(services: Services, source: RegisteredSource) -> float:
    started = time.perf_counter()
    await request_sync(services.storage, services.principal, source.id)
    await until_idle(services)
    return time.perf_counter() - started


async def edit(services: Services, path: Path, pages: int) -> float:
    """Seconds from the edit of one paragraph until the new passages answer, embedded by the real model."""
    paragraphs = [made_up_text(number, 30) for number in range(pages)]
    path.write_text("\n\n".join(paragraphs))
    ingester = services.ingest.ingester_for(services.principal)
    source = local_source(services.settings, str(path))
    store = services.storage.catalog
    await store.open_collection(services.principal, "book", services.ingest.index)
    first = await ingester.ingest_document("book", source, SourceEntry(source.uri), None)
    assert first.status.value == "indexed", first
    paragraphs[pages // 2] = paragraphs[pages // 2].replace("guild", "lighthouse keepers", 1)
    path.write_text("\n\n".join(paragraphs))
    started = time.perf_counter()
    known = (await store.versions(services.principal, "book", [source.uri]))[source.uri]
    outcome = await ingester.ingest_document("book", source, SourceEntry(source.uri), known)
    assert outcome.status.value == "indexed", outcome
    return time.perf_counter() - started


@contextmanager
def s3_server(root: Path) -> Iterator[dict[str, str]]:
    """A running S3 server: the settings that reach it."""
    program = subprocess.run(["sh", "scripts/versitygw.sh"], capture_output=True, text=True, check=True).stdout.strip()
    port = free_port()
    keys = {"access_key": "bench", "secret_key": "bench-secret"}
    command = [program, "--quiet", "--access", keys["access_key"], "--secret", keys["secret_key"], "--port", f"127.0.0.1:{port}",
               "posix", str(root)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                assert process.poll() is None, "the S3 server did not start"
                time.sleep(0.05)
            yield {"endpoint": f"http://127.0.0.1:{port}", **keys}
        finally:
            process.terminate()


async def uploaded(services: Services, folder: Path) -> str:
    """The location of a bucket that holds the folder's files."""
    s3 = services.storage.s3
    await s3.call("create_bucket", "a bucket", "bench")
    room = asyncio.Semaphore(16)

    async def put(path: Path) -> None:
        async with room:
            key = path.relative_to(folder).as_posix()
            await s3.call("put_object", key, "bench", Key=key, Body=path.read_bytes())

    await asyncio.gather(*(put(path) for path in folder.rglob("*") if path.is_file()))
    return "s3://bench/"


async def measure(folder: Path, book: Path, data: Path, pages: int, s3: dict[str, str] | None) -> None:
    settings = load_settings(data={"dir": data}, log={"level": "ERROR"}, **({"s3": s3} if s3 else {}))
    async with open_services(settings) as services:
        await services.storage.catalog.open_collection(services.principal, "files", instant_ingest(services).index)
        location = await uploaded(services, folder) if s3 else folder.as_uri()
        source = await services.storage.registry.add(services.principal, "files", location, {}, None)
        worker = asyncio.create_task(instant_worker(services).work(settings.ingest.concurrency))
        first = await synced(services, source)
        unchanged = await synced(services, source)
        found = await services.storage.registry.source(services.principal, source.id)
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        edited: dict[str, Any] = {}
        if not s3:
            edited = {"pages": pages, "edit_visible_seconds": round(await edit(services, book, pages), 2)}
    report(
        files=found.report["listed"], unchanged=found.report["unchanged"], first_sync_seconds=round(first, 1),
        unchanged_sync_seconds=round(unchanged, 2), **edited,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--s3", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "files"
        write_texts(folder, given.files, 3)
        rest = Path(scratch) / "book.txt", Path(scratch) / "data", given.pages
        if not given.s3:
            asyncio.run(measure(folder, *rest, None))
            return
        root = Path(scratch) / "s3"
        root.mkdir()
        with s3_server(root) as s3:
            asyncio.run(measure(folder, *rest, s3))


if __name__ == "__main__":
    main()
