"""Retrieval and answer metrics. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np


def ndcg(ranked: Sequence[str], relevant: Mapping[str, int], depth: int) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), with linear gain, as trec_eval has it."""
    gain = sum(relevant.get(item, 0) / math.log2(place + 2) for place, item in enumerate(ranked[:depth]))
    best = sorted(relevant.values(), reverse=True)[:depth]
    ideal = sum(grade / math.log2(place + 2) for place, grade in enumerate(best))
    return gain / ideal if ideal else 0.0


def recall(ranked: Sequence[str], relevant: Mapping[str, int], depth: int) -> float:
    """Share of the relevant documents among the first `depth`."""
    return len(set(ranked[:depth]) & set(relevant)) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, int], depth: int) -> float:
    """One over the place of the first relevant document, 0 when it is not among the first `depth`."""
    return next((1 / (place + 1) for place, item in enumerate(ranked[:depth]) if item in relevant), 0.0)


def contains_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the gold answers occurs in the text, letter case and spacing aside."""
    folded = " ".join(text.casefold().split())
    return any(" ".join(answer.casefold().split()) in folded for answer in answers)


def mean(values: Sequence[float]) -> float | None:
    """The mean to six places, or None of nothing."""
    return round(float(np.mean(values)), 6) if len(values) else None


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    if not seconds:
        return {}
    return {f"p{point}": round(float(np.percentile(seconds, point)) * 1000, 3) for point in (50, 95, 99)}
