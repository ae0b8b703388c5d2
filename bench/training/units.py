"""Fits the ranker of units and its probability, and writes `ranker.json`: `python -m bench.training.units FILE... [--questions N] [--out FILE]`.

Prints, as JSON, for each set how often the first unit is right and how well the probability tells questions without an answer from those
with one: once fitted on all sets, once on the others only (`held_out`).

Both models are linear and are fitted towards weights that were set by hand (`PRIOR`), from which only data moves them: the sets have few lists,
forms and commands, and what is known of these must not be unlearned from questions about prose.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.quoting.features import NAMES
from anchorage.chat.quoting.ranker import EVIDENCE, OTHER_LANGUAGE, SAME_LANGUAGE, describe_evidence
from anchorage.settings import load_settings
from anchorage.text.analyser import format_analyser_name, load_analyser
from anchorage.wiring.models import open_client, open_embedder
from bench.training.questions import Judged, judge_questions

OUT = Path("src/anchorage/chat/quoting/ranker.json")
PRIOR = {
    "covers": 4.0,
    "context_adds": 2.0,
    "cosine": 1.5,
    "passage_score": 1.5,
    "holds_rarest": 0.5,
    "context_has_rarest": 0.4,
    "type_there": 0.5,
    "name_missing": -1.0,
    "date_missing": -2.0,
    "number_missing": -1.5,
    "number_there": 0.2,
    "date_there": 0.4,
    "reason_there": 0.5,
    "form_there": 1.5,
    "form_missing": -1.5,
    "contact_there": 2.0,
    "contact_missing": -2.0,
    "key_match": 0.8,
    "key_answers": 3.0,
    "row_first_cell": 1.0,
    "defines": 1.0,
    "names_class": 0.8,
    "defines_title": 1.0,
    "of_other_version": -3.0,
    "heading_match": 0.5,
    "heading_is_subject": 0.8,
    "lead_match": 1.0,
    "list_wanted": 2.6,
    "is_list": -0.8,
    "item_wanted": 0.3,
    "code_wanted": 2.2,
    "is_code": -1.5,
    "is_heading": -1.0,
    "heading_dated": 2.5,
    "yes_no_negates": 0.5,
    "adds_nothing": -2.5,
    "adds_little": -0.8,
    "ends_open": -2.0,
    "points_elsewhere": -1.0,
    "shouts": -1.0,
    "too_long": -0.6,
    "titled": -1.5,
    "spread_over_items": -3.0,
    "has_address": -1.0,
    "opens_backwards": -0.4,
}
EVIDENCE_PRIOR = {
    "first.key_match": 0.8,
    "first.key_answers": 1.5,
    "first.form_there": 0.8,
    "first.form_missing": -1.0,
    "first.heading_is_subject": 0.8,
    "first.heading_dated": 2.0,
    "first.names_class": 0.8,
    "first.defines": 0.4,
    "first.lead_match": 0.8,
    "first.row_first_cell": 0.8,
    "first.code_wanted": 0.8,
    "first.list_wanted": 0.4,
    "first.names_nowhere": -3.0,
}
_OF_FIRST = (
    "cosine",
    "covers",
    "context_adds",
    "neighbours_add",
    "document_adds",
    "names_missing",
    "rarest_is_absent",
    "name_missing",
    "date_missing",
    "number_missing",
    "type_there",
    "passage_score",
    "passage_cosine",
    "holds_rarest",
    "context_has_rarest",
    "adds_little",
)
_USED = {
    *(name for name in EVIDENCE if not name.startswith("first.")),
    *(f"first.{name}" for name in _OF_FIRST),
    *EVIDENCE_PRIOR,
}
_USED_OF_OTHER_LANGUAGE = {
    "score",
    "lead_over_second",
    "best_cosine",
    "first.cosine",
    "first.passage_score",
    "first.passage_cosine",
    *EVIDENCE_PRIOR,
}
"""The judged questions of this kind are nearly all about an encyclopedia: what else is known of their units does not carry over."""
_PULL, _EVIDENCE_PULL = 300.0, 20.0  # how strongly weights are held at the prior
_LEAST_SPREAD = 0.05
Loss = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def minimise(loss: Loss, start: NDArray[np.float64], steps: int = 400) -> NDArray[np.float64]:
    """Accelerated gradient descent with a step that is found by halving (Nesterov, 1983); for smooth convex functions."""
    point, ahead, momentum, step = start, start, 1.0, 1e-3
    for _ in range(steps):
        value, gradient = loss(ahead)
        step *= 1.5
        while True:
            found = ahead - step * gradient
            if loss(found)[0] <= value - 0.5 * step * float(gradient @ gradient) or step < 1e-9:
                break
            step /= 2
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = found + (momentum - 1) / following * (found - point)
        point, momentum = found, following
    return point


def fit_ranker(judged: Sequence[Judged]) -> NDArray[np.float64]:
    """Weights for which the right units of a question are likely, among all of them (a softmax)."""
    used = [item for item in judged if item.right.any()]
    table = np.concatenate([item.table for item in used]).astype(np.float64)
    right = np.concatenate([item.right for item in used])
    sizes = [len(item.right) for item in used]
    starts, owner = np.cumsum([0, *sizes[:-1]]), np.repeat(np.arange(len(used)), sizes)
    mean, spread = table.mean(axis=0), np.maximum(table.std(axis=0), _LEAST_SPREAD)
    scaled = (table - mean) / spread
    prior = np.array([PRIOR.get(name, 0.0) for name in NAMES]) * spread

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = scaled @ weights
        shifted = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
        share = shifted / np.add.reduceat(shifted, starts)[owner]
        told = np.maximum(np.add.reduceat(share * right, starts), 1e-12)
        gradient = scaled.T @ (share - share * right / told[owner])
        away = weights - prior
        return float(-np.log(told).sum() + _PULL * away @ away), gradient + 2 * _PULL * away

    return minimise(loss, prior) / spread


def fit_evidence(judged: Sequence[Judged], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Weights and bias for the probability that the first unit is right."""
    known = np.stack([describe_evidence(item.table, item.table @ weights) for item in judged])
    right = np.array([item.right[int(np.argmax(item.table @ weights))] for item in judged], dtype=np.float64)
    used = _USED_OF_OTHER_LANGUAGE if judged[0].other_language else _USED
    keep = np.array([name in used for name in EVIDENCE])
    mean, spread = known.mean(axis=0), np.maximum(known.std(axis=0), _LEAST_SPREAD)
    scaled = np.where(keep, (known - mean) / spread, 0.0)
    prior = np.append(np.array([EVIDENCE_PRIOR.get(name, 0.0) for name in EVIDENCE]) * spread * keep, 0.0)

    def loss(given: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = scaled @ given[:-1] + given[-1]
        wrong = 1 / (1 + np.exp(-logits)) - right
        away = np.append(given[:-1] - prior[:-1], 0.0)
        value = np.logaddexp(0, -logits) @ right + np.logaddexp(0, logits) @ (1 - right) + _EVIDENCE_PULL * away @ away
        return float(value), np.append(scaled.T @ wrong, wrong.sum()) + 2 * _EVIDENCE_PULL * away

    fitted = minimise(loss, prior)
    found = fitted[:-1] / spread * keep
    return found, float(fitted[-1] - found @ np.where(keep, mean, 0.0))


def measure(
    judged: Sequence[Judged], weights: NDArray[np.float64], evidence: tuple[NDArray[np.float64], float]
) -> dict[str, Any]:
    """How often the first unit is right, and the AUC of the probability: with an answer against the document left out, and against none."""
    first, with_answer, left_out, without = [], [], [], []
    for item in judged:
        scores = item.table @ weights
        logit = float(describe_evidence(item.table, scores) @ evidence[0]) + evidence[1]
        if item.right.any():
            first.append(bool(item.right[int(np.argmax(scores))]))
        (with_answer if item.right.any() else left_out if item.absent else without).append(logit)
    return {
        "questions": len(judged),
        "first_right": round(float(np.mean(first)), 3) if first else None,
        "auc_left_out": _auc(with_answer, left_out),
        "auc_no_answer": _auc(with_answer, without),
    }


def _auc(high: Sequence[float], low: Sequence[float]) -> float | None:
    if not high or not low:
        return None
    return round(float(np.mean(np.array(high)[:, None] > np.array(low)[None])), 3)


def _fit(judged: Sequence[Judged]) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], float]]:
    weights = fit_ranker(judged)
    return weights, fit_evidence(judged, weights)


