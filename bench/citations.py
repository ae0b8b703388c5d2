"""Citations of a careless model, before and after they are verified: python -m bench.citations DIR [--count N] [--words-only] [--speed].

DIR is an evaluation set (see `anchorage eval`). The model server of the tests quotes and paraphrases the passages of the
prompt with right, wrong, missing, swapped and mixed markers, and adds sentences that no passage supports; what is true of
each sentence is known (src/anchorage/testing/citing.py).

precision   share of the citations whose quote overlaps the sentence that the claim was made from
recall      share of the true sentences that have such a citation
unsupported precision and recall of flagging the sentences that were made up

With `--speed`, only the processor time (ms, the least of twelve rounds) that words alone take to verify answers of these
kinds against eight passages: `short` and `long`, of 3 and 72 such sentences from the set, and `repeated`, the long answer
of bench.chat, which no passage supports.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anchorage.chat.generation.prompt import build_prompt
from anchorage.chat.verification.verify import verify_sentences
from anchorage.evaluation.dataset import read_corpus, read_dataset
from anchorage.evaluation.run import ingest_corpora, open_evaluation_collection
from anchorage.model import Hit
from anchorage.settings import load_settings
from anchorage.testing.citing import MARKERS, MadeAnswer, MadeSentence, write_cited_answer
from anchorage.testing.model_server import Behaviour, model_server
from anchorage.text.analyser import format_analyser_name, load_analyser
from anchorage.text.hidden import strip_hidden_characters
from anchorage.wiring.services import Services, open_services
from bench.chat import LONG_ANSWER
from bench.support import made_up_text, report


def folded(text: str) -> str:
    return " ".join(strip_hidden_characters(text).split())


def says(quote: str, made: MadeSentence) -> bool:
    """Whether a quote is, or holds, the sentence that a claim was made from."""
    return folded(made.source) in folded(quote)


def count_before(tally: Counter[str], answer: MadeAnswer) -> None:
    for item in answer.sentences:
        tally["true"] += item.passage is not None
        if item.marker is not None:
            tally["before_citations"] += 1
            tally["before_right"] += item.passage == item.marker
            tally["before_found"] += item.passage == item.marker


async def count_after(
    tally: Counter[str], services: Services, question: str, answer: MadeAnswer, text: str, passages: Sequence[Hit]
) -> list[dict[str, Any]]:
    started = time.process_time()
    verifier = services.asking.evaluator.drafter.verifier
    draft = await verifier.verify_text(services.principal, question, text, passages)
    tally["microseconds"] += int((time.process_time() - started) * 1e6)
    tally["answers"] += 1
    wrong = []
    flagged = " ".join(folded(item.text) for item in draft.unsupported)
    for item in answer.sentences:
        mine = [
            statement for statement in draft.statements
            if folded(statement.claim) in folded(item.text) or folded(item.text) in folded(statement.claim)
        ]  # fmt: skip
        quotes = [statement.hit.text[statement.start : statement.end] for statement in mine]
        right = [quote for quote in quotes if item.passage is not None and says(quote, item)]
        tally["after_citations"] += len(mine)
        tally["after_right"] += len(right)
        tally["after_found"] += bool(right)
        is_flagged = folded(item.text) in flagged
        tally["untrue"] += item.passage is None
        tally["flagged"] += is_flagged
        tally["flagged_right"] += is_flagged and item.passage is None
        if len(right) != len(mine) or (item.passage is not None) == is_flagged:
            wrong.append(
                {
                    "sentence": item.text,
                    "source": item.source if item.passage else None,
                    "quotes": quotes,
                    "flagged": is_flagged,
                }
            )
    return wrong


def figures(tally: Counter[str]) -> dict[str, Any]:
    def share(part: str, whole: str) -> float | None:
        return round(tally[part] / tally[whole], 4) if tally[whole] else None

    return {
        "answers": tally["answers"],
        "sentences": {"supported": tally["true"], "unsupported": tally["untrue"]},
        "before": {
            "precision": share("before_right", "before_citations"),
            "recall": share("before_found", "true"),
        },
        "after": {"precision": share("after_right", "after_citations"), "recall": share("after_found", "true")},
        "unsupported": {"precision": share("flagged_right", "flagged"), "recall": share("flagged_right", "untrue")},
        "verification_ms": round(tally["microseconds"] / max(tally["answers"], 1) / 1000, 3),
    }


async def measure(data: Path, folder: Path, count: int, show: int, settings: dict[str, Any]) -> None:
    dataset = read_dataset(folder)
    queries = random.Random(5).sample(list(dataset.queries), min(count, len(dataset.queries)))
    tallies: dict[str, Counter[str]] = {style: Counter() for style in MARKERS if style}
    wrong: list[dict[str, Any]] = []
    async with (
        model_server(Behaviour(markers="right")) as server,
        open_services(
            load_settings(
                data={"dir": data},
                log={"level": "ERROR"},
                llm={"base_url": server.url, "model": "careless"},
                embedding={"provider": "local"},
                **settings,
            )
        ) as services,
    ):
        generator, retriever = services.models.generator, services.asking.retriever
        catalog, index = services.storage.catalog, services.ingest.index
        async with open_evaluation_collection(catalog, services.principal, index, None) as collection:
            ingester = services.ingest.ingester_for(services.principal)
            await ingest_corpora(
                ingester, services.ingest.upkeep, collection, [dataset.corpus], lambda what, number: None
            )
            assert generator is not None
            for query in queries:
                ranking, _ = await retriever.retrieve(services.principal, query.text, [collection])
                passages = ranking.hits[: services.chat.limits.passages]
                messages = build_prompt(query.text, passages, ())
                for style, tally in tallies.items():
                    server.behaviour = Behaviour(markers=style)  # type: ignore[arg-type]
                    text = "".join([piece async for piece in generator.stream(messages) if isinstance(piece, str)])
                    sent = [{"role": item.role, "content": item.content} for item in messages]
                    answer = write_cited_answer(sent, style)  # type: ignore[arg-type]
                    assert text == answer.text
                    count_before(tally, answer)
                    wrong += await count_after(tally, services, query.text, answer, text, passages)
    total: Counter[str] = Counter()
    for tally in tallies.values():
        total.update(tally)
    extra = {"mistakes": random.Random(1).sample(wrong, min(show, len(wrong)))} if show else {}
    report(
        set=folder.name,
        **figures(total),
        markers={style: figures(tally) for style, tally in tallies.items()},
        **extra,
    )


_ROUNDS, _SHORT, _LONG = 12, 3, 72


def made_answers(folder: Path, sentences: int, count: int) -> list[tuple[str, str, list[Hit]]]:
    """Questions of a set, each with an answer of so many sentences and eight passages that lie beside one another."""
    dataset = read_dataset(folder)
    corpus = list(read_corpus(dataset.corpus))
    rng = random.Random(7)
    found = []
    for query in rng.sample(list(dataset.queries), count):
        first = rng.randrange(len(corpus) - 8)
        hits = [
            Hit(str(number), name, "v", "c", "u", title, 0, len(text), 1.0, text)
            for number, (name, title, text) in enumerate(corpus[first : first + 8])
        ]
        pieces: list[str] = []
        made = number = 0
        while made < sentences:
            messages = build_prompt(f"{query.text} {number}", hits, ())
            sent = [{"role": item.role, "content": item.content} for item in messages]
            answer = write_cited_answer(sent, MARKERS[1 + number % (len(MARKERS) - 1)])
            pieces.append(answer.text)
            made, number = made + len(answer.sentences), number + 1
        found.append((query.text, " ".join(pieces), hits))
    return found


async def processor_times(folder: Path) -> dict[str, float]:
    texts = [made_up_text(number)[:1500] for number in range(8)]
    made_up = [Hit(str(n), str(n), "v", "c", "u", "t", 0, len(text), 1.0, text) for n, text in enumerate(texts)]
    kinds = {
        "short": made_answers(folder, _SHORT, 40),
        "long": made_answers(folder, _LONG, 6),
        "repeated": [("What was opened?", LONG_ANSWER, made_up)],
    }
    analyser = load_analyser(format_analyser_name("english"))
    found = {}
    for kind, answers in kinds.items():
        least = float("inf")
        for _ in range(_ROUNDS):
            started = time.process_time()
            for question, text, hits in answers:
                await verify_sentences(text, hits, question, analyser)
            least = min(least, time.process_time() - started)
        found[kind] = round(1000 * least / len(answers), 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=Path)
    parser.add_argument("--count", type=int, default=300, help="questions")
    parser.add_argument("--show", type=int, default=0, help="mistakes to print")
    parser.add_argument("--words-only", action="store_true", help="without alignment by meaning")
    parser.add_argument("--speed", action="store_true", help="processor time alone")
    given = parser.parse_args()
    if given.speed:
        report(set=given.set.name, verification_cpu_ms=asyncio.run(processor_times(given.set)))
        return
    settings = {"answer": {"align_meaning": False}} if given.words_only else {}
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(Path(scratch) / "data", given.set, given.count, given.show, settings))


if __name__ == "__main__":
    main()
