"""Which number belongs to what: "Berlin has 3.6 million and Hamburg 1.8 million inhabitants" does not support the reverse.

A sentence is cut into clauses at punctuation and conjunctions. Two of its numbers differ by the words before
them in their clauses, or after them. A claim that gives one number with the words of the other is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from anchorage.chat.verification.reading import Piece, Reading
from anchorage.text.numbers import Number

_RESPECTIVELY = re.compile(
    r"\b(?:respectively|jeweils|respectivement|respectivamente|rispettivamente|respectievelijk|соответственно|lần lượt)\b",
    re.IGNORECASE,
)
_MIN_LIST = 3  # so many names and as many numbers belong together one by one


@dataclass(frozen=True, slots=True)
class _Side:
    """The terms on one side of a number: names and other numbers, all others, and the one next to it."""

    names: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    next: str = ""
    verbs: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        return self.names | self.others


@dataclass(frozen=True, slots=True)
class _BoundNumber:
    """A number with the terms on either side of it in its clause, up to the next number of its kind.

    `names`: the names that it may belong to. Where it is the only number of its kind, all names of the clause; where the clause has
    a pronoun instead, those of the clause before.
    """

    number: Number
    sentence: int
    clause: int
    year: bool
    before: _Side
    behind: _Side
    names: frozenset[str]


def reassigns_number(mine: Reading, others: Sequence[Reading]) -> bool:
    """Whether the claim attaches a number of the sentences to something else than they do."""
    if not any(not number.loose for number in mine.numbers) or sum(len(reading.numbers) for reading in others) < 2:
        return False
    found = [item for place, reading in enumerate(others) for item in _bind_numbers(reading, place)]
    for number, before, behind in _read_claim_numbers(mine) if len(found) > 1 else ():
        places = [item for item in found if item.number.values & number.values]
        if places and all(_belongs_to_another(item, found, before, behind, mine.opposites) for item in places):
            return True
    return False


def _bind_numbers(reading: Reading, sentence: int = 0) -> list[_BoundNumber]:
    """The numbers of a sentence with what they belong to."""
    if not reading.numbers:
        return []
    if respective := _bind_lists(reading, sentence):
        return respective
    found: list[_BoundNumber] = []
    known: frozenset[str] = frozenset()
    for place, clause in enumerate(_split_clauses(reading)):
        named = frozenset(piece.term for piece in clause if piece.name and piece.weight >= 1)
        if not named and any(piece.word in reading.language.anaphors for piece in clause):
            named = known
        known = named or known
        found += _bind_clause(clause, reading, sentence, place, named)
    return found


def _belongs_to_another(
    item: _BoundNumber,
    found: Sequence[_BoundNumber],
    before: frozenset[str],
    behind: frozenset[str],
    pairs: Mapping[str, frozenset[str]],
) -> bool:
    """Whether the terms of the claim fit another number of the sentences, and none of them fits this one."""
    for other in found:
        if other is item or other.number.values & item.number.values or other.year is not item.year:
            continue
        contrasts = [
            (*_contrast_sides(item, other, ahead=True), before),
            (*_contrast_sides(item, other, ahead=False), behind),
        ]
        if item.names and other.names:
            contrasts.append((item.names - other.names, other.names - item.names, before | behind))
        if item.sentence == other.sentence and item.clause != other.clause:
            ours, theirs = item.before.verbs, other.before.verbs
            contrasts += [
                (ours - theirs, theirs - ours, before),
                (*_find_opposite_terms(item, other, pairs), before | behind),
            ]
        for own, foreign, said in contrasts:
            if own and foreign and own.isdisjoint(said) and not foreign.isdisjoint(said):
                return True
    return False


def _contrast_sides(item: _BoundNumber, other: _BoundNumber, *, ahead: bool) -> tuple[frozenset[str], frozenset[str]]:
    """Return the terms that distinguish two numbers on one side: names where both have some, else parallel words."""
    ours, theirs = (item.before, other.before) if ahead else (item.behind, other.behind)
    if ours.names and theirs.names and ours.names != theirs.names:
        return _drop_units(ours, theirs, ours.names - theirs.names, theirs.names - ours.names)
    if item.sentence != other.sentence or item.clause == other.clause:  # the words before the first belong to both
        return frozenset(), frozenset()
    if item.names and item.names == other.names:
        own, foreign = ours.others - theirs.others, theirs.others - ours.others
    else:
        own, foreign = ours.all - theirs.all, theirs.all - ours.all
    # A clause without a subject has that of the clause before.
    parallel = bool(item.names or ours.names) or not ours.all.isdisjoint(theirs.all)
    if parallel or (not ahead and ours.next in own and theirs.next in foreign):
        return (own, foreign) if ahead else _drop_units(ours, theirs, own, foreign)
    return frozenset(), frozenset()


def _find_opposite_terms(
    item: _BoundNumber, other: _BoundNumber, pairs: Mapping[str, frozenset[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of two clauses that are opposites: "opens at 9 and closes at 18"."""
    ours, theirs = item.before.others | item.behind.others, other.before.others | other.behind.others
    own = frozenset(term for term in ours if term in pairs and not pairs[term].isdisjoint(theirs))
    foreign = frozenset(term for term in theirs if term in pairs and not pairs[term].isdisjoint(ours))
    return own - theirs, foreign - ours