async def _read(files: Sequence[Path], most: int) -> dict[str, list[Judged]]:
    settings, found = load_settings(), {}
    analyser = load_analyser(format_analyser_name("english"))
    async with open_client(settings) as client:
        embedder = await open_embedder(settings, client)
        for file in files:
            found[file.stem] = await judge_questions(file, most, embedder, analyser)
            print(f"{file.stem}: {len(found[file.stem])} questions", file=sys.stderr)
    return found


def main() -> None:
    """Fit, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=1500, help="of each set")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    sets = asyncio.run(_read(given.files, given.questions))
    everything = [item for items in sets.values() for item in items]
    fitted = {name: _fit(chosen) for name, chosen in _by_language(everything).items()}
    report: dict[str, Any] = {}
    for name, items in sets.items():
        others = _by_language([item for other, theirs in sets.items() if other != name for item in theirs])
        for mine, chosen in _by_language(items).items():
            report[f"{name} {mine}"] = measure(chosen, *fitted[mine])
            if mine in others:
                report[f"{name} {mine}"]["held_out"] = measure(chosen, *_fit(others[mine]))
    given.out.write_text(
        json.dumps({name: _name_weights(*of) for name, of in fitted.items()}, indent=1) + "\n", "utf-8"
    )
    print(json.dumps(report, indent=1))


def _by_language(items: Sequence[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for item in items:
        found.setdefault(OTHER_LANGUAGE if item.other_language else SAME_LANGUAGE, []).append(item)
    return found


def _name_weights(weights: NDArray[np.float64], evidence: tuple[NDArray[np.float64], float]) -> dict[str, Any]:
    def name(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
        return {name: round(float(v), 5) for name, v in zip(names, values, strict=True) if abs(v) > 1e-5}

    return {
        "weights": name(NAMES, weights),
        "evidence": name(EVIDENCE, evidence[0]),
        "bias": round(evidence[1], 5),
    }


if __name__ == "__main__":
    main()
