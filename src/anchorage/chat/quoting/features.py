"""features: what a question and a unit have to do with each other, as numbers that a model learns from."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.quoting.asked import (
    Asked,
    find_new_identifiers,
    find_new_names,
    find_new_numbers,
    has_date,
    has_reason,
    is_of_other_version,
    match_contact,
    match_form,
    opens_backwards,
)
from anchorage.chat.quoting.prose import reads_as_title
from anchorage.chat.quoting.scale import CosineScale
from anchorage.chat.quoting.units import MAX_UNIT_CHARS, Unit, UnitKind
from anchorage.text.analyser import Analyser

OF_MEANING = ("cosine", "cosine_below_best", "cosine_rank")
_OF_WORDS = (
    "covers", "context_adds", "neighbours_add", "document_adds", "holds_rarest", "context_has_rarest", "rarest_is_absent", "names_here",
    "names_in_context", "names_missing", "names_nowhere", "pairs", "longest_run", "all_terms", "adds_little", "adds_nothing", "key_match", "key_answers",
)  # fmt: skip
_OF_PLACE = (
    "passage_score", "passage_rank", "passage_cosine", "outside", "first_in_section", "first_in_document", "heading_match", "heading_is_subject",
    "lead_match", "defines_title", "of_other_version",
)  # fmt: skip
_OF_TYPE = (
    "type_there", "name_missing", "date_missing", "number_missing", "who_name", "number_there", "date_there", "reason_there", "identifier_new", "form_there", "form_missing",
    "yes_no_negates", "defines", "names_class", "contact_there", "contact_missing",
)  # fmt: skip
_OF_KIND = (
    "length", "too_long", "is_list", "list_wanted", "item_wanted", "is_item", "is_row", "is_line", "is_code", "code_wanted", "is_heading",
    "heading_dated", "ends_open", "speech", "points_elsewhere", "shouts", "row_first_cell", "has_address", "opens_backwards", "lists_longer",
    "titled", "spread_over_items",
)  # fmt: skip
NAMES = (*OF_MEANING, *_OF_WORDS, *_OF_PLACE, *_OF_TYPE, *_OF_KIND)
MOST_EMBEDDED = 36
"""Units of a question whose vectors are compared with it. Embedding is most of what an answer by quotation costs."""
MOST_EMBEDDED_BY_MEANING = 72
"""The same where words cannot tell which units are promising, since the question is in another language."""
_DEFINES = re.compile(
    r"\b(?:is|are|was|were|means?|refers? to|stands? for|creates?|denotes?|describes?|called|known as|ist|sind|bedeutet|bezeichnet|est|sont|désigne|signifie|es|son|significa)\b|"
    r"[\u2013\u2014:]|\s[-|]\s", re.IGNORECASE
)  # fmt: skip
_NAMES_CLASS = re.compile(
    r"\b(?:is|are|was|were) (?:a|an|the|one|any|used|designed|short|simply|basically|also)\b|\bmeans?\b|\b(?:refers? to|stands? for|ist (?:ein|eine|der|die|das)|sind|bedeutet|"
    r"est (?:un|une|le|la|l)|désigne|es (?:un|una|el|la)|significa)\b", re.IGNORECASE
)  # fmt: skip
_ADDRESS = re.compile(r"https?://|www\.")
_KEYED = re.compile(
    r"[\s*•-]*([^\s:|][^:|]{0,60}?)\s*(?::|\t|\.{3,}| {2,}| \| |\s(?=[$€£]?-?(?:\d[\d.,]*)?\d%?$))\s*(\S.*)", re.DOTALL
)
_OPENING_CHARS = 200  # of a document
_INNER, _KEYED_CHARS = (UnitKind.LINE, UnitKind.ITEM, UnitKind.SENTENCE), 160
_ELSEWHERE = re.compile(
    r"\b(?:see|refer to|siehe|voir|véase|click here|read more|learn more|for more)\b", re.IGNORECASE
)
_NEGATES = re.compile(
    r"\b(?:not|no|never|none|nor|neither|without|cannot|n't|yes|nicht|kein\w*|nie|ohne|ja|nein|pas|jamais|sans|aucun\w*|oui|nunca|sin|sí)\b|n['’]t\b",
    re.IGNORECASE,
)


_CARRIED_WEIGHT = 0.15  # of what a question before said, against what this one says
_PROMISING = {
    "covers": 1.0, "context_adds": 0.5, "neighbours_add": 0.3, "passage_score": 0.5, "type_there": 0.3, "form_there": 0.3, "contact_there": 1.0, "lead_match": 0.4,
    "list_wanted": 0.3, "adds_nothing": -0.5, "ends_open": -0.3,
}  # fmt: skip
_PROMISES = np.array([_PROMISING.get(name, 0.0) for name in NAMES], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit with what was found out about it. Terms are sets, but `order`."""

    unit: Unit
    text: str
    order: Sequence[str]
    own: frozenset[str]
    context: frozenset[str]
    """Of the headings above and what introduces it."""
    near: frozenset[str]
    heading: frozenset[str]
    title: frozenset[str]
    lead: frozenset[str]
    opens_section: bool
    names: bool
    dates: bool
    figures: bool
    """Whether it has names, dates and numbers of which the question does not speak; the first two where it asks for them."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A question with what is known of its terms among all units."""

    asked: Asked
    wanted: frozenset[str]
    weights: Mapping[str, float]
    total: float
    rarest: str
    anywhere: frozenset[str]
    in_document: Mapping[str, frozenset[str]]
    pairs: frozenset[tuple[str, str]]
    analyser: Analyser

    def share(self, held: frozenset[str]) -> float:
        """How much of the question these terms are, the rare ones more."""
        return sum(self.weights[term] for term in held) / self.total


