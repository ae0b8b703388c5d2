"""Ingestion without the embedder's time: python -m bench.throughput [--chunks 12000] [--shapes 1,10,100]
[--parts first,queue,live] [--to CHUNKS].

Embeds at no cost (random vectors of 384 dimensions), so that what is left is reading, parsing, chunking and storing. For documents of
about 1, 10 and 100 passages: a first load as `anchorage ingest` does it, the same through the queue and a worker, and into an index
that is live. `--to` instead loads one collection up to so many passages and gives the rate on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import itertools
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from anchorage.adapters.postgres.embedded.cluster import Cluster
from anchorage.adapters.postgres.embedded.supervisor import find_server_pid
from anchorage.faces.sources import request_sync
from anchorage.ingest.worker import maintain_forever, maintain_once
from anchorage.model.search import Query
from anchorage.settings import load_settings
from anchorage.wiring.services import Services, open_services
from anchorage.wiring.sources import local_source
from bench.instant import instant_ingest, instant_worker, until_idle
from bench.support import cpu_seconds, report, write_texts

_SENTENCES = {1: 8, 10: 104, 100: 1060}  # that make about so many passages
_STEP = 10_000  # passages of one measured stretch with --to


class Timed:
    """Passes calls on and adds up the seconds in which at least one of them was under way."""

    def __init__(self, inner: Any, name: str) -> None:
        self._inner, self._name, self.seconds, self._busy, self._since = inner, name, 0.0, 0, 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name != self._name:
            return value

        async def timed(*arguments: Any, **named: Any) -> Any:
            if not self._busy:
                self._since = time.perf_counter()
            self._busy += 1
            try:
                return await value(*arguments, **named)
            finally:
                self._busy -= 1
                if not self._busy:
                    self.seconds += time.perf_counter() - self._since

        return timed


class Bench:
    """One collection after the other, in one installation."""

    def __init__(self, services: Services, scratch: Path) -> None:
        self._services, self._scratch = services, scratch
        self._numbers = itertools.count()
        self._postgres = find_server_pid(Cluster(services.settings.data.dir / "postgres")) or 0

    def _folder(self, documents: int, sentences: int) -> Path:
        folder = self._scratch / f"texts{next(self._numbers)}"
        write_texts(folder, documents, sentences)
        return folder

    async def _chunks(self, collection: str) -> int:
        found = await self._services.storage.catalog.collections(self._services.principal)
        return sum(item.chunks for item in found if item.name == collection)

    async def _measured(
        self, collection: str, documents: int, load: Callable[[Any, Any], Awaitable[None]]
    ) -> dict[str, Any]:
        parser, catalog = Timed(self._services.ingest.parser, "parse"), Timed(self._services.ingest.catalog, "replace")
        before = await self._chunks(collection)
        own, children, postgres = time.process_time(), _children_cpu(), cpu_seconds(self._postgres)
        started = time.perf_counter()
        await load(parser, catalog)
        seconds = time.perf_counter() - started
        chunks = await self._chunks(collection) - before
        return {
            "documents": documents, "chunks": chunks, "seconds": round(seconds, 2), "chunks_per_second": round(chunks / seconds, 1),
            "share_of_time_parsing": round(parser.seconds / seconds, 2), "share_of_time_storing": round(catalog.seconds / seconds, 2),
            "cpu_seconds": {
                "own": round(time.process_time() - own, 1), "parsers": round(_children_cpu() - children, 1),
                "postgres": round(cpu_seconds(self._postgres) - postgres, 1),
            },
        }  # fmt: skip

    async def direct(self, collection: str, documents: int, sentences: int) -> dict[str, Any]:
        """As `anchorage ingest FOLDER` does it, upkeep included."""
        services = self._services
        source = local_source(services.settings, str(self._folder(documents, sentences)))

        async def load(parser: Any, catalog: Any) -> None:
            ingest = instant_ingest(services, parser=parser, catalog=catalog)
            upkeep = asyncio.create_task(maintain_forever(services.ingest.upkeep))
            async for _ in ingest.ingester_for(services.principal).ingest_source(collection, source):
                pass
            await _ended(upkeep)

        return await self._measured(collection, documents, load)

    async def queued(self, collection: str, documents: int, sentences: int) -> dict[str, Any]:
        """As a worker does it for a registered source: listing it, a job for each document, upkeep."""
        services = self._services
        folder = self._folder(documents, sentences)
        source = await services.storage.registry.add(services.principal, collection, folder.as_uri(), {}, None)

        async def load(parser: Any, catalog: Any) -> None:
            worker = instant_worker(services, parser=parser, catalog=catalog)
            running = asyncio.create_task(worker.work(services.settings.ingest.concurrency))
            await request_sync(services.storage, services.principal, source.id)
            await until_idle(services)
            await _ended(running)

        return await self._measured(collection, documents, load)

    async def search(self, collection: str) -> float:
        """Milliseconds of a search, the best of five."""
        ingest, took = instant_ingest(self._services), []
        embedder = ingest.embedders.default
        query = Query("harbour of town 12", {embedder.spec: await embedder.embed_query("")}, 10)
        for _ in range(5):
            started = time.perf_counter()
            await self._services.storage.catalog.search(self._services.principal, query, [collection])
            took.append(time.perf_counter() - started)
        return round(min(took) * 1000, 1)

    async def build(self) -> float:
        """Seconds to finish the upkeep and to build the vector index."""
        started = time.perf_counter()
        while await maintain_once(self._services.storage.catalog, settled=True):
            pass
        return time.perf_counter() - started


def _children_cpu() -> float:
    return cpu_seconds(os.getpid()) - time.process_time()


async def _ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def shapes(bench: Bench, wanted: list[int], chunks: int, parts: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    await bench.direct("warm", 20, 104)
    for shape in wanted:
        size, name = _SENTENCES[shape], f"documents of about {shape} passages"
        found[name] = {}
        if "first" in parts:
            first = await bench.direct(f"first{shape}", chunks // shape, size)
            first["index_seconds"] = round(await bench.build(), 2)
            first["chunks_per_second_with_index"] = round(
                first["chunks"] / (first["seconds"] + first["index_seconds"]), 1
            )
            found[name]["first_load"] = first
        if "queue" in parts:
            found[name]["through_queue"] = await bench.queued(f"queue{shape}", chunks // shape, size)
        print(name, found[name], file=sys.stderr)
    if "live" in parts:  # enough passages that the index is worth building; then more, into it
        await bench.direct("live", 2200, 104)
        await bench.build()
        found["into a live index"] = await bench.direct("live", 400, 104)
    return found


async def growth(bench: Bench, to: int) -> dict[str, Any]:
    size, rates = 0, {}
    while size < to:
        step = await bench.direct("grown", _STEP // 10, 104)
        size += step["chunks"]
        rates[size] = step["chunks_per_second"]
        print(size, step, file=sys.stderr)
    scanned = await bench.search("grown")
    building = await bench.build()
    return {
        "chunks_per_second_at": rates, "index_seconds": round(building, 1), "search_ms_without_index": scanned,
        "search_ms": await bench.search("grown"),
    }  # fmt: skip


async def run(given: argparse.Namespace, scratch: Path) -> None:
    settings = load_settings(data={"dir": scratch / "data"}, log={"level": "ERROR"})
    async with open_services(settings) as services:
        bench = Bench(services, scratch)
        found = (
            await growth(bench, given.to) if given.to else await shapes(bench, given.shapes, given.chunks, given.parts)
        )
    report(**found, peak_resident_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=12_000)
    parser.add_argument("--shapes", type=lambda text: [int(part) for part in text.split(",")], default=[1, 10, 100])
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["first", "queue", "live"])
    parser.add_argument("--to", type=int, default=0)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        profile = cProfile.Profile()
        if given.profile:
            profile.enable()
        asyncio.run(run(given, Path(scratch)))
        if given.profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
