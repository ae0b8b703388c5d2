"""Ingestion without the embedder's time: python -m bench.throughput [--documents 3000] [--profile].

Embeds at no cost (random vectors of 384 dimensions) and stores into a live index, so that what is left is reading, parsing, chunking
and storing.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from anchorage.adapters.models.vectors import estimate_token_starts
from anchorage.ingest.pipeline import IngestServices, ingest_source
from anchorage.model import EmbedderSpec
from anchorage.settings import load_settings
from anchorage.wiring import local_source, open_services
from bench.support import made_up_text, report


class Instant:
    """An embedder that takes no time."""

    spec = EmbedderSpec("instant", "1", 384)
    max_tokens = 256

    def __init__(self) -> None:
        self._vectors = np.random.default_rng(1).normal(size=(4096, 384)).astype(np.float32)
        self._vectors /= np.linalg.norm(self._vectors, axis=1, keepdims=True)
        self._at = 0

    def token_starts(self, text: str) -> Any:
        return estimate_token_starts(text)

    async def embed_passages(self, texts: list[str]) -> Any:
        at = (np.arange(len(texts)) + self._at) % len(self._vectors)
        self._at += len(texts)
        return self._vectors[at]

    async def embed_query(self, text: str) -> Any:
        return self._vectors[0]

    async def ping(self) -> str:
        return "available"


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


async def run(folder: Path, data: Path) -> None:
    settings = load_settings(data={"dir": data}, log={"level": "ERROR"})
    async with open_services(settings) as services:
        embedder = Instant()
        parser, store = Timed(services.ingest.parser, "parse"), Timed(services.ingest.store, "replace")
        ingest: IngestServices = replace(
            services.ingest, embedder=embedder, index=replace(services.ingest.index, embedder=embedder.spec),
            parser=parser, store=store,
        )  # fmt: skip
        started = time.perf_counter()
        source = local_source(settings, str(folder))
        outcomes = [item async for item in ingest_source(ingest, services.principal, "bench", source)]
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        again = [item async for item in ingest_source(ingest, services.principal, "bench", source)]
        unchanged = time.perf_counter() - started
    chunks = sum(item.chunks for item in outcomes)
    report(
        documents=len(outcomes), chunks=chunks, seconds=round(seconds, 2), chunks_per_second=round(chunks / seconds, 1),
        share_of_time_parsing=round(parser.seconds / seconds, 2), share_of_time_storing=round(store.seconds / seconds, 2),
        unchanged={"documents": sum(item.status.value == "unchanged" for item in again), "seconds": round(unchanged, 2)},
        peak_resident_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "texts"
        folder.mkdir()
        for number in range(given.documents):
            (folder / f"{number}.txt").write_text(made_up_text(number, 60))
        profile = cProfile.Profile()
        if given.profile:
            profile.enable()
        asyncio.run(run(folder, Path(scratch) / "data"))
        if given.profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
