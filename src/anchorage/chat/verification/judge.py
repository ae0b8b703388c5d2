"""Decides which passages support a claim: the cited ones if they do, else the best one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.verification.align import Claim, Support
from anchorage.chat.verification.passage import load_passage
from anchorage.chat.verification.reading import Reading
from anchorage.model import Hit
from anchorage.text.analyser import Analyser, format_analyser_name, load_analyser
from anchorage.text.languages import KNOWN, Language, detect_language, load_language

_SECOND_PASSAGE_MARGIN = 0.1  # a second marked passage is kept if it supports a claim about as well as the first
_CITED_MARGIN = 0.2  # a marked passage that supports a claim is kept unless another does so much better
_SURE_SCORE = 0.95  # a marked passage that holds this much is not compared with others
_SAME_SOURCE_BONUS = 0.03  # the bonus of the passage that supported the claim before
_MIN_DOUBTFUL_SHARE = 0.3  # with a smaller share of common words, meaning is not compared either
_CLAUSES = (  # where a sentence is cut into clauses, clear joints first
    re.compile(r"[;,]\s+(?:and|but|while|whereas|which|who|where)\s+|;\s+"),
    re.compile(r"(?:[;,]\s+)?\b(?:and|but|while|whereas|which|who|where)\s+|;\s+|,\s+(?=[a-z]+ed\s)"),
)
_MIN_QUOTED_SPACES = 3  # a sentence with fewer spaces may mean something else in another place
_CLAUSE_TERMS = 2  # a clause with fewer content terms is no claim of its own


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim with what supports it."""

    claim: Claim
    supports: Sequence[Support]


