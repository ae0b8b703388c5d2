"""ranker: how well each unit answers a question, and how likely the best one does.

Two linear models over `features`, which `bench/training` fits on judged questions: one ranks the units of a question (a softmax over them,
Cao et al., 2007, "Learning to rank: from pairwise approach to listwise approach"), the other says how likely the first one is right
(logistic regression over what is known of it). Questions in another language than the documents have two of their own: few of their words
can be there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.quoting.features import NAMES
from anchorage.chat.quoting.units import Unit

SAME_LANGUAGE, OTHER_LANGUAGE = "same_language", "other_language"
"""The two models of `ranker.json`."""
EVIDENCE = (
    "score", "lead_over_second", "best_cosine", "best_cover", "cover_with_context", "cover_of_document", "rarest_is_held", "units",
    *(f"first.{name}" for name in NAMES),
)  # fmt: skip

_COVER = ("covers", "context_adds", "neighbours_add", "document_adds")
# What judged questions seldom show, and what decides where it is so: a name, number or code of the question that is nowhere in what was found,
# and an e-mail address, a price or the like that was asked for and is not there. Added to the logit.
_TELLING = {"names_nowhere": -2.0, "form_missing": -1.0, "contact_missing": -2.0}


@dataclass(frozen=True, slots=True)
class RankedUnits:
    """Units from best to worst with their scores, and the probability that the first one answers the question."""

    units: Sequence[Unit]
    scores: Sequence[float]
    probability: float


@dataclass(frozen=True, slots=True)
class _Model:
    weights: NDArray[np.float64]
    evidence: NDArray[np.float64]
    bias: float


@lru_cache(maxsize=2)
def _load_model(name: str) -> _Model:
    read = json.loads(files("anchorage.chat.quoting").joinpath("ranker.json").read_text("utf-8"))[name]
    return _Model(
        np.array([read["weights"].get(name, 0.0) for name in NAMES]),
        np.array([read["evidence"].get(name, 0.0) for name in EVIDENCE]),
        read["bias"],
    )


def rank_units(units: Sequence[Unit], table: NDArray[np.float32], *, other_language: bool = False) -> RankedUnits:
    """Rank units by their features, shape (units, features). `other_language`: the question is in another one than the units."""
    if not units:
        return RankedUnits((), (), 0.0)
    model = _load_model(OTHER_LANGUAGE if other_language else SAME_LANGUAGE)
    scores = table @ model.weights
    order = np.argsort(-scores, kind="stable").tolist()
    logit = float(describe_evidence(table, scores) @ model.evidence) + model.bias
    logit += sum(weight * float(table[order[0], NAMES.index(name)]) for name, weight in _TELLING.items())
    probability = 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
    if not other_language and not table[:, [NAMES.index(name) for name in _COVER]].any():
        probability = 0.0  # not a word of the question is anywhere in what was found
    return RankedUnits([units[at] for at in order], [float(scores[at]) for at in order], probability)


def describe_evidence(table: NDArray[np.float32], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is known of the best unit, in the order of `EVIDENCE`."""
    order = np.argsort(-scores, kind="stable")
    first = table[order[0]]
    column = NAMES.index
    covers = table[:, column("covers")]
    rarest = table[:, [column("holds_rarest"), column("context_has_rarest")]].max()
    of_document = table[:, [column(name) for name in _COVER]].sum(axis=1).max()
    lead = scores[order[0]] - scores[order[1]] if len(order) > 1 else 1.0
    known = (
        scores[order[0]], lead, table[:, 0].max(), covers.max(), first[column("covers")] + first[column("context_adds")], of_document, rarest,
        math.log1p(len(table)),
    )  # fmt: skip
    return np.concatenate([np.array(known, dtype=np.float64), first.astype(np.float64)])
