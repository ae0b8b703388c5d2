"""The int8 graph against the float graph on a judged set: python -m bench.embedding DIR."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anchorage.adapters.models.minilm import MiniLMEmbedder, open_minilm
from anchorage.evaluation.dataset import EvalQuery, read_corpus, read_dataset
from anchorage.evaluation.metrics import ndcg
from bench.support import made_up_text, report

_TIMED = 600


async def compare(corpus: Sequence[tuple[str, str]], queries: Sequence[EvalQuery]) -> dict[str, Any]:
    """Speed, likeness and, where there are judgements, nDCG@10 of both graphs."""
    texts = [text for _, text in corpus]
    with tempfile.TemporaryDirectory() as cache:
        exact, quick = [await open_minilm(Path(cache), precision=precision) for precision in ("float32", "int8")]
        speeds = await _speeds([exact, quick], texts[:_TIMED])
        vectors = [await embedder.embed_passages(texts) for embedder in (exact, quick)]
        cosines = (vectors[0] * vectors[1]).sum(axis=1)
        figures: dict[str, Any] = {
            "passages": len(texts),
            "passages_per_second": {
                "float32": round(speeds[0], 1),
                "int8": round(speeds[1], 1),
                "ratio": round(speeds[1] / speeds[0], 2),
            },
            "cosine": {"mean": round(float(cosines.mean()), 4), "min": round(float(cosines.min()), 4)},
        }
        if queries:
            means = [
                await _ndcg(embedder, found, corpus, queries)
                for embedder, found in zip((exact, quick), vectors, strict=True)
            ]
            figures["ndcg@10"] = {
                "float32": round(means[0], 4),
                "int8": round(means[1], 4),
                "difference": round(means[1] - means[0], 4),
            }
        return figures


async def _speeds(embedders: Sequence[MiniLMEmbedder], texts: Sequence[str]) -> list[float]:
    """Passages per second, the two taking turns, the best of three rounds each."""
    best = [0.0] * len(embedders)
    for _ in range(3):
        for number, embedder in enumerate(embedders):
            started = time.perf_counter()
            await embedder.embed_passages(texts)
            best[number] = max(best[number], len(texts) / (time.perf_counter() - started))
    return best


async def _ndcg(
    embedder: MiniLMEmbedder, vectors: Any, corpus: Sequence[tuple[str, str]], queries: Sequence[EvalQuery]
) -> float:
    values = []
    for query in queries:
        order = np.argsort(-(vectors @ await embedder.embed_query(query.text)))[:10]
        values.append(ndcg([corpus[at][0] for at in order], query.relevant, 10))
    return float(np.mean(values))


def main(arguments: Sequence[str]) -> None:
    if arguments:
        dataset = read_dataset(Path(arguments[0]))
        corpus = [(key, f"{title}\n{text}" if title else text) for key, title, text in read_corpus(dataset.corpus)]
        queries = [query for query in dataset.queries if query.relevant]
    else:
        corpus, queries = [(str(number), made_up_text(number, 8)) for number in range(400)], []
    report(**asyncio.run(compare(corpus, queries)))


if __name__ == "__main__":
    main(sys.argv[1:])
