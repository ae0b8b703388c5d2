"""reliability: how far the neighbours and the words of one question can be trusted, so which share of a fused score is whose.

Four things are measured: whether the index knows the question's words at all (of a question in another language it knows few),
whether the two lists agree, which one's best stands out more, and how long the question is.
Nothing is said of languages: an embedder that does not know one ranks at random, and then the lists disagree.

The numbers were fitted by `bench/training/fusion.py` (docs/adr/0003-fusion.md). After Bruch, Gai and Ingber 2022, "An Analysis of
Fusion Functions for Hybrid Retrieval", whose single weight this replaces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.postgres.lexical.lexical_search import QuestionTerms

_FEWEST = 3
_USUAL_LENGTH = 2.1  # of log(1 + terms)


@dataclass(frozen=True, slots=True)
class Signals:
    """What is measured of a question's two lists: numbers, or arrays of them for many questions."""

    known: Any
    """Share of the question's terms, by weight, that the index has."""
    length: Any
    """log(1 + terms), less that of a usual question."""
    correlation: Any
    """Of the two scores, over all candidates."""
    best_neighbour: Any
    """What the words say of the nearest passage, 0 to 1."""
    best_worded: Any
    """How near the best passage by words is, 0 to 1."""
    clearer: Any
    """By how many standard deviations more the nearest stands out of its list than the best by words of its own."""


@dataclass(frozen=True, slots=True)
class FusionModel:
    """The fitted numbers: where trust begins, how steeply it rises, and what counts how much."""

    known: float = 0.382
    known_slope: float = 2.603
    agreement: float = 0.551
    agreement_slope: float = 3.192
    best_neighbour: float = 3.38
    best_worded: float = 3.335
    clearer: float = 0.481
    length: float = 0.369

    def weigh_neighbours(self, signals: Signals, share: float) -> Any:
        """The share of the dense score in the fused one, 0 to 1; `share`: the one where both lists are as good as each other."""
        trust_words = _sigmoid(self.known_slope * (signals.known - self.known))
        agreement = (
            signals.correlation + self.best_neighbour * signals.best_neighbour + self.best_worded * signals.best_worded
        )
        # Where the words are not to be trusted, a disagreement with them says nothing.
        trust_neighbours = 1 - trust_words * (1 - _sigmoid(self.agreement_slope * (agreement - self.agreement)))
        balance = math.log(share / (1 - share)) + self.clearer * signals.clearer + self.length * signals.length
        base = _sigmoid(balance)
        mine, other = base * trust_neighbours, (1 - base) * trust_words
        return mine / (mine + other)


_FITTED = FusionModel()


def weigh_neighbours(
    nearness: NDArray[np.float32], words: NDArray[np.float32], near: NDArray[np.bool_], worded: NDArray[np.bool_],
    asked: QuestionTerms, share: float,
) -> float:  # fmt: skip
    """The share of the dense score in the fused one for this question. Where one list is empty, the other one counts alone.

    `nearness`, `words`: normalised scores of the candidates; `near`, `worded`: which are in each list.
    """
    if not 0 < share < 1:
        return share
    if not near.any() or not worded.any():
        return float(near.any())
    return float(_FITTED.weigh_neighbours(measure_signals(nearness, words, near, worded, asked), share))


def measure_signals(
    nearness: NDArray[np.float32], words: NDArray[np.float32], near: NDArray[np.bool_], worded: NDArray[np.bool_],
    asked: QuestionTerms,
) -> Signals:  # fmt: skip
    """The signals of one question; neither list may be empty."""
    either = near | worded
    return Signals(
        known=asked.known,
        length=math.log1p(asked.count) - _USUAL_LENGTH,
        correlation=_correlate(nearness[either], words[either]),
        best_neighbour=float(words[np.argmax(np.where(near, nearness, -1))]),
        best_worded=float(nearness[np.argmax(np.where(worded, words, -1))]),
        clearer=_stand_out(nearness[near]) - _stand_out(words[worded]),
    )


def _sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))


def _correlate(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Pearson's correlation; 0 where one does not vary."""
    left, right = left - left.mean(), right - right.mean()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / scale if scale > 1e-9 else 0.0


def _stand_out(scores: NDArray[np.float32]) -> float:
    """By how many standard deviations the best is above the mean."""
    if len(scores) < _FEWEST or (deviation := float(scores.std())) < 1e-6:
        return 0.0
    return (float(scores.max()) - float(scores.mean())) / deviation
