"""Local models against each other on a judged set: python -m bench.embedding DIR [MODEL...].

Of each model its int8 graph against its float graph: speed, likeness and, where there are judgements, nDCG@10; and the resident memory
that it takes. The first model is the reference of the ratios.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anchorage.adapters.models.local_embedding.catalogue import E5, LOCAL_MODELS, MINILM, LocalModel
from anchorage.adapters.models.local_embedding.embedder import LocalEmbedder, open_local_embedder
from anchorage.evaluation.dataset import EvalQuery, read_corpus, read_dataset
from anchorage.evaluation.metrics import ndcg
from bench.support import made_up_text, report

_TIMED = 600


async def compare(model: LocalModel, corpus: Sequence[tuple[str, str]], queries: Sequence[EvalQuery]) -> dict[str, Any]:
    """Speed, likeness and, where there are judgements, nDCG@10 of both graphs."""
    texts = [text for _, text in corpus]
    with tempfile.TemporaryDirectory() as cache:
        exact, quick = [
            await open_local_embedder(model, Path(cache), precision=precision) for precision in ("float32", "int8")
        ]
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


async def _speeds(embedders: Sequence[LocalEmbedder], texts: Sequence[str]) -> list[float]:
    """Passages per second, the two taking turns, the best of three rounds each."""
    best = [0.0] * len(embedders)
    for _ in range(3):
        for number, embedder in enumerate(embedders):
            started = time.perf_counter()
            await embedder.embed_passages(texts)
            best[number] = max(best[number], len(texts) / (time.perf_counter() - started))
    return best


async def _ndcg(
    embedder: LocalEmbedder, vectors: Any, corpus: Sequence[tuple[str, str]], queries: Sequence[EvalQuery]
) -> float:
    values = []
    for query in queries:
        order = np.argsort(-(vectors @ await embedder.embed_query(query.text)))[:10]
        values.append(ndcg([corpus[at][0] for at in order], query.relevant, 10))
    return float(np.mean(values))


_LOAD = """
import asyncio, pathlib, sys
from anchorage.adapters.models.local_embedding.catalogue import LOCAL_MODELS
from anchorage.adapters.models.local_embedding.embedder import open_local_embedder

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

async def measure(name, cache):
    before = resident()
    embedder = await open_local_embedder(LOCAL_MODELS[name], pathlib.Path(cache))
    await embedder.embed_passages(["word " * 200] * 8)
    print((resident() - before) / 2**20)

asyncio.run(measure(*sys.argv[1:]))
"""


def _measure_memory(model: LocalModel) -> float:
    """What a process of its own takes more once the model is loaded and has read some passages, in MiB."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", _LOAD, model.name, cache]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return round(float(shown.stdout), 1)


def main(arguments: Sequence[str]) -> None:
    if arguments:
        dataset = read_dataset(Path(arguments[0]))
        corpus = [(key, f"{title}\n{text}" if title else text) for key, title, text in read_corpus(dataset.corpus)]
        queries = [query for query in dataset.queries if query.relevant]
    else:
        corpus, queries = [(str(number), made_up_text(number, 8)) for number in range(400)], []
    models = [LOCAL_MODELS[name] for name in arguments[1:]] or [MINILM, E5]
    figures = {model.name: asyncio.run(compare(model, corpus, queries)) for model in models}
    first = figures[models[0].name]["passages_per_second"]["int8"]
    speeds = {name: round(found["passages_per_second"]["int8"] / first, 2) for name, found in figures.items()}
    memory = {model.name: _measure_memory(model) for model in models}
    report(**figures, speed_to_first=speeds, resident_mib=memory)


if __name__ == "__main__":
    main(sys.argv[1:])
