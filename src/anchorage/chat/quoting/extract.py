"""Ranks the sentences of the found passages as answers, and measures the evidence that there is an answer at all.

A sentence's score is a weighted sum: the share of the question's words that it holds, its similarity in meaning, the rank of
its passage, and whether it holds the kind of thing that was asked for (a date, a number, a name). The weights are round numbers
that were not fitted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.quoting.prose import Kind, classify_spans
from anchorage.model import Hit
from anchorage.text.analyser import Analyser
from anchorage.text.sentences import find_statement_spans

# Words of a question that do not say what it is about; matching them means nothing.
_QUESTION_WORDS = "what who whom whose which when where why how many much did does do is are was were has have had can could name type kind"

_W_WORDING, _W_NEIGHBOURS, _W_MEANING, _W_RANK, _W_PASSAGE, _W_KIND = 1.0, 0.3, 1.0, 1.0, 0.5, 0.1
_W_DEFINES, _MAX_EXTRA_TERMS = 0.3, 2  # further terms that may stand before the verb of a definition
_E_NEAREST, _E_SENTENCE, _E_WORDING = 0.5, 0.5, 0.7
EVIDENCE_NEEDED = 0.89
"""Abstain below this much evidence: half the best passage's and half the best sentence's cosine, and .7 of the share of
the question's words that the answering passage holds."""

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion|half|"
    r"dozen|first|second|third)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b1\d{3}\b|\b20\d{2}\b|\bcentur|\b\d{1,2}(?:st|nd|rd|th)\b|\b(?:January|February|March|April|May|June|July|August|"
    r"September|October|November|December|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,;:\"'(] )[A-Z]\w+")
_ASKS_DATE = re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|century|day|month|decade)\b", re.IGNORECASE)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|large|big|high|often|fast|deep|wide|heavy)\b|"
    r"\bwhat (?:percent|percentage|number|amount|proportion|population|temperature|age)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(r"\b(?:who|whose|whom|where)\b|\bwhich (?:country|city|place|person)\b", re.IGNORECASE)
