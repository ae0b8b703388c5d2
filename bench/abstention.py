"""Off-topic questions declined, answerable ones answered, on a kept collection.

python -m bench.abstention --data DATA --collection NAME --answerable FILE --offtopic FILE [--count 500]
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from anchorage.chat.answer import draft_answer
from anchorage.chat.retrieve import retrieve
from anchorage.settings import load_settings
from anchorage.wiring import Services, open_services
from bench.support import read_queries, report


async def answered(services: Services, collection: str, questions: Sequence[str]) -> float:
    """Share of the questions that get an answer, abstention on."""
    given = 0
    for question in questions:
        ranking, vector = await retrieve(services.chat, services.principal, question, [collection])
        _, evident = await draft_answer(services.chat, question, vector, ranking.hits)
        given += evident
    return given / len(questions)


async def measure(data: Path, collection: str, answerable: list[str], offtopic: list[str]) -> None:
    async with open_services(load_settings(data={"dir": data}, log={"level": "ERROR"})) as services:
        report(
            questions={"answerable": len(answerable), "offtopic": len(offtopic)},
            answered=round(await answered(services, collection, answerable), 4),
            offtopic_declined=round(1 - await answered(services, collection, offtopic), 4),
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--collection", required=True)
    parser.add_argument("--answerable", type=Path, required=True, help="queries.jsonl of the collection's own set")
    parser.add_argument("--offtopic", type=Path, required=True, help="queries.jsonl of another set")
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    sets = [
        [row["text"] for row in read_queries(path) if not row.get("is_impossible")]
        for path in (given.answerable, given.offtopic)
    ]
    chosen = [random.Random(1).sample(questions, min(given.count, len(questions))) for questions in sets]
    asyncio.run(measure(given.data, given.collection, *chosen))


if __name__ == "__main__":
    main()
