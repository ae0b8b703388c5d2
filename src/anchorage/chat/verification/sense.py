"""Whether two sentences that share their words say the opposite: up and down, at least and at most, may and must, all and some."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from anchorage.chat.verification.reading import Reading
from anchorage.text.languages import Language

_REACH = 32  # characters before a number that may hold its bound
_NEAR = 2  # content terms after a quantifier that it may count
_AFTER_LEAST = re.compile(
    r"\W*(?:or (?:more|over|above)|oder mehr|ou plus|o más|o più|ou mais|of meer|и более|trở lên|以上)"
)
_AFTER_MOST = re.compile(
    r"\W*(?:or (?:less|fewer|under)|oder weniger|ou moins|o menos|o meno|ou menos|of minder|и менее|trở xuống|以下|以内)"
)
_SAME_SENTENCE_SHARE = 0.7
"""A claim that holds this share of a sentence is the same sentence."""
_FEW, _MANY, _MOST = 0, 2, 3


def says_opposite(mine: Reading, main: Reading, others: Sequence[Reading], held: frozenset[str]) -> bool:
    """Whether the claim says the opposite of the sentences that are to support it; `main` is the one that holds most of it."""
    if (
        _has_other_trend(mine, others)
        or _has_other_mood(mine, main)
        or _has_other_bound(mine, others)
        or _has_other_degree(mine, others)
    ):
        return True
    pairs = mine.opposites
    terms = [term for term in mine.terms if term in pairs]
    if any(_has_opposite_term(terms, pairs, reading.terms, mine) for reading in _select_with_numbers(mine, others)):
        return True
    # "Iron is worse than copper" for "copper is better than iron": two opposites cancel out.
    return _has_opposite_term(terms, pairs, held, mine) is not _reverses_comparison(mine, main)


def _has_opposite_term(
    terms: Sequence[str], pairs: Mapping[str, frozenset[str]], held: frozenset[str], mine: Reading
) -> bool:
    return any(term not in held and not pairs[term].isdisjoint(held - mine.terms) for term in terms)


def _select_with_numbers(mine: Reading, others: Sequence[Reading]) -> list[Reading]:
    """Of several sentences, return those that alone have a number of the claim. They must not deny what it says of the number."""
    if len(others) < 2 or not mine.numbers:
        return []
    found = []
    for number in mine.numbers:
        having = [reading for reading in others if number.values & reading.values]
        if len(having) == 1 and not number.loose:
            found += having
    return found


def _has_other_trend(mine: Reading, others: Sequence[Reading]) -> bool:
    rising, falling = mine.language.rising, mine.language.falling
    up, down = not rising.isdisjoint(mine.plain), not falling.isdisjoint(mine.plain)
    if up is down:
        return False
    theirs_up = any(not rising.isdisjoint(reading.plain) for reading in others)
    theirs_down = any(not falling.isdisjoint(reading.plain) for reading in others)
    return theirs_down and not theirs_up if up else theirs_up and not theirs_down


def says_same_trend(word: str, others: Sequence[Reading]) -> bool:
    """Whether the word says that something rises or falls, and the sentences say the same with another word."""
    language = others[0].language
    for trend in (language.rising, language.falling):
        if word in trend:
            return any(not trend.isdisjoint(reading.plain) for reading in others)
    return False


def _has_other_mood(mine: Reading, main: Reading) -> bool:
    """Whether one obliges and the other allows. "Must not" and "may not" mean the same."""
    if not mine.moods or not main.moods or (mine.negations and main.negations):
        return False
    language = mine.language
    must, theirs_must = not language.must.isdisjoint(mine.moods), not language.must.isdisjoint(main.moods)
    if must is theirs_must:
        return False
    if must or not language.may.isdisjoint(mine.moods):
        return True
    # "You can" may stand for "you must", unless nothing else in the sentence differs.
    return len(main.content & mine.terms) >= _SAME_SENTENCE_SHARE * len(main.content)


def _has_other_bound(mine: Reading, others: Sequence[Reading]) -> bool:
    """Whether a number is a lower bound in one and an upper bound in the other."""
    if not (mine.language.least and mine.numbers):
        return False
    bounds = [
        (number.values, bound) for number in mine.numbers if (bound := _read_bound(mine, number.start, number.end))
    ]
    if not bounds:
        return False
    theirs = [
        (number.values, _read_bound(reading, number.start, number.end))
        for reading in others
        for number in reading.numbers
    ]
    for values, bound in bounds:
        found = [other for their_values, other in theirs if values & their_values]
        if -bound in found and bound not in found:
            return True
    return False


def _read_bound(reading: Reading, start: int, end: int) -> int:
    """Return 1 if the number at this place is a lower bound, -1 if it is an upper bound, else 0."""
    before = reading.text[max(start - _REACH, 0) : start].lower()
    after = reading.text[end : end + _REACH].lower()
    if _AFTER_LEAST.match(after):
        return 1
    if _AFTER_MOST.match(after):
        return -1
    least, most = _compile_bounds(reading.language)
    low, high = least.search(before), most.search(before)
    if low and high:  # "no more than" ends like "more than"
        return 1 if low.start() < high.start() else -1
    return 1 if low else -1 if high else 0


@lru_cache(maxsize=32)
def _compile_bounds(language: Language) -> tuple[re.Pattern[str], re.Pattern[str]]:
    joint = "" if language.characters else r"\b"
    tail = rf"{joint}\W*(?:\w{{1,4}}\W+)?$"  # an article, a currency
    return re.compile(f"{joint}(?:{language.least}){tail}"), re.compile(f"{joint}(?:{language.most}){tail}")


def _has_other_degree(mine: Reading, others: Sequence[Reading]) -> bool:
    """Whether the claim says of all, or most, what the sentences say of some; or of few what they say of many."""
    ranks = mine.language.ranks
    if ranks.keys().isdisjoint(mine.lowered):
        return False
    said = _read_degrees(mine)
    found = [
        item for reading in others if not ranks.keys().isdisjoint(reading.lowered) for item in _read_degrees(reading)
    ]
    for rank, counted in said:
        theirs = {other for other, terms in found if terms & counted}
        if theirs and rank not in theirs and all(_is_other_degree(rank, other) for other in theirs):
            return True
    return False


def _is_other_degree(rank: int, other: int) -> bool:
    if rank == _FEW or other == _FEW:
        return max(rank, other) >= _MANY
    return rank >= _MOST and rank > other


def _read_degrees(reading: Reading) -> list[tuple[int, frozenset[str]]]:
    """Return the quantifiers of a sentence, each with what it counts."""
    found = []
    for place, low in enumerate(reading.lowered):
        rank = reading.language.ranks.get(low)
        if rank is None:
            continue
        behind = [stem for stem in reading.stems[place + 1 : place + 6] if stem in reading.content][:_NEAR]
        if behind and not behind[0][0].isdigit():  # "some 200 people" are about 200
            found.append((rank, frozenset(behind)))
    return found


def _reverses_comparison(mine: Reading, main: Reading) -> bool:
    """Whether what is before "than" in one is after it in the other."""
    pivots = mine.language.pivots
    if pivots.isdisjoint(mine.lowered) or pivots.isdisjoint(main.lowered):
        return False
    theirs = _read_comparisons(main)
    for before, behind in _read_comparisons(mine) if theirs else ():
        their_before, their_behind = max(theirs, key=lambda sides: len((sides[0] | sides[1]) & (before | behind)))
        if behind.isdisjoint(their_behind) and behind & their_before and their_behind & before:
            return True
    return False


def _read_comparisons(reading: Reading) -> list[tuple[set[str], set[str]]]:
    """Return the content terms before and after each word that compares, within its clause.

    If nothing is before it in the clause, the terms of the other clauses count as before.
    """
    clauses: list[list[str]] = [[]]
    for piece in reading.pieces:
        if not piece.term:
            clauses.append([])
        elif piece.weight >= 1 or piece.word in reading.language.pivots:
            clauses[-1].append("" if piece.word in reading.language.pivots else piece.term)
    found = []
    for clause in clauses:
        if "" in clause:
            at = clause.index("")
            behind = set(clause[at + 1 :]) - {""}
            before = set(clause[:at]) or {term for other in clauses if other is not clause for term in other if term}
            if behind:
                found.append((before - behind, behind))
    return found
