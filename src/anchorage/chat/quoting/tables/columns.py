"""columns: which column of a table is measured, and which one names its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from anchorage.chat.quoting.asked import has_date
from anchorage.chat.quoting.tables.operation import (
    Operation,
    find_measured,
    find_quantified,
    find_summed,
)
from anchorage.chat.quoting.tables.table import Number, Row, Table
from anchorage.text.analyser import Analyser

_RANKS = re.compile(
    r"(?:rank|pos(?:ition)?\.?|no\.?|nr\.?|#|year|season|series|date|episode|place|id|index|jahr|année|año)\W*|"
    r"(?:rank|year|date|jahr|année|año|fecha|datum)\b.*|.*\b(?:rank|year|date|id|code)", re.IGNORECASE
)  # fmt: skip
_YEARS = (1500, 2100)
_NARROW = 4  # columns of a row that is shown whole
_MOST_NAMES = 2  # cells that name a row, where it is not known which one does


class Columns:
    """The columns of a table with the terms of their names and cells, and what a question says of them. `noun`: its words for what it asks for."""

    def __init__(self, table: Table, question: str, analyser: Analyser, noun: str) -> None:
        self.table, self.question, self.analyser = table, question, analyser
        self.caption = frozenset(analyser.extract_terms(table.caption))
        self._numbers: dict[int, dict[int, Number]] = {}
        self._cells: dict[tuple[int, int], frozenset[str]] = {}
        of_names = [tuple(analyser.extract_terms(name)) for name in table.names]
        self.of_names: Sequence[tuple[str, ...]] = of_names
        self.names = frozenset(term for terms in of_names for term in terms)
        words = [frozenset(analyser.extract_terms(word)) for word in noun.split()]
        named = [place for place, terms in enumerate(words) if terms & self.names]
        about = words[named[0]] if named else frozenset().union(*words)
        self.about: frozenset[str] = about
        """What the question asks for: the word that names a column, else all words of the noun."""
        self.modifiers: frozenset[str] = frozenset().union(*words[: named[0]]) if named else frozenset()
        """What stands before that word and narrows it: of the Canadian cities, Canadian."""
        self.ignored: frozenset[str] = frozenset().union(*words) - self.modifiers
        self.spoken_of = [at for at, terms in enumerate(of_names) if named and about & frozenset(terms)]
        """The columns that the noun names."""

    def numbers(self, column: int) -> dict[int, Number]:
        """The numbers of a column by row, as `Table.read_numbers` has them."""
        if column not in self._numbers:
            self._numbers[column] = self.table.read_numbers(column)
        return self._numbers[column]

    def cell(self, row: int, column: int) -> frozenset[str]:
        """The terms of a cell."""
        if (row, column) not in self._cells:
            self._cells[row, column] = frozenset(self.analyser.extract_terms(self.table.rows[row].cells[column]))
        return self._cells[row, column]

    def row(self, row: int) -> frozenset[str]:
        """The terms of all cells of a row."""
        return frozenset().union(*(self.cell(row, column) for column in range(len(self.table.names))))

    def terms(self, words: str) -> frozenset[str]:
        """The terms of some words of the question."""
        return frozenset(self.analyser.extract_terms(words))


def choose_measure(
    columns: Columns, operation: Operation, wanted: frozenset[str], asked: frozenset[str], *, prices: bool
) -> tuple[int | None, float]:
    """The column of numbers whose name the question says, and how much of the name; none where another one may be meant as well."""
    column, fit = _find_named(columns, wanted, 1)
    if (
        column is None
    ):  # words such as "total" and "number" may be a part of the name, but of a sum they are not all of it
        column, fit = _find_named(columns, asked | wanted, 2 if operation is Operation.SUM else 1)
    if column is None and prices:
        money = [at for at, name in enumerate(columns.table.names) if not name and _is_money(columns, at)]
        return (money[0], 0.5) if money else (None, 0.0)
    if column is None or _speaks_of_another(columns, column, wanted) or not _is_measured(columns, column, operation):
        return None, 0.0
    return column, fit


def _find_named(columns: Columns, wanted: frozenset[str], least: int) -> tuple[int | None, float]:
    scored = []
    for column, terms in enumerate(columns.of_names):
        held = len(wanted.intersection(terms))
        if _RANKS.fullmatch(columns.table.names[column]) or (terms and columns.about.issuperset(terms)):
            continue
        # The last word alone is the kind of thing that is counted, not which: of freshwater ducks, ducks.
        if held >= least and (terms[0] in wanted or held > 1 or len(terms) > 3) and columns.numbers(column):
            scored.append((held / len(set(terms)) + 0.1 * held, column))
    best = max((score for score, _ in scored), default=0.0)
    found = [column for score, column in scored if score == best]
    return (found[0], best) if len(found) == 1 else (None, 0.0)


def _speaks_of_another(columns: Columns, column: int, wanted: frozenset[str]) -> bool:
    """Whether the question names a second column of numbers, by the word that its name begins with; a month there is of the whole table."""
    names, left = columns.table.names, wanted - frozenset(columns.of_names[column]) - columns.about
    return any(
        at != column and terms and terms[0] in left and columns.numbers(at) and not _RANKS.fullmatch(names[at])
        and not has_date(names[at].split()[0])
        for at, terms in enumerate(columns.of_names)
    )  # fmt: skip


def _is_measured(columns: Columns, column: int, operation: Operation) -> bool:
    """Whether this column is what there is the most of, or a sum of: of the most goals, goals; of a total number of matches, matches."""
    own = frozenset(columns.of_names[column])
    if operation in (Operation.MOST, Operation.LEAST):
        said = columns.terms(find_measured(columns.question))
        if said and not said & (columns.names | columns.caption | columns.about):
            return False
        quantified = columns.terms(find_quantified(columns.question))
        years = bool(quantified) and _are_years(columns, column)
        return not years and (not quantified & columns.names or bool(quantified & own))
    if operation is Operation.SUM:
        phrase = find_summed(columns.question)
        summed, name = columns.terms(phrase), columns.table.names[column].lower()
        # Numbers below `Constituency` are names of constituencies, those below `Matches` are how many there were.
        if summed & own and not any(word.lower() in name for word in phrase.split() if columns.terms(word) & own):
            return False
        if summed & columns.names and not summed & own:
            return False
    return operation is Operation.DIFFERENCE or not _are_years(columns, column)


def _are_years(columns: Columns, column: int) -> bool:
    return all(
        not number.unit and number.value == int(number.value) and _YEARS[0] <= number.value <= _YEARS[1]
        for number in columns.numbers(column).values()
    )


def _is_money(columns: Columns, column: int) -> bool:
    return any(number.unit in tuple("$€£¥₹") for number in columns.numbers(column).values())


def choose_key(columns: Columns, column: int) -> list[int]:
    """The columns that name the rows: the one that is asked about, else the first ones that are not of numbers, else the first one."""
    table = columns.table
    others = [at for at in range(len(table.names)) if at != column]
    for at in others:
        name = frozenset(columns.of_names[at]) or columns.cell(0, at)  # of columns without names their cells tell
        if columns.about & name:
            return [at]
    if len(table.names) > 2 and not table.names[1]:  # the lines of a form, which begin with their codes
        return others[:1]
    words = [at for at in others if not columns.numbers(at) and any(row.cells[at] for row in table.rows)]
    return (words or others)[:_MOST_NAMES]


def tell_row(columns: Columns, row: Row, column: int, key: Sequence[int]) -> str:
    """The cells of a narrow row; of a wide one those that name it, and the one of the column."""
    names = columns.table.names
    shown = range(len(row.cells)) if len(row.cells) <= _NARROW else (*key, column)
    return " | ".join(f"{names[at]}: {row.cells[at]}" if names[at] else row.cells[at] for at in shown if row.cells[at])
