"""Fits how much the neighbours and the words of a question are trusted: `python -m bench.training.fusion SET... [--queries N] [--models NAME...]`.

A SET is the folder of a judged set (corpus.jsonl, queries.jsonl, qrels.tsv), or two joined by a plus: the questions of the first on the
passages of the second, for questions in another language. `name=SET` gives the analyser's language, as in `german=data/xquad_de`.

Prints, as JSON, nDCG@10 of each set by each model: of either list alone, of both with equal weight, and fused with the numbers that were
fitted, once on all sets and once on the other ones only (`held_out`); and the numbers themselves, for
`anchorage.adapters.postgres.search.reliability.FusionModel`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.models.local_embedding.catalogue import E5, LOCAL_MODELS, MINILM
from anchorage.adapters.models.local_embedding.embedder import open_local_embedder
from anchorage.adapters.postgres.lexical.lexical_search import QuestionTerms
from anchorage.adapters.postgres.lexical.postings import K1, B, inverse_document_frequency
from anchorage.adapters.postgres.search.fusion import mark_positions, normalise_scores
from anchorage.adapters.postgres.search.reliability import FusionModel, Signals, measure_signals
from anchorage.evaluation.dataset import EvalQuery, read_corpus, read_dataset
from anchorage.text.analyser import format_analyser_name, load_analyser

DEPTH = 100
SHARES = np.linspace(0, 1, 21)
TOLERATED = 0.004
# Of the share, and of the numbers of `FusionModel` in their order.
BOUNDS = np.array([(0.2, 0.7), (0.1, 0.8), (2, 40), (-0.2, 3.5), (1, 15), (0, 4), (0, 4), (-1, 1), (-2, 2)])


@dataclass(frozen=True)
class Measured:
    """A set with one model: signals of its questions, and nDCG@10 of each by the share of the neighbours (`SHARES`)."""

    signals: Signals
    gains: NDArray[np.float64]

    @property
    def better_part(self) -> float:
        return float(max(self.gains[:, 0].mean(), self.gains[:, -1].mean()))

    def score(self, numbers: NDArray[np.float64]) -> float:
        shares = np.clip(FusionModel(*numbers[1:]).weigh_neighbours(self.signals, numbers[0]), 0, 1) * (len(SHARES) - 1)
        low = np.minimum(shares.astype(int), len(SHARES) - 2)
        rows, part = np.arange(len(low)), shares - low
        return float((self.gains[rows, low] * (1 - part) + self.gains[rows, low + 1] * part).mean())


def score_words(language: str, texts: Sequence[str], questions: Sequence[str]) -> tuple[Any, list[QuestionTerms]]:
    """BM25 of each question on each text, and what the index knows of each question."""
    analyser = load_analyser(format_analyser_name(language))
    counts = [analyser.count_terms(text) for text in texts]
    lengths = np.array([sum(item.values()) for item in counts], dtype=np.float32)
    norms = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1.0))
    found: dict[str, list[tuple[int, int]]] = {}
    for at, item in enumerate(counts):
        for term, count in item.items():
            found.setdefault(term, []).append((at, count))
    scores = np.zeros((len(questions), len(texts)), dtype=np.float32)
    asked = []
    for row, question in enumerate(questions):
        terms = Counter(analyser.extract_question_terms(question))
        weights = {
            term: count * inverse_document_frequency(len(found.get(term, ())), len(texts))
            for term, count in terms.items()
        }
        for term in terms.keys() & found.keys():
            places, frequencies = np.array(found[term]).T
            scores[row, places] += weights[term] * (K1 + 1) * frequencies / (frequencies + norms[places])
        known = sum(weight for term, weight in weights.items() if term in found)
        asked.append(QuestionTerms(len(terms), known / max(sum(weights.values()), 1e-9)))
    return scores, asked


def measure(near: Any, words: Any, asked: Sequence[QuestionTerms], relevant: Any) -> Measured:
    signals, gains = [], []
    discounts = 1 / np.log2(np.arange(2, 12))
    for cosines, scores, terms, grades in zip(near, words, asked, relevant, strict=True):
        listed = mark_positions(np.argsort(-cosines, kind="stable")[:DEPTH], len(cosines))
        best = np.argsort(-scores, kind="stable")[:DEPTH]
        worded = mark_positions(best[scores[best] > 0], len(cosines))
        if not worded.any():
            continue
        nearness, by_words = normalise_scores(cosines, listed), normalise_scores(scores, worded)
        signals.append(measure_signals(nearness, by_words, listed, worded, terms))
        ideal = (np.sort(grades)[::-1][:10] * discounts[: min(10, len(grades))]).sum()
        row = []
        for share in SHARES:
            fused = np.where(listed | worded, share * nearness + (1 - share) * by_words, -1)
            row.append(
                (grades[np.argsort(-fused, kind="stable")[:10]] * discounts[: min(10, len(grades))]).sum() / ideal
            )
        gains.append(row)
    columns = {item.name: np.array([getattr(one, item.name) for one in signals]) for item in fields(Signals)}
    return Measured(Signals(**columns), np.array(gains))


def read_set(name: str, count: int) -> tuple[str, list[str], list[EvalQuery], list[str]]:
    """Language, texts, questions with a judgement, and ids of the texts."""
    language, _, folders = name.rpartition("=")
    asking, _, passages = folders.partition("+")
    queries = [query for query in read_dataset(Path(asking)).queries if query.relevant]
    corpus = list(read_corpus(read_dataset(Path(passages or asking)).corpus))
    step = max(1, len(queries) // count)
    texts = [f"{title}\n{text}" if title else text for _, title, text in corpus]
    return language or "english", texts, queries[::step], [key for key, _, _ in corpus]


async def measure_sets(
    names: Sequence[str], models: Sequence[str], count: int, cache: Path
) -> dict[tuple[str, str], Measured]:
    embedders = {name: await open_local_embedder(LOCAL_MODELS[name], cache) for name in models}
    measured = {}
    for name in names:
        language, texts, queries, ids = read_set(name, count)
        words, asked = score_words(language, texts, [query.text for query in queries])
        relevant = np.array([[query.relevant.get(key, 0) for key in ids] for query in queries], dtype=np.float32)
        for model, embedder in embedders.items():
            passages = await embedder.embed_passages(texts)
            questions = np.stack([await embedder.embed_query(query.text) for query in queries])
            measured[name, model] = measure(questions @ passages.T, words, asked, relevant)
            print(f"measured {name} with {model}", file=sys.stderr)
    return measured


def compute_loss(numbers: NDArray[np.float64], sets: Iterable[Measured]) -> float:
    """Gains over the better part, on average; what falls below it counts four times more."""
    gaps = np.array([item.score(numbers) - item.better_part for item in sets])
    return float((-gaps + 4 * np.maximum(0, -TOLERATED - gaps)).mean())


def fit(sets: Sequence[Measured], rounds: int = 150, size: int = 60) -> NDArray[np.float64]:
    """Differential evolution (Storn and Price 1997), best/1/bin, from a fixed seed."""
    random = np.random.default_rng(0)
    low, high = BOUNDS.T
    crowd = low + random.random((size, len(BOUNDS))) * (high - low)
    losses = np.array([compute_loss(one, sets) for one in crowd])
    for _ in range(rounds):
        for at in range(size):
            first, second = crowd[random.choice(size, 2, replace=False)]
            mutant = np.clip(crowd[losses.argmin()] + random.uniform(0.5, 1) * (first - second), low, high)
            taken = random.random(len(BOUNDS)) < 0.7
            taken[random.integers(len(BOUNDS))] = True
            tried = np.where(taken, mutant, crowd[at])
            if (loss := compute_loss(tried, sets)) < losses[at]:
                crowd[at], losses[at] = tried, loss
    return np.array(crowd[losses.argmin()])


def describe(measured: dict[tuple[str, str], Measured], held_out: bool) -> dict[str, Any]:
    numbers = fit(list(measured.values()))
    figures = {}
    for (name, model), item in measured.items():
        others = [found for (other, _), found in measured.items() if other != name]
        figures[f"{name} {model}"] = {
            "words": round(float(item.gains[:, 0].mean()), 4),
            "neighbours": round(float(item.gains[:, -1].mean()), 4),
            "half": round(float(item.gains[:, len(SHARES) // 2].mean()), 4),
            "fused": round(item.score(numbers), 4),
            "over_better_part": round(item.score(numbers) - item.better_part, 4),
            "held_out": round(item.score(fit(others)), 4) if held_out else None,
        }
    names = ["share", *(item.name for item in fields(FusionModel))]
    return {"sets": figures, "numbers": dict(zip(names, numbers.round(3).tolist(), strict=True))}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.training.fusion")
    parser.add_argument("sets", nargs="+", metavar="[LANGUAGE=]SET[+SET]")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--models", nargs="+", default=[MINILM.name, E5.name])
    parser.add_argument("--held-out", action="store_true", help="fit again without each set; takes a minute for each")
    parser.add_argument("--cache", type=Path, default=Path(sys.prefix) / "share" / "anchorage" / "models")
    chosen = parser.parse_args(arguments)
    measured = asyncio.run(measure_sets(chosen.sets, chosen.models, chosen.queries, chosen.cache))
    print(json.dumps(describe(measured, chosen.held_out), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
