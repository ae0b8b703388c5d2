"""Off-topic questions declined, answerable ones answered, and quotes compared with the stored texts, on a kept collection.

python -m bench.answers --data DATA --collection NAME --answerable FILE --offtopic FILE [--count 500]
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from anchorage.settings import load_settings
from anchorage.wiring.services import Services, open_services
from bench.support import read_queries, report


async def answered(services: Services, collection: str, questions: Sequence[str], quotes: list[bool]) -> float:
    """Share of the questions that get an answer, abstention on; `quotes` gets whether each citation's quote is verbatim."""
    given, drafter = 0, services.asking.evaluator.drafter
    store, principal = services.storage.catalog, services.principal
    for question in questions:
        ranking, vector = await services.asking.retriever.retrieve(principal, question, [collection])
        assert vector is not None
        draft, evident = await drafter.draft_answer(principal, question, vector, ranking.hits)
        given += evident
        for citation in await drafter.cite_draft(principal, draft):
            text = (await store.text(principal, citation.document_id, citation.version)).text
            quotes.append(text[citation.start : citation.end] == citation.quote)
    return given / len(questions)


async def measure(data: Path, collection: str, answerable: list[str], offtopic: list[str]) -> None:
    async with open_services(load_settings(data={"dir": data}, log={"level": "ERROR"})) as services:
        quotes: list[bool] = []
        report(
            questions={"answerable": len(answerable), "offtopic": len(offtopic)},
            answered=round(await answered(services, collection, answerable, quotes), 4),
            offtopic_declined=round(1 - await answered(services, collection, offtopic, quotes), 4),
            citations=len(quotes),
            quotes_verbatim=sum(quotes) / len(quotes),
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
