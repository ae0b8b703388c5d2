"""verify: checks each sentence of an answer against the passages, and corrects its markers.

A marker stays if its passage supports the sentence, is replaced if another passage does, and is removed if none does. A
sentence without a marker gets one. Sentences without support are returned separately.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.state import Statement
from anchorage.chat.verification.align import Support
from anchorage.chat.verification.judge import Finding, Judge
from anchorage.chat.verification.markers import Marks, extract_markers
from anchorage.errors import AnchorageError
from anchorage.model import Hit, Unsupported
from anchorage.telemetry import record_degradation
from anchorage.text.analyser import Analyser
from anchorage.text.sentences import find_statement_spans, is_ordinal

_MAX_CANDIDATES = 8  # passage sentences that one claim is compared with by meaning
_MAX_DOUBTS = 4  # claims of one answer that are compared by meaning
_FRAME = re.compile(  # headings, which may be numbered, announcements, questions
    r"^\s*#|[:?：？][\s*_]*$|^\s*(?:\*\*|__)(?:(?:[^\W\d]+ )?\d{1,3}(?:\.\d{1,3})*[.:)]? )?[^*.!\d]+(?:\*\*|__)\s*$|^[\s*_=#-]+$|\n[ \t]*[=-]{3,}\s*$"
)
_ABSENCE = re.compile(
    r"^[^\d\n]{0,60}\b(?:passages?|documents?|sources?|texts?)\b[^\n]{0,30}\b(?:do(?:es)? not|don't|doesn't|did not)\s+"
    r"(?:mention|say|tell|contain|provide|specify|state|hold|give|include|describe|explain)\b"
    r"(?:(?!\b(?:but|however|although|though|yet|nevertheless)\b|;)[^\n]){0,160}$",
    re.IGNORECASE,
)
# The number of a list item is no claim.
_LABEL = re.compile(
    r"[ \t>]*(?:\(?\d{1,3}[.)]|(?:step|schritt|étape|paso|passo|bước) \d{1,3}:)[ \t]+(?=\S)",
    re.IGNORECASE,
)
_CLOSING = " \t\n.!?\"”’')]*_"  # what may follow a marker at the end of a sentence


@dataclass(frozen=True, slots=True)
class Verified:
    """An answer whose markers are right, what they rest on, and the sentences without support.

    `claims` counts the sentences that claim something.
    """

    text: str
    statements: Sequence[Statement]
    unsupported: Sequence[Unsupported]
    claims: int


@dataclass(slots=True)
class _Part:
    """`bare[start:end]`: a sentence, or a clause with its own markers, which stand at `place`."""

    start: int
    end: int
    place: int
    cited: tuple[int, ...]
    findings: Sequence[Finding] = ()

    @property
    def supported(self) -> bool:
        return all(finding.supports or not finding.claim.says_something for finding in self.findings)

    @property
    def numbers(self) -> list[int]:
        found = (item.passage for finding in self.findings for item in finding.supports)
        return list(dict.fromkeys(found)) if self.supported else []


@dataclass(slots=True)
class _Sentence:
    start: int
    end: int
    parts: list[_Part]
    claims: bool

    @property
    def supported(self) -> bool:
        return all(part.supported for part in self.parts)


async def verify_sentences(
    text: str, passages: Sequence[Hit], question: str, analyser: Analyser,
    *, vectors: SentenceVectors | None = None, likeness: float = 1.0, withhold: bool = False,
) -> Verified:  # fmt: skip
    """Check the sentences of an answer and correct its markers. With `vectors`, meaning decides what words leave open.

    `likeness` is the least cosine that counts as support; `withhold` leaves out unsupported sentences.
    """
    judge = Judge(passages, question, analyser, text)
    bare, sentences = await _read_sentences(text, judge)
    if vectors is not None:
        await _judge_by_meaning(sentences, judge, vectors, likeness)
    if not any(sentence.claims and sentence.supported for sentence in sentences):
        for sentence in sentences:  # nothing in the answer is supported, so not even its "Yes." is
            sentence.claims = sentence.claims or not _FRAME.search(bare[sentence.start : sentence.end])
    if not any(sentence.claims for sentence in sentences):
        for sentence in sentences:  # only frames are left, so they count as claims
            sentence.claims = any(char.isalnum() for char in bare[sentence.start : sentence.end])
    return _write_answer(bare, sentences, passages, withhold)


def split_cited_sentences(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Split an answer into its sentences, each with the numbers of its markers."""
    bare, found = _place_markers(extract_markers(text))
    return [
        (bare[start:end], tuple(dict.fromkeys(number for _, numbers in cited for number in numbers)))
        for start, end, cited in found
    ]


