"""Reindexing while the collection is asked and written: python -m bench.reindex [--documents 300] [--sentences 40].

Prints how long questions and writes took before and meanwhile, whether any failed or found an old or half document, and the
seconds that going back takes.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from anchorage.evaluation.metrics import percentiles
from anchorage.faces.reindexing import Plan, reindex, switch_back
from anchorage.model import Block, BlockKind, DocumentStatus, ParsedDocument, SourceItem
from anchorage.settings import load_settings
from anchorage.wiring.services import Services, open_services
from bench.support import made_up_text, report

_CHANGING = "bench://changing"


def parsed(text: str) -> ParsedDocument:
    return ParsedDocument(text, "", (Block(BlockKind.PARAGRAPH, 0, len(text)),))


class Load:
    """Asks and writes all the time, and keeps what that took."""

    def __init__(self, services: Services, sentences: int) -> None:
        self.services, self.sentences = services, sentences
        self.asked: list[float] = []
        self.written: list[float] = []
        self.edition = self.stale = 0

    async def ask(self) -> None:
        while True:
            edition, started = self.edition, time.perf_counter()
            question = "Which edition of the changing document is this?"
            ranking, _ = await self.services.asking.retriever.retrieve(self.services.principal, question, ["bench"])
            self.asked.append(time.perf_counter() - started)
            shown = [hit.text for hit in ranking.hits if hit.uri == _CHANGING and "changing document" in hit.text]
            self.stale += len(shown) != 1 or int(shown[0].split()[-1].rstrip(".")) < edition

    async def write(self) -> None:
        while True:
            started = time.perf_counter()
            await write(self.services, self.edition + 1, self.sentences)
            self.edition += 1
            self.written.append(time.perf_counter() - started)
            await asyncio.sleep(0.1)

    def figures(self) -> dict[str, Any]:
        found = {"questions": len(self.asked), "ask_ms": percentiles(self.asked), "writes": len(self.written),
                 "longest_write_s": round(max(self.written, default=0), 3), "stale_or_half": self.stale}  # fmt: skip
        self.asked, self.written, self.stale = [], [], 0
        return found


async def write(services: Services, edition: int, sentences: int) -> None:
    text = f"{made_up_text(7, sentences)}\n\nThis is the changing document of edition {edition}."

    async def one() -> AsyncIterator[tuple[SourceItem, ParsedDocument]]:
        yield SourceItem(_CHANGING, "changing", "", len(text)), parsed(text)

    async for outcome in services.ingest.ingester_for(services.principal).ingest_texts("bench", one()):
        assert outcome.status is DocumentStatus.INDEXED, outcome


async def measure(data: Path, documents: int, sentences: int) -> None:
    async with open_services(load_settings(data={"dir": data}, log={"level": "ERROR"})) as services:

        async def corpus() -> AsyncIterator[tuple[SourceItem, ParsedDocument]]:
            for number in range(documents):
                text = made_up_text(number, sentences)
                yield SourceItem(f"bench://{number}", str(number), "", len(text)), parsed(text)

        started = time.perf_counter()
        async for outcome in services.ingest.ingester_for(services.principal).ingest_texts("bench", corpus()):
            assert outcome.status is DocumentStatus.INDEXED, outcome
        ingested = time.perf_counter() - started
        await write(services, 0, 4)
        load = Load(services, 4)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load.ask()), group.create_task(load.write())]
            await asyncio.sleep(5)
            before = load.figures()
            started = time.perf_counter()
            plan = Plan("bench", chunk="64/8")
            built = await reindex(services, services.principal, plan, lambda done, total: None)
            seconds = time.perf_counter() - started
            during = load.figures()
            started = time.perf_counter()
            await switch_back(services, services.principal, "bench", lambda done, total: None)
            back = time.perf_counter() - started
            for task in tasks:
                task.cancel()
    report(
        documents=documents + 1, ingest_seconds=round(ingested, 1), reindex_seconds=round(seconds, 1),
        switched=built["switched"], before=before, meanwhile=during, back_seconds=round(back, 3),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--sentences", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), arguments.documents, arguments.sentences))


if __name__ == "__main__":
    main()
