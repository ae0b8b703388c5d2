"""Citation precision and recall as ALCE defines them (Gao et al. 2023, https://arxiv.org/abs/2305.14627, section 3.3).

A sentence's recall is 1 if the passages that it cites together entail it. A citation's precision is 1 if its sentence's recall
is 1 and the citation is not irrelevant: it entails the sentence alone, or the others do not without it. ALCE asks an NLI
model; here the lexical entailment of `chat/verification/align.py` stands in for it, so figures are not comparable to published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from anchorage.chat.state import Draft
from anchorage.chat.verification.align import Claim
from anchorage.chat.verification.judge import Judge
from anchorage.chat.verification.verify import split_cited_sentences
from anchorage.text.analyser import Analyser


@dataclass(frozen=True, slots=True)
class CitationFigures:
    """One value a citation, and one a sentence."""

    precision: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)


def judge_citations(draft: Draft, question: str, analyser: Analyser) -> CitationFigures:
    """The figures of one answer, from its text and its markers alone."""
    hits = {statement.marker: statement.hit for statement in draft.statements}
    markers = sorted(hits)
    judge = Judge([hits[marker] for marker in markers], question, analyser, draft.text)
    figures = CitationFigures()
    for text, numbers in split_cited_sentences(draft.text):
        claim = judge.make_claim(text)
        if not claim.says_something:
            continue
        cited = [markers.index(number) + 1 for number in numbers if number in hits]
        recall = _is_entailed(judge, claim, cited)
        figures.recall.append(float(recall))
        for number in cited:
            others = [other for other in cited if other != number]
            needed = _is_entailed(judge, claim, [number]) or not _is_entailed(judge, claim, others)
            figures.precision.append(float(recall and needed))
        figures.precision.extend(0.0 for number in numbers if number not in hits)
    return figures


def _is_entailed(judge: Judge, claim: Claim, cited: Sequence[int]) -> bool:
    """Whether these passages together entail the claim: one of them as a whole, or each clause one of them."""
    return bool(judge.find_supports(claim, cited) or judge.judge_clauses(claim, cited, only=True))