async def _read_sentences(text: str, judge: Judge) -> tuple[str, list[_Sentence]]:
    bare, found = _place_markers(extract_markers(text, len(judge.passages)))
    sentences = []
    for start, end, cited in found:
        await asyncio.sleep(0)  # a long answer takes time, and this process writes other answers too
        sentences.append(_judge_sentence(bare, start, end, cited, judge))
    return bare, sentences


def _place_markers(marks: Marks) -> tuple[str, list[tuple[int, int, list[tuple[int, tuple[int, ...]]]]]]:
    """Return the text without markers, and the spans of its sentences with the places and numbers of their markers."""
    bare = marks.bare
    spans = list(find_statement_spans(bare))
    starts = [start for start, _ in spans]
    cited: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for place, numbers in marks.places if spans else ():
        owner = max(bisect_left(starts, place) - 1, 0)
        # At the start of a line, a marker belongs to what follows.
        if "\n" in bare[spans[owner][1] : place] and owner + 1 < len(spans):
            owner += 1
        start, end = spans[owner]
        cited.setdefault(owner, []).append((min(max(place, start), end), numbers))
    return bare, [(*span, cited.get(number, [])) for number, span in enumerate(spans)]


def _judge_sentence(
    bare: str, start: int, end: int, cited: Sequence[tuple[int, tuple[int, ...]]], judge: Judge
) -> _Sentence:
    if _FRAME.search(bare[start:end]):
        return _Sentence(start, end, [], claims=_has_address(bare[start:end]))
    start = _skip_label(bare, start, end)
    cited = [(max(place, start), found) for place, found in cited]
    text = bare[start:end]
    numbers = tuple(dict.fromkeys(number for _, found in cited for number in found))
    whole = _Part(start, end, max((place for place, _ in cited), default=_find_marker_place(bare, start, end)), numbers)
    claim = judge.make_claim(text)
    if _FRAME.search(text) or _ABSENCE.search(text):
        return _Sentence(start, end, [], claims=_has_address(text))
    if finding := judge.match_quotation(claim, numbers):
        whole.findings = [finding]
        return _Sentence(start, end, [whole], claims=True)
    if not claim.says_something:
        return _Sentence(start, end, [], claims=False)
    clauses = _split_marked_clauses(bare, start, end, cited)
    for part in clauses:
        part.findings = [judge.judge_claim(judge.make_claim(bare[part.start : part.end]), part.cited)]
    if clauses and all(part.supported and part.numbers for part in clauses):
        return _Sentence(start, end, clauses, claims=True)
    whole.findings = [judge.judge_claim(claim, numbers)]
    if whole.supported:
        return _Sentence(start, end, [whole], claims=True)
    whole.findings = judge.judge_clauses_apart(claim, numbers) or whole.findings
    return _Sentence(start, end, [whole], claims=True)


def _has_address(text: str) -> bool:
    """Whether a frame contains an address, which no passage supports."""
    return "://" in text or "www." in text.lower()


def _skip_label(bare: str, start: int, end: int) -> int:
    """Return where a sentence begins after the number of its list item."""
    if bare[:start].rstrip(" \t>")[-1:] not in ("", "\n"):
        return start
    label = _LABEL.match(bare, start, end)
    return label.end() if label and not is_ordinal(bare, label.end()) else start


