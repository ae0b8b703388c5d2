"""Which passages support a claim: those that its markers name where they do, else the one that does best."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.verification.align import Claim, Support
from anchorage.chat.verification.passage import passage_of
from anchorage.chat.verification.reading import Reading
from anchorage.model import Hit
from anchorage.text.analyser import Analyser, format_analyser_name, load_analyser
from anchorage.text.languages import KNOWN, Language, detect_language, load_language

_BESIDE = 0.1  # a second marked passage is kept if it supports a claim about as well as the first
_MARGIN = 0.2  # a marked passage that supports a claim is kept unless another does so much better
_SURE = 0.95  # a marked passage that holds this much is not compared with others
_SAME_SOURCE = 0.03  # what the passage of the claim before is ahead of others
_DOUBTFUL = 0.3  # below this share of common words, meaning is not asked either
_CLAUSES = (  # where a sentence is cut, clear joints first
    re.compile(r"[;,]\s+(?:and|but|while|whereas|which|who|where)\s+|;\s+"),
    re.compile(r"(?:[;,]\s+)?\b(?:and|but|while|whereas|which|who|where)\s+|;\s+|,\s+(?=[a-z]+ed\s)"),
)
_QUOTED = 3  # spaces without which a sentence may say something else in another place
_CLAUSE_TERMS = 2  # content terms without which a clause is no claim of its own


@dataclass(frozen=True, slots=True)
class Finding:
    """What speaks for a claim."""

    claim: Claim
    supports: Sequence[Support]


class Judge:
    """Holds claims against the passages of one answer. Passages are numbered from 1."""

    def __init__(self, passages: Sequence[Hit], question: str, analyser: Analyser, answer: str) -> None:
        self._language, self._analyser = _language(passages, answer, analyser)
        self.passages = [passage_of(hit, self._analyser, self._language) for hit in passages]
        self._question = question
        self._read: Reading | None = None
        self._before: int | None = None

    def claim(self, text: str) -> Claim:
        return Claim(" ".join(text.split()), self._asked, self._analyser, self._language)

    def _asked(self) -> Reading:
        self._read = self._read or Reading(self._question, self._analyser, self._language)
        return self._read

    def quoted(self, claim: Claim, cited: Sequence[int]) -> Finding | None:
        """The finding of a claim that is, word for word, a sentence of each passage that it cites."""
        if not cited or claim.text.count(" ") < _QUOTED:
            return None
        found = []
        for number in cited:
            span = self.passages[number - 1].verbatim(claim.text) if 1 <= number <= len(self.passages) else None
            if span is None:
                return None
            found.append(Support(number, *span, 1.0))
        self._before = found[0].passage
        return Finding(claim, found)

    def hold(self, claim: Claim, cited: Sequence[int]) -> Finding:
        """Look at the cited passages, and at the others unless one of the cited is sure to be right."""
        mine, rest = self._parted(cited)
        good = list(self._supports(claim, mine))
        if not any(item.score >= _SURE for item in good):
            good += self._supports(claim, rest)
        if not good:
            return Finding(claim, ())
        best = max(good, key=self._rank)
        # An equally good passage that was not cited gives way to one that was.
        kept = [item for item in good if item.passage in cited and item.score >= best.score - _MARGIN]
        kept = [item for item in kept if item.score >= max(other.score for other in kept) - _BESIDE]
        self._before = (kept or [best])[0].passage
        return Finding(claim, kept or [best])

    def doubts(self, claim: Claim, cited: Sequence[int]) -> Sequence[Support]:
        """What comes near to a claim that nothing supports and does not say otherwise, the cited passages first.

        Nothing where the words leave no doubt that nothing supports it.
        """
        mine, rest = self._parted(cited)
        near = [claim.nearest(number, self.passages[number - 1]) for number in (*mine, *rest)]
        open_ = [item for item in near if item is not None and not item.conflict]
        return open_ if any(item.score >= _DOUBTFUL for item in open_) else ()

    def among(self, claim: Claim, cited: Sequence[int]) -> Sequence[Support]:
        """What supports the claim in these passages, no others looked at."""
        return list(self._supports(claim, cited))

    def apart(self, claim: Claim, cited: Sequence[int]) -> Sequence[Finding]:
        """The findings of the clauses of a claim that nothing supports as one, unless a passage contradicts it."""
        if not any(True for _ in self._cut(claim)) or any(claim.contradicted(passage) for passage in self.passages):
            return ()
        return self.clauses(claim, cited)

    def clauses(self, claim: Claim, cited: Sequence[int], *, only: bool = False) -> Sequence[Finding]:
        """The findings of the claim's clauses if each of them is supported, by `only` the cited if so asked; else nothing."""
        for claims in self._cut(claim):
            findings = [Finding(part, self.among(part, cited)) if only else self.hold(part, cited) for part in claims]
            if all(finding.supports for finding in findings):
                return findings
        return ()

    def _cut(self, claim: Claim) -> Iterator[list[Claim]]:
        """The clauses of a claim, for each way to cut it."""
        for joints in _CLAUSES:
            claims = [self.claim(text) for text in joints.split(claim.text) if text.strip()]
            if len(claims) >= 2 and all(len(part.reading.content) >= _CLAUSE_TERMS for part in claims):
                yield claims

    def by_meaning(
        self, finding: Finding, vector: NDArray[np.float32], candidates: Sequence[Support],
        vectors: NDArray[np.float32], least: float, cited: Sequence[int],
    ) -> Finding:  # fmt: skip
        """The finding with the candidates whose meaning is near enough. Vectors are of length 1."""
        near = vectors @ vector
        good = [
            (float(likeness), item) for likeness, item in zip(near, candidates, strict=True)
            if likeness >= ((1 + least) / 2 if item.bare else least)  # names and numbers alone make sentences alike
        ]  # fmt: skip
        if not good:
            return finding
        chosen = [item for _, item in good if item.passage in cited] or [max(good, key=lambda pair: pair[0])[1]]
        return Finding(finding.claim, chosen)

    def _supports(self, claim: Claim, numbers: Sequence[int]) -> Iterator[Support]:
        for number in numbers:
            support = claim.supports(number, self.passages[number - 1])
            if support is not None:
                yield support

    def _parted(self, cited: Sequence[int]) -> tuple[list[int], list[int]]:
        """The passages that are cited, and the others."""
        count = len(self.passages)
        return [n for n in cited if 1 <= n <= count], [n for n in range(1, count + 1) if n not in cited]

    def _rank(self, support: Support) -> tuple[float, int]:
        return support.score + (_SAME_SOURCE if support.passage == self._before else 0), -support.passage


def _language(passages: Sequence[Hit], answer: str, analyser: Analyser) -> tuple[Language, Analyser]:
    """The language that an answer is in, as far as it shows, and the analyser for it."""
    expected = load_language(analyser.language)
    if passages:
        expected = detect_language(passages[0].text, expected)
    language = detect_language(answer, expected)
    if language.name == analyser.language or language.name not in KNOWN:
        return language, analyser
    stemmed = language.name not in ("vietnamese", "chinese", "japanese")
    return language, load_analyser(format_analyser_name(language.name if stemmed else "none"))