_ASKS_DEFINITION = re.compile(
    r"^(?:so |and |but )?(?:what(?:'s|\u2019s| is| are| was| were) |define |what do(?:es)? (?=.+ (?:mean|stand for)\b))(?P<subject>[^,;]+?)"
    r"(?: mean| stand for)?\s*\??$",
    re.IGNORECASE,
)
_SAYS_WHAT = re.compile(
    r"\b(?:is|are|was|were|means?|refers? to|stands? for|denotes?|describes?)\b|[\u2013\u2014:]|\s[-|]\s", re.IGNORECASE
)
_ASKS_CODE = re.compile(
    r"\b(?:commands?|code|syntax|flags?|options?|snippets?|scripts?)\b|"
    r"^(?:so |and |but )?how (?:to|(?:do|can|could|should|would) (?:i|we|you))\b",
    re.IGNORECASE,
)
_ASKS_SEVERAL = re.compile(
    r"\b(?:and|both|differ\w*|compare\w*|comparison|versus|vs|und|beide\w*|unterschie\w*|vergleich\w*|et|diffère\w*|différence\w*|"
    r"y|ambos|ambas|diferencia\w*)\b",
    re.IGNORECASE,
)
_ASKS_FRAME = re.compile(r"\b(?:headings?|titles?|sections?|chapters?|columns?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`hit.text[start:end]`, from the passage at position `place` of the ranking."""

    hit: Hit
    place: int
    start: int
    end: int
    kind: Kind = Kind.PROSE

    @property
    def text(self) -> str:
        return self.hit.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Extraction:
    """Sentences from best to worst, and the evidence that there is an answer at all."""

    sentences: Sequence[Sentence]
    evidence: float
    covered: Sequence[frozenset[str]] = ()
    """Of each sentence, the terms that it holds of a question for several things; none where it asks for one."""

    def choose_quotations(self, most: int, usable: Callable[[Sentence], bool]) -> list[Sentence]:
        """Choose the best usable sentence, and further ones, up to `most` in all that hold what is lacking in those before them.

        A question for one thing has one answer, and further sentences are padding. Only one for several things needs more.
        """
        chosen: list[Sentence] = []
        known: set[str] = set()
        for sentence, terms in zip(self.sentences, self.covered, strict=True):
            if len(chosen) == most:
                break
            if (not chosen or terms - known) and usable(sentence):
                chosen.append(sentence)
                known |= terms
        return chosen


def split_into_sentences(hits: Sequence[Hit]) -> list[Sentence]:
    """Return the sentences of the hits, best passage first, without headings, which do not answer.

    Each span of a document counts once, also where a copy of the document is in another collection.
    """
    seen: set[tuple[str, int, int, str]] = set()
    found = []
    for place, hit in enumerate(hits):
        headings = {hit.title, *hit.heading_path}
        spans = list(find_statement_spans(hit.text))
        for (start, end), kind in zip(spans, classify_spans(hit.text, spans, hit.start > 0), strict=True):
            key = (hit.version, hit.start + start, hit.start + end, hit.text[start:end])
            if key not in seen and " ".join(hit.text[start:end].split()) not in headings:
                seen.add(key)
                found.append(Sentence(hit, place, start, end, kind))
    return found


def rank_sentences(
    question: str,
    sentences: Sequence[Sentence],
    question_vector: NDArray[Any],
    sentence_vectors: NDArray[np.float32],
    analyser: Analyser,
) -> Extraction:
    """Rank the sentences as answers. Vectors are of length 1; `sentence_vectors` has the shape (sentences, dimension)."""
    if not sentences:
        return Extraction([], 0.0)
    wanted = _extract_content_terms(question, analyser)
    terms = [set(analyser.extract_terms(sentence.text)) for sentence in sentences]
    by_passage: dict[int, list[int]] = {}
    for number, sentence in enumerate(sentences):
        by_passage.setdefault(sentence.place, []).append(number)
    in_passage = {
        place: _compute_share(
            wanted,
            set(analyser.extract_terms(f"{_join_header(sentences[numbers[0]].hit)} {sentences[numbers[0]].hit.text}")),
        )
        for place, numbers in by_passage.items()
    }
    meaning = sentence_vectors @ question_vector
    asked, defined = _find_asked_kind(question), _find_defined_terms(question, analyser)
    scores = np.empty(len(sentences))
    for numbers in by_passage.values():
        for at, number in enumerate(numbers):
            near = {term for other in numbers[max(at - 1, 0) : at + 2] if other != number for term in terms[other]}
            hit = sentences[number].hit
            scores[number] = (
                _W_WORDING * _compute_share(wanted, terms[number])
                + _W_NEIGHBOURS * _compute_share(wanted, near - terms[number])
                + _W_MEANING * float(meaning[number])
                + _W_RANK * hit.score
                + _W_PASSAGE * in_passage[sentences[number].place]
                + (_W_KIND * (1 if asked.search(sentences[number].text) else -1) if asked else 0)
                + (_W_DEFINES if defined and _is_definition(sentences[number].text, defined, analyser) else 0)
            )
    order = np.argsort(-scores, kind="stable")
    nearest = max(hit.dense_score or 0.0 for hit in {s.hit.chunk_id: s.hit for s in sentences}.values())
    wording = in_passage[sentences[int(order[0])].place]
    evidence = _E_NEAREST * nearest + _E_SENTENCE * float(meaning.max()) + _E_WORDING * wording
    needed = wanted if _ASKS_SEVERAL.search(question) else set[str]()
    ranked = [(sentences[int(i)], frozenset(needed & terms[int(i)])) for i in order]
    last = [kind for kind, asks in ((Kind.CODE, _ASKS_CODE), (Kind.FRAME, _ASKS_FRAME)) if not asks.search(question)]
    ranked.sort(key=lambda item: item[0].kind in last)  # stable
    return Extraction([sentence for sentence, _ in ranked], evidence, [covered for _, covered in ranked])


def _join_header(hit: Hit) -> str:
    return " ".join((hit.title, *hit.heading_path))


def _extract_content_terms(question: str, analyser: Analyser) -> set[str]:
    terms = set(analyser.extract_question_terms(question))
    return terms - set(analyser.extract_terms(_QUESTION_WORDS)) or terms


def _find_defined_terms(question: str, analyser: Analyser) -> set[str]:
    """Return the terms of what is to be defined, if the question asks what something is."""
    asks = _ASKS_DEFINITION.match(" ".join(question.split()))
    return _extract_content_terms(asks["subject"], analyser) if asks else set()


def _is_definition(sentence: str, terms: set[str], analyser: Analyser) -> bool:
    """Whether a sentence begins with these terms and few others, and then says what they are."""
    says = _SAYS_WHAT.search(sentence)
    if says is None:
        return False
    before = analyser.extract_terms(sentence[: says.start()])
    return terms <= set(before) and before[0] in terms and len(before) <= len(terms) + _MAX_EXTRA_TERMS


def _compute_share(wanted: set[str], present: set[str]) -> float:
    return len(wanted & present) / len(wanted) if wanted else 0.0


def _find_asked_kind(question: str) -> re.Pattern[str] | None:
    for asks, pattern in ((_ASKS_DATE, _DATE), (_ASKS_NUMBER, _NUMBER), (_ASKS_NAME, _NAME)):
        if asks.search(question):
            return pattern
    return None