def _split_marked_clauses(bare: str, start: int, end: int, cited: Sequence[tuple[int, tuple[int, ...]]]) -> list[_Part]:
    """Return the clauses of a sentence that has markers inside it; none if it has no such markers."""
    inner = sorted({place for place, _ in cited if place > start and bare[place:end].strip(_CLOSING)})
    if not inner:
        return []
    parts = []
    for one, two in zip([start, *inner], [*inner, end], strict=True):
        last = two == end and two not in inner
        numbers = (number for place, found in cited if (place > one if last else place == two) for number in found)
        parts.append(
            _Part(one, two, _find_marker_place(bare, one, two) if last else two, tuple(dict.fromkeys(numbers)))
        )
    return parts


def _find_marker_place(bare: str, start: int, end: int) -> int:
    """Return the place for a new marker: before the closing punctuation."""
    return start + (len(bare[start:end].rstrip(".!?。！？ \n")) or end - start)


async def _judge_by_meaning(
    sentences: Sequence[_Sentence], judge: Judge, vectors: SentenceVectors, least: float
) -> None:
    """Compare the claims that words leave open with the nearest sentences, in one batch. If embedding fails, they stay open."""
    doubts: list[tuple[_Part, Finding, Sequence[Support]]] = []
    for part in (part for sentence in sentences for part in sentence.parts):
        if len(doubts) == _MAX_DOUBTS:
            break
        if len(part.findings) == 1 and not part.findings[0].supports:
            await asyncio.sleep(0)
            finding = part.findings[0]
            if near := judge.find_near_supports(finding.claim, part.cited):
                doubts.append((part, finding, sorted(near, key=lambda item: -item.score)[:_MAX_CANDIDATES]))
    if not doubts:
        return
    texts = [finding.claim.text for _, finding, _ in doubts]
    for _, _, candidates in doubts:
        texts += [judge.passages[item.passage - 1].text[item.start : item.end] for item in candidates]
    try:
        found = await vectors.embed_sentences(texts)
    except AnchorageError as error:
        record_degradation("citations_without_vectors", error.message)
        return
    at = len(doubts)
    for row, (part, finding, candidates) in enumerate(doubts):
        rows = found[at : at + len(candidates)]
        at += len(candidates)
        part.findings = [judge.judge_by_meaning(finding, found[row], candidates, rows, least, part.cited)]


def _write_answer(bare: str, sentences: Sequence[_Sentence], passages: Sequence[Hit], withhold: bool) -> Verified:
    """Write the answer again with the markers that were found."""
    out, length, at = [], 0, 0
    statements: list[Statement] = []
    unsupported: list[Unsupported] = []

    def write(piece: str) -> None:
        nonlocal length
        out.append(piece)
        length += len(piece)

    for sentence in sentences:
        gap = bare[at : sentence.start]
        at = sentence.end
        if sentence.claims and not (sentence.parts and sentence.supported):
            if withhold:
                unsupported.append(Unsupported(length, length, ""))
                continue
            write(gap)
            start = length
            write(bare[sentence.start : sentence.end])
            unsupported.append(Unsupported(start, length, bare[sentence.start : sentence.end]))
            continue
        write(gap)
        for piece in _write_markers(bare, sentence):
            write(piece)
        statements += _collect_statements(sentence, passages)
    text = "".join(out)
    lead = len(text) - len(text.lstrip())
    moved = [Unsupported(max(item.start - lead, 0), max(item.end - lead, 0), item.text) for item in unsupported]
    return Verified(text.strip(), statements, moved, sum(sentence.claims for sentence in sentences))


def _write_markers(bare: str, sentence: _Sentence) -> Iterator[str]:
    at = sentence.start
    for part in sentence.parts:
        yield bare[at : part.place]
        at = part.place
        markers = "".join(f"[{number}]" for number in part.numbers)
        if markers:
            yield f"{markers} " if at == sentence.start else f" {markers}"
    yield bare[at : sentence.end]


def _collect_statements(sentence: _Sentence, passages: Sequence[Hit]) -> Iterator[Statement]:
    for part in sentence.parts:
        for finding in part.findings if part.numbers else ():
            for item in finding.supports:
                yield Statement(finding.claim.text, passages[item.passage - 1], item.start, item.end, item.passage)