class Judge:
    """Checks claims against the passages of one answer. Passages are numbered from 1."""

    def __init__(self, passages: Sequence[Hit], question: str, analyser: Analyser, answer: str) -> None:
        self._detect_answer_language, self._analyser = _detect_answer_language(passages, answer, analyser)
        self.passages = [load_passage(hit, self._analyser, self._detect_answer_language) for hit in passages]
        self._question = question
        self._question_reading: Reading | None = None
        self._last_passage: int | None = None

    def make_claim(self, text: str) -> Claim:
        return Claim(" ".join(text.split()), self._read_question, self._analyser, self._detect_answer_language)

    def _read_question(self) -> Reading:
        self._question_reading = self._question_reading or Reading(
            self._question, self._analyser, self._detect_answer_language
        )
        return self._question_reading

    def match_quotation(self, claim: Claim, cited: Sequence[int]) -> Finding | None:
        """Return a finding if the claim is, word for word, a sentence of each passage that it cites."""
        if not cited or claim.text.count(" ") < _MIN_QUOTED_SPACES:
            return None
        found = []
        for number in cited:
            span = self.passages[number - 1].find_verbatim(claim.text) if 1 <= number <= len(self.passages) else None
            if span is None:
                return None
            found.append(Support(number, *span, 1.0))
        self._last_passage = found[0].passage
        return Finding(claim, found)

    def judge_claim(self, claim: Claim, cited: Sequence[int]) -> Finding:
        """Check the cited passages, and the others unless a cited one is sure."""
        mine, rest = self._split_by_citation(cited)
        good = list(self._iterate_supports(claim, mine))
        if not any(item.score >= _SURE_SCORE for item in good):
            good += self._iterate_supports(claim, rest)
        if not good:
            return Finding(claim, ())
        best = max(good, key=self._rank_support)
        # An equally good passage that was not cited gives way to one that was.
        kept = [item for item in good if item.passage in cited and item.score >= best.score - _CITED_MARGIN]
        kept = [item for item in kept if item.score >= max(other.score for other in kept) - _SECOND_PASSAGE_MARGIN]
        self._last_passage = (kept or [best])[0].passage
        return Finding(claim, kept or [best])

    def find_near_supports(self, claim: Claim, cited: Sequence[int]) -> Sequence[Support]:
        """Return what comes near to an unsupported claim without contradicting it, the cited passages first.

        Empty where the words leave no doubt that nothing supports it.
        """
        mine, rest = self._split_by_citation(cited)
        near = [claim.find_nearest(number, self.passages[number - 1]) for number in (*mine, *rest)]
        open_ = [item for item in near if item is not None and not item.conflict]
        return open_ if any(item.score >= _MIN_DOUBTFUL_SHARE for item in open_) else ()

    def find_supports(self, claim: Claim, cited: Sequence[int]) -> Sequence[Support]:
        """Return what supports the claim in these passages alone."""
        return list(self._iterate_supports(claim, cited))

    def judge_clauses_apart(self, claim: Claim, cited: Sequence[int]) -> Sequence[Finding]:
        """Return the findings of the clauses of a claim that has no support as a whole, unless a passage contradicts it."""
        if not any(True for _ in self._cut_into_clauses(claim)) or any(
            claim.is_contradicted_by(passage) for passage in self.passages
        ):
            return ()
        return self.judge_clauses(claim, cited)

    def judge_clauses(self, claim: Claim, cited: Sequence[int], *, only: bool = False) -> Sequence[Finding]:
        """Return the findings of the claim's clauses if each is supported, else nothing. `only`: the cited passages alone count."""
        for claims in self._cut_into_clauses(claim):
            findings = [
                Finding(part, self.find_supports(part, cited)) if only else self.judge_claim(part, cited)
                for part in claims
            ]
            if all(finding.supports for finding in findings):
                return findings
        return ()

    def _cut_into_clauses(self, claim: Claim) -> Iterator[list[Claim]]:
        """Yield the clauses of a claim, for each way to cut it."""
        for joints in _CLAUSES:
            claims = [self.make_claim(text) for text in joints.split(claim.text) if text.strip()]
            if len(claims) >= 2 and all(len(part.reading.content) >= _CLAUSE_TERMS for part in claims):
                yield claims

    def judge_by_meaning(
        self, finding: Finding, vector: NDArray[np.float32], candidates: Sequence[Support],
        vectors: NDArray[np.float32], least: float, cited: Sequence[int],
    ) -> Finding:  # fmt: skip
        """Return the finding with the candidates whose meaning is near enough. Vectors have length 1."""
        near = vectors @ vector
        good = [
            (float(likeness), item) for likeness, item in zip(near, candidates, strict=True)
            if likeness >= ((1 + least) / 2 if item.bare else least)  # names and numbers alone make sentences alike
        ]  # fmt: skip
        if not good:
            return finding
        chosen = [item for _, item in good if item.passage in cited] or [max(good, key=lambda pair: pair[0])[1]]
        return Finding(finding.claim, chosen)

    def _iterate_supports(self, claim: Claim, numbers: Sequence[int]) -> Iterator[Support]:
        for number in numbers:
            support = claim.find_support(number, self.passages[number - 1])
            if support is not None:
                yield support

    def _split_by_citation(self, cited: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the numbers of the cited passages, and those of the others."""
        count = len(self.passages)
        return [n for n in cited if 1 <= n <= count], [n for n in range(1, count + 1) if n not in cited]

    def _rank_support(self, support: Support) -> tuple[float, int]:
        return support.score + (_SAME_SOURCE_BONUS if support.passage == self._last_passage else 0), -support.passage


def _detect_answer_language(passages: Sequence[Hit], answer: str, analyser: Analyser) -> tuple[Language, Analyser]:
    """Return the language of an answer, as far as it shows, and its analyser."""
    expected = load_language(analyser.language)
    if passages:
        expected = detect_language(passages[0].text, expected)
    language = detect_language(answer, expected)
    if language.name == analyser.language or language.name not in KNOWN:
        return language, analyser
    stemmed = language.name not in ("vietnamese", "chinese", "japanese")
    return language, load_analyser(format_analyser_name(language.name if stemmed else "none"))