def weigh_terms(asked: Asked, present: Sequence[frozenset[str]]) -> dict[str, float]:
    """How much each term of a question tells, from how many of the units hold it."""
    counts = Counter(term for terms in present for term in terms)
    rarity = {term: max(0.15, math.log((len(present) + 1) / (counts[term] + 0.5))) for term in asked.terms}
    return {term: weight * (_CARRIED_WEIGHT if term in asked.carried else 1.0) for term, weight in rarity.items()}


def select_promising(table: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """Return which units to embed: those that have the most in common with the question in words and kind, in order of the text."""
    return np.sort(np.argsort(-(table @ _PROMISES), kind="stable")[:most])


def add_cosines(table: NDArray[np.float32], cosines: NDArray[np.float32], scale: CosineScale) -> None:
    """Put the features of meaning in: the cosine of question and unit, how far it is below the best, and its rank. `scale`: the embedder's."""
    cosines = scale.normalise(cosines)
    passage = NAMES.index("passage_cosine")
    table[:, passage] = np.where(
        table[:, passage] == 0, 0, scale.normalise(table[:, passage])
    )  # 0: found by words alone
    ranks = np.empty(len(cosines))
    ranks[np.argsort(-cosines, kind="stable")] = np.arange(len(cosines))
    table[:, 0], table[:, 1], table[:, 2] = cosines, cosines - cosines.max(initial=-1.0), np.log1p(ranks)


def compute_features(asked: Asked, units: Sequence[Unit], analyser: Analyser) -> NDArray[np.float32]:
    """Return the features of each unit, shape (units, len(NAMES)), without those of meaning, for which `add_cosines` is."""
    read = _read_units(asked, units, analyser)
    question = _read_terms(asked, read, analyser)
    table = np.zeros((len(units), len(NAMES)), dtype=np.float32)
    for number, unit in enumerate(read):
        table[number, len(OF_MEANING) :] = (
            *_describe_words(question, unit), *_describe_place(question, unit), *_describe_type(question, unit), *_describe_kind(question, unit),
        )  # fmt: skip
    return table


def _read_units(asked: Asked, units: Sequence[Unit], analyser: Analyser) -> list[_Unit]:
    orders = [analyser.extract_terms(unit.text) for unit in units]
    sets = [frozenset(order) for order in orders]
    known: dict[str, frozenset[str]] = {}

    def terms_of(text: str) -> frozenset[str]:
        if text not in known:
            known[text] = frozenset(analyser.extract_terms(text))
        return known[text]

    by_place: dict[int, list[int]] = {}
    for number, unit in enumerate(units):
        by_place.setdefault(unit.place, []).append(number)
    headings = [terms_of(unit.path[-1]) if len(unit.path) > 1 else frozenset() for unit in units]
    read: dict[int, _Unit] = {}
    for numbers in by_place.values():
        opening = _find_form_opening([units[number] for number in numbers])
        for at, number in enumerate(numbers):
            unit, text = units[number], " ".join(units[number].text.split())
            lead = terms_of(unit.lead)
            of_form = terms_of(opening) if unit.kind is UnitKind.LINE else frozenset[str]()
            near = frozenset().union(*(sets[other] for other in numbers[max(at - 2, 0) : at + 3] if other != number))
            read[number] = _Unit(
                unit, text, orders[number], sets[number], lead.union(of_form, *map(terms_of, unit.path)), near, headings[number],
                terms_of(unit.path[0]) if unit.path else frozenset(), lead, at == 0 or headings[numbers[at - 1]] != headings[number],
                (asked.who or asked.where) and find_new_names(text, asked), asked.when and has_date(text), find_new_numbers(text, asked),
            )  # fmt: skip
    return [read[number] for number in range(len(units))]


def _find_form_opening(units: Sequence[Unit]) -> str:
    """The first line of a form or a receipt, which says whose it is, and so belongs to each of its lines."""
    first = min((unit for unit in units if unit.kind is UnitKind.LINE), key=lambda unit: unit.start, default=None)
    return first.text if first is not None and first.hit.start + first.start < _OPENING_CHARS else ""


def _read_terms(asked: Asked, units: Sequence[_Unit], analyser: Analyser) -> _Question:
    weights = weigh_terms(asked, [unit.own for unit in units])
    in_document: dict[str, set[str]] = {}
    for unit in units:
        in_document.setdefault(unit.unit.hit.document_id, set()).update(unit.own | unit.context)
    return _Question(
        asked, frozenset(asked.terms), weights, sum(weights.values()) or 1.0, max(asked.terms, key=weights.__getitem__, default=""),
        frozenset().union(*in_document.values()), {name: frozenset(terms) for name, terms in in_document.items()},
        frozenset(zip(asked.terms, asked.terms[1:], strict=False)), analyser,
    )  # fmt: skip


def _describe_words(question: _Question, unit: _Unit) -> tuple[float, ...]:
    wanted, names, own = question.wanted, question.asked.names, unit.own
    document = question.in_document[unit.unit.hit.document_id]
    held = wanted & own
    around = (wanted & unit.context) - held
    beside = (wanted & unit.near) - held - around
    elsewhere = (wanted & document) - held - around - beside
    new = [term for term in unit.order if term not in wanted]
    pairs = question.pairs & set(zip(unit.order, unit.order[1:], strict=False))
    keyed = unit.unit.kind in _INNER and len(unit.text) < _KEYED_CHARS
    key = _match_key(unit.text, wanted, question.analyser) if keyed else 0.0
    return (
        question.share(held), question.share(around), question.share(beside), question.share(elsewhere), question.rarest in own,
        question.rarest in unit.context, question.rarest not in question.anywhere, _part(names, own), _part(names, unit.context - own),
        _part(names, names - own - document), _part(names, names - question.anywhere), len(pairs) / len(question.pairs) if question.pairs else 0.0,
        _longest_run(unit.order, wanted) / max(len(wanted), 1), wanted <= own | unit.context,
        len(new) < 2 and unit.unit.kind is not UnitKind.CODE and not unit.figures, not new and not unit.figures, key,
        key * question.share(held | around | beside | elsewhere),
    )  # fmt: skip


def _describe_place(question: _Question, unit: _Unit) -> tuple[float, ...]:
    hit, wanted, subject, heading = unit.unit.hit, question.wanted, question.asked.subject, unit.heading
    start = hit.start + unit.unit.start
    introduced = unit.unit.kind in (UnitKind.LIST, UnitKind.ITEM, UnitKind.CODE, UnitKind.LINE)
    return (
        hit.score, math.log1p(unit.unit.place), hit.dense_score or 0.0, not unit.unit.inside, unit.opens_section, start < 400,
        question.share(wanted & heading), len(heading & wanted) / len(heading | (subject or wanted)) if heading and wanted else 0.0,
        question.share(wanted & unit.lead) if introduced else 0.0,
        bool(subject) and subject <= unit.title and start < 800 and unit.unit.kind is UnitKind.SENTENCE,
        is_of_other_version(unit.unit.path, unit.text, question.asked),
    )  # fmt: skip


def _describe_type(question: _Question, unit: _Unit) -> tuple[float, ...]:
    asked, text, subject = question.asked, unit.text, question.asked.subject
    asks = ((asked.who or asked.where, unit.names), (asked.when, unit.dates), (asked.number, unit.figures))
    needs = [there for wants, there in asks if wants]
    form, contact = match_form(text, asked), match_contact(text, asked)
    defines = bool(subject) and _defines(text, subject, question.analyser)
    return (
        bool(needs) and all(needs), *(wants and not there for wants, there in asks), asked.who and unit.names, asked.number and unit.figures,
        asked.when and unit.dates, asked.why and has_reason(text), find_new_identifiers(text, asked) and not needs, form is True, form is False,
        asked.yes_no and bool(_NEGATES.search(text)), defines, defines and bool(subject & unit.own) and bool(_NAMES_CLASS.search(text)),
        contact is True, contact is False,
    )  # fmt: skip


def _describe_kind(question: _Question, unit: _Unit) -> tuple[float, ...]:
    asked, text, kind = question.asked, unit.text, unit.unit.kind
    is_list, is_item, is_code = kind is UnitKind.LIST, kind is UnitKind.ITEM, kind is UnitKind.CODE
    is_sentence, is_heading = kind is UnitKind.SENTENCE, kind is UnitKind.HEADING
    return (
        math.log1p(len(text)), len(text) > MAX_UNIT_CHARS, is_list, is_list and asked.several, is_item and asked.several, is_item,
        kind is UnitKind.ROW, kind is UnitKind.LINE, is_code, is_code and asked.how_to, is_heading, is_heading and asked.when and unit.dates,
        text.endswith((":", "：", "...")), text[:1] in "“\"«„‘-–" and is_sentence, bool(_ELSEWHERE.search(text)) and len(text) < 200,
        text.isupper() and not unit.figures, _covers_first_cell(text, question.wanted, question.analyser) if kind is UnitKind.ROW else 0.0,
        bool(_ADDRESS.search(text)), opens_backwards(text) and is_sentence, is_list and len(text) > MAX_UNIT_CHARS,
        is_sentence and reads_as_title(text), _spread_over_items(question, unit),
    )  # fmt: skip


def _spread_over_items(question: _Question, unit: _Unit) -> float:
    """Of a list, where one thing is asked for: how much more of the question it holds than its best item does. A list holds many things."""
    whole = unit.unit
    if whole.kind is not UnitKind.LIST or question.asked.several:
        return 0.0
    items = (frozenset(question.analyser.extract_terms(whole.hit.text[slice(*part)])) for part in whole.parts)
    best = max((question.share(question.wanted & (item | unit.lead)) for item in items), default=0.0)
    return max(0.0, question.share(question.wanted & unit.own) - best)


def _part(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _match_key(text: str, wanted: frozenset[str], analyser: Analyser) -> float:
    """How well the key of a `key: value` line is what was asked for: all of it, and nothing else."""
    found = _KEYED.match(text)
    if found is None:
        return 0.0
    key = set(analyser.extract_terms(found[1]))
    held = key & wanted
    if not held or not set(analyser.extract_terms(found[2])) - wanted:
        return 0.0
    return (len(held) / len(key)) ** 2


def _covers_first_cell(text: str, wanted: frozenset[str], analyser: Analyser) -> float:
    cell = set(analyser.extract_terms(text.split(" | ")[0].rpartition(": ")[2]))
    return len(cell & wanted) / len(cell) if cell else 0.0


def _defines(text: str, subject: frozenset[str], analyser: Analyser) -> bool:
    """Whether a sentence begins with these terms and few others, and then says what they are."""
    says = _DEFINES.search(text)
    if says is None:
        return False
    opening = text[: says.start()]
    before = analyser.extract_terms(opening)
    # The shell of a tool is not the tool: the subject stands last, but for what a comma or a bracket adds.
    ends = bool(before) and (before[-1] in subject or "," in opening or "(" in opening)
    return ends and subject <= set(before) and len(before) <= len(subject) + 2


def _longest_run(terms: Sequence[str], wanted: frozenset[str]) -> int:
    best = run = 0
    for term in terms:
        run = run + 1 if term in wanted else 0
        best = max(best, run)
    return best