def _drop_units(
    ours: _Side, theirs: _Side, own: frozenset[str], foreign: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the terms without those next to the numbers, if there are others."""
    if len(own) > 1 and len(foreign) > 1:
        return own - {ours.next}, foreign - {theirs.next}
    return own, foreign


def _read_claim_numbers(mine: Reading) -> Iterator[tuple[Number, frozenset[str], frozenset[str]]]:
    """Yield the numbers of the claim with their terms: those around them, or all terms for the only number of its kind."""
    clauses = _split_clauses(mine)
    found = [item for place, clause in enumerate(clauses) for item in _bind_clause(clause, mine, 0, place, frozenset())]
    for item in found:
        alike = [other for other in found if other.year is item.year]
        if sum(other.clause == item.clause for other in alike) > 1:
            yield item.number, item.before.all, item.behind.all
        else:
            pieces = clauses[item.clause] if len(alike) > 1 else mine.pieces
            around = _read_side(pieces, mine, item.number).all
            yield item.number, around, around


def _bind_clause(
    clause: Sequence[Piece], reading: Reading, sentence: int, place: int, named: frozenset[str]
) -> Iterator[_BoundNumber]:
    numbers = _find_clause_numbers(clause, reading)
    for number in numbers:
        year = reading.is_year(number)
        alike = [item for item in numbers if reading.is_year(item) is year]
        since = max((item.end for item in alike if item.end <= number.start), default=0)
        until = min((item.start for item in alike if item.start >= number.end), default=len(reading.text))
        before = _read_side(
            [piece for piece in clause if since <= piece.start and piece.end <= number.start], reading, number
        )
        behind = _read_side(
            [piece for piece in clause if number.end <= piece.start and piece.end <= until], reading, number
        )
        yield _BoundNumber(number, sentence, place, year, before, behind, named if len(alike) == 1 else frozenset())


def _read_side(pieces: Sequence[Piece], reading: Reading, number: Number) -> _Side:
    names: set[str] = set()
    others: set[str] = set()
    first = ""
    for piece in pieces:
        if piece.weight < 1 or number.start <= piece.start < number.end:
            continue
        inside = next((item for item in reading.numbers if item.start <= piece.start < item.end), None)
        if inside:
            names.update(f"={value:g}" for value in inside.values)
        else:
            (names if piece.name else others).add(piece.term)
            first = first or piece.term
    endings = reading.language.verbs
    verbs = (piece.term for piece in pieces if piece.term in others and piece.word.endswith(endings))
    return _Side(frozenset(names), frozenset(others), first, frozenset(verbs))


def _find_clause_numbers(clause: Sequence[Piece], reading: Reading) -> list[Number]:
    if not clause:
        return []
    start, end = clause[0].start, clause[-1].end
    return [item for item in reading.numbers if not item.loose and start <= item.start < end]


def _split_clauses(reading: Reading) -> list[list[Piece]]:
    """Split into clauses. An opening date joins the clause after it: "In 1889, the bridge was opened"."""
    cut: list[list[Piece]] = [[]]
    pieces = reading.pieces
    for place, piece in enumerate(pieces):
        if piece.term:
            cut[-1].append(piece)
        elif cut[-1] and not (piece.word in reading.language.joints and _joins_numbers(pieces, place)):
            cut.append([])
    joined: list[list[Piece]] = []
    for clause in cut:
        if joined and not _find_clause_numbers(clause, reading) and _is_date_alone(joined[-1], reading):
            joined[-1] = [*joined[-1], *clause]
        else:
            joined.append(clause)
    return joined


def _joins_numbers(pieces: Sequence[Piece], place: int) -> bool:
    """Whether a conjunction joins two numbers: "between 1912 and 1916"."""
    return all(0 <= near < len(pieces) and pieces[near].word[0].isdigit() for near in (place - 1, place + 1))


def _is_date_alone(clause: Sequence[Piece], reading: Reading) -> bool:
    numbers = _find_clause_numbers(clause, reading)
    said = [piece for piece in clause if piece.weight >= 1 and not any(n.start <= piece.start < n.end for n in numbers)]
    return bool(numbers) and len(said) <= 1 and not any(piece.name for piece in said)


def _bind_lists(reading: Reading, sentence: int) -> list[_BoundNumber]:
    """Bind names to numbers that are listed in the same order: "Norway, Sweden and Denmark ... 14, 22 and 31 million"."""
    names, numbers = _find_longest_lists(reading)
    if len(names) != len(numbers) or len(names) < (2 if _RESPECTIVELY.search(reading.text) else _MIN_LIST):
        return []
    pairs = enumerate(zip(names, numbers, strict=True))
    return [_BoundNumber(number, sentence, place, False, _Side(name), _Side(), name) for place, (name, number) in pairs]


def _find_longest_lists(reading: Reading) -> tuple[list[frozenset[str]], list[Number]]:
    """Return the longest list of names and the longest list of numbers."""
    pieces = reading.pieces
    best: list[list[tuple[int, int, frozenset[str]]]] = [[], []]
    run: list[list[tuple[int, int, frozenset[str]]]] = [[], []]
    starts = {item.start: place for place, item in enumerate(reading.numbers)}
    parted = False
    last = -1
    for place, piece in enumerate(pieces):
        if not piece.term:
            parted = True
            continue
        kind = 0 if piece.name else 1 if piece.start in starts else -1
        for other in (0, 1):
            if kind != other and not (other == 1 and piece.weight < 1):
                run[other] = []
        if kind >= 0:
            key = frozenset((piece.term,)) if kind == 0 else frozenset((str(starts[piece.start]),))
            if run[kind] and not parted and last == place - 1 and kind == 0:
                first, _, terms = run[kind][-1]
                run[kind][-1] = (first, place, terms | key)
            elif run[kind] and parted:
                run[kind].append((place, place, key))
            else:
                run[kind] = [(place, place, key)]
            if len(run[kind]) > len(best[kind]):
                best[kind] = list(run[kind])
        last, parted = place, False
    numbers = [reading.numbers[int(next(iter(key)))] for _, _, key in best[1]]
    return [terms for _, _, terms in best[0]], numbers
