"""Throughput of ingestion: python -m bench.ingest [FOLDER]."""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from anchorage.settings import load_settings
from anchorage.wiring.services import open_services
from anchorage.wiring.sources import local_source
from bench.support import report, write_texts


async def measure(folder: Path, data: Path) -> None:
    settings = load_settings(data={"dir": data}, log={"level": "ERROR"})
    async with open_services(settings) as services:
        started = time.perf_counter()
        outcomes = [
            item
            async for item in services.ingest.ingester_for(services.principal).ingest_source(
                "bench", local_source(settings, str(folder))
            )
        ]
        seconds = time.perf_counter() - started
        hits = await services.storage.catalog.documents(services.principal, collection="bench", limit=200)
        texts = [
            (await services.storage.catalog.text(services.principal, item.id)).text[:1000]
            for item in hits
            if item.chunks
        ]
        started = time.perf_counter()
        await services.models.embedder.embed_passages(texts)
        alone = len(texts) / (time.perf_counter() - started)
    chunks = sum(item.chunks for item in outcomes)
    report(
        documents=dict(Counter(item.status.value for item in outcomes)),
        chunks=chunks,
        seconds=round(seconds, 2),
        chunks_per_second=round(chunks / seconds, 1),
        embedder_alone_passages_per_second=round(alone, 1),
        share_of_embedder=round(chunks / seconds / alone, 2),
        peak_resident_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments[0]) if arguments else Path(scratch) / "texts"
        if not arguments:
            write_texts(folder, 200, 40)
        asyncio.run(measure(folder, Path(scratch) / "data"))


if __name__ == "__main__":
    main(sys.argv[1:])
