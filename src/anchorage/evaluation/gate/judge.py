"""judge: whether an answer says what the golden set wants, and cites where it comes from. No model judges."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import unquote

from anchorage.evaluation.gate.golden_set import GoldenQuestion
from anchorage.model import Answer

_MARKER = re.compile(r"\[\d{1,3}\]")
_EMPHASIS = re.compile(r"[*_`]+")
_SPACES = re.compile(r"\s+")


class Verdict(StrEnum):
    """How an answer did."""

    COMPLETE = "complete"
    PARTLY = "partly"
    UNCITED = "uncited"
    """All of it is there, and none of the documents that should be cited is."""
    WRONG = "wrong"
    WRONGLY_ABSTAINED = "wrongly_abstained"
    WRONGLY_ANSWERED = "wrongly_answered"
    RIGHTLY_ABSTAINED = "rightly_abstained"

    @property
    def is_good(self) -> bool:
        return self in (Verdict.COMPLETE, Verdict.RIGHTLY_ABSTAINED)


def judge_answer(question: GoldenQuestion, answer: Answer) -> Verdict:
    """Judge the answer to the last turn. Markers, emphasis and line breaks do not count."""
    if question.must_abstain:
        return Verdict.RIGHTLY_ABSTAINED if answer.abstained else Verdict.WRONGLY_ANSWERED
    if answer.abstained:
        return Verdict.WRONGLY_ABSTAINED
    text = _SPACES.sub(" ", _EMPHASIS.sub("", _MARKER.sub("", answer.answer)))
    held = sum(any(pattern.search(text) for pattern in group) for group in question.gold)
    if held < question.need:
        return Verdict.PARTLY if held else Verdict.WRONG
    cited = [unquote(citation.uri) for citation in answer.citations]
    if question.cite and not any(uri.endswith(end) for uri in cited for end in question.cite):
        return Verdict.UNCITED
    return Verdict.COMPLETE
