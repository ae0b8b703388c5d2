"""choose: which of the ranked units are quoted, and as what: one for one thing, a list item by item, of a wide row the cells that were asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from anchorage.chat.quoting.asked import Asked, match_form
from anchorage.chat.quoting.lead import tell_item
from anchorage.chat.quoting.ranker import RankedUnits
from anchorage.chat.quoting.units import MAX_UNIT_CHARS, Unit, UnitKind
from anchorage.text.analyser import Analyser

_MAX_ITEMS = 12
_NEAR = 2.5
"""A unit that scores less than this below the best one may be the better one."""
_COMPARES = re.compile(
    r"\b(?:differ\w*|compare\w*|comparison|versus|vs|both|unterschie\w*|vergleich\w*|beide\w*|diffère\w*|différence\w*|comparer|diferencia\w*|comparar|ambos|ambas)\b",
    re.IGNORECASE,
)
_JOINS = re.compile(r"\S\s+(?:and|und|et|y)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quotation:
    """What is quoted of a unit: `claim` is shown, `unit.hit.text[start:end]` is what it rests on."""

    unit: Unit
    claim: str
    start: int
    end: int


def choose_quotations(
    asked: Asked, ranked: RankedUnits, analyser: Analyser, most: int, usable: Callable[[str], bool]
) -> list[Quotation]:
    """Choose the best usable unit, and `most` in all where further ones hold what is lacking in it. A list may have more items."""
    units = [
        (unit, score)
        for unit, score in zip(ranked.units, ranked.scores, strict=True)
        if usable(unit.text) and usable(unit.lead)
    ]
    if not units:
        return []
    best = _find_whole(asked, units)
    if best.kind is UnitKind.LIST and best.end - best.start > MAX_UNIT_CHARS:
        return [_quote_span(best, *part) for part in _choose_parts(asked, best, analyser)]
    chosen = [best]
    if _COMPARES.search(asked.question) or (_JOINS.search(asked.question) and len(asked.names) > 1):
        chosen += _find_missing(asked, best, units, analyser, most - 1)
    elif asked.how_to:
        chosen += _find_second_way(best, units)
    return [
        _quote(asked, unit, analyser, again=unit.lead in {other.lead for other in chosen[:at]})
        for at, unit in enumerate(chosen)
    ]


def _find_whole(asked: Asked, units: Sequence[tuple[Unit, float]]) -> Unit:
    """The best unit; where it is an item of a list that was asked for, or what introduces one, the list."""
    best, score = units[0]
    if best.kind is UnitKind.SENTENCE and best.text.rstrip().endswith((":", "：")):
        for unit, _ in units:
            if (
                unit.kind is UnitKind.LIST
                and _in_same(unit, best)
                and unit.hit.start + unit.start == best.hit.start + best.start
            ):
                return unit
    if best.kind is UnitKind.ITEM and asked.several:
        for unit, other in units:
            if (
                unit.kind is UnitKind.LIST
                and unit.group == best.group
                and _in_same(unit, best)
                and other > score - 2 * _NEAR
            ):
                return unit
    return best


def _in_same(one: Unit, other: Unit) -> bool:
    return (one.hit.document_id, one.hit.version) == (other.hit.document_id, other.hit.version)


def _choose_parts(asked: Asked, whole: Unit, analyser: Analyser) -> Sequence[tuple[int, int]]:
    """The items of a long list: all of them where several things are asked for, else those that the question speaks of."""
    parts = [part for part in whole.parts if part[0] < part[1]]
    if not asked.several:
        wanted = set(asked.terms)
        held = {part: len(wanted & set(analyser.extract_terms(whole.hit.text[slice(*part)]))) for part in parts}
        most = max(held.values(), default=0)
        parts = [part for part in parts if held[part] == most][:3]
    return parts[:_MAX_ITEMS]


def _find_missing(
    asked: Asked, best: Unit, units: Sequence[tuple[Unit, float]], analyser: Analyser, most: int
) -> Iterator[Unit]:
    """Further units that hold terms of the question which those before them lack: the names of things, where it has several."""
    wanted = set(asked.names) if len(asked.names) > 1 else set(asked.terms)

    def held(unit: Unit) -> set[str]:
        around = " ".join((unit.text, *unit.path)) if len(asked.names) > 1 else unit.text
        return wanted & set(analyser.extract_terms(around))

    known = held(best)
    taken = [best]
    for unit, score in units[1:]:
        if len(taken) > most or score < units[0][1] - 2 * _NEAR:
            return
        own = held(unit)
        if own - known and not any(_overlap(unit, other) for other in taken):
            taken.append(unit)
            known |= own
            yield unit


def _find_second_way(best: Unit, units: Sequence[tuple[Unit, float]]) -> Iterator[Unit]:
    """Of a how-to question, the code that is as good, beside a sentence; or the other way to do it."""
    for unit, score in units[1:]:
        if score < units[0][1] - _NEAR:
            return
        if unit.kind is UnitKind.CODE and not _overlap(unit, best):
            yield unit
            return


def _overlap(one: Unit, other: Unit) -> bool:
    if not _in_same(one, other):
        return " ".join(one.text.split()) == " ".join(other.text.split())
    first, second = one.hit.start + one.start, other.hit.start + other.start
    return first < second + other.end - other.start and second < first + one.end - one.start


def _quote(asked: Asked, unit: Unit, analyser: Analyser, *, again: bool) -> Quotation:
    """`again`: an item behind another one of the same list, so that what announces both need not be said twice."""
    if unit.kind is UnitKind.ROW and unit.end - unit.start > MAX_UNIT_CHARS:
        return Quotation(unit, _select_cells(asked, unit, analyser), unit.start, unit.end)
    return _quote_span(unit, unit.start, unit.end, again=again)


def _quote_span(unit: Unit, start: int, end: int, *, again: bool = False) -> Quotation:
    whole = unit.kind is UnitKind.LIST and (start, end) == (unit.start, unit.end)
    return Quotation(unit, unit.hit.text[start:end] if whole else tell_item(unit, start, end, again=again), start, end)


def _select_cells(asked: Asked, unit: Unit, analyser: Analyser) -> str:
    """The cells of a wide row that name it and that were asked for, in their order."""
    cells = [cell.strip() for cell in unit.text.split(" | ")]
    wanted = set(asked.terms)
    kept = []
    for cell in cells:
        name, _, value = cell.rpartition(": ")
        held = wanted & set(analyser.extract_terms(value))
        named = wanted & set(analyser.extract_terms(name))
        if held or named or match_form(value, asked):
            kept.append(cell)
    if not kept or len(kept) == len(cells):
        return unit.text
    claim = " | ".join(kept)
    return claim if len(claim) <= MAX_UNIT_CHARS else claim[:MAX_UNIT_CHARS].rpartition(" | ")[0] or claim
