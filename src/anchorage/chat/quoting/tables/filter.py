"""filter: which rows of a table a question speaks of. Rows of totals are none of them."""

from __future__ import annotations

import re
from dataclasses import replace

from anchorage.chat.quoting.tables.columns import Columns
from anchorage.chat.quoting.tables.table import Row, Table

_TOTAL = (
    r"\W*(?:(?:grand|overall) )?(?:sub-?)?(?:totals?|sum|average|avg\.?|mean|median|overall|all|gesamt\w*|insgesamt|summe|durchschnitt|mittelwert|ensemble|somme|"
    r"moyenne|suma|promedio|media|total general)"
)
_TOTALS = re.compile(rf"{_TOTAL}\W*", re.IGNORECASE)
_TOTALS_OF = re.compile(rf"{_TOTAL}\b.+", re.IGNORECASE | re.DOTALL)
_HALF = 0.5  # of the words of a cell that a question must say to mean it


def drop_totals(table: Table) -> Table | None:
    """The table without its rows of totals, and without its second half where that repeats the first; None where a row may be one of totals
    or not: `Total Recall` among films.
    """
    rows = [row for row in table.rows if not _TOTALS.fullmatch(_name_of(row))]
    while rows and _TOTALS_OF.fullmatch(_name_of(rows[-1])):
        rows.pop()
    if any(_TOTALS_OF.fullmatch(_name_of(row)) for row in rows):
        return None
    half, odd = divmod(len(rows), 2)
    if not odd and half > 1 and all(list(rows[at].cells) == list(rows[half + at].cells) for at in range(half)):
        rows = rows[:half]
    return replace(table, rows=rows)


def _name_of(row: Row) -> str:
    """The first cell, or the second one where the first is empty or a number."""
    first = row.cells[0].strip()
    return row.cells[1].strip() if not any(map(str.isalpha, first)) and len(row.cells) > 1 else first


def filter_rows(columns: Columns, column: int, wanted: frozenset[str]) -> list[int]:
    """The rows with cells that the question speaks of, in columns other than the one that is measured and those that are asked for."""
    everything = range(len(columns.table.rows))
    picked = list(everything)
    for other in range(len(columns.table.names)):
        if other == column or other in columns.spoken_of:
            continue
        name = frozenset(columns.of_names[other])
        found = []
        for at in everything:
            cell = columns.cell(at, other) - name
            held = cell & wanted
            # What is asked for narrows nothing, unless a cell says just that: of the cities, those whose kind is "city".
            if held and len(held) >= (len(cell) if held <= columns.ignored else _HALF * len(cell)):
                found.append(at)
        if 1 < len(found) < len(everything):
            picked = sorted(set(picked).intersection(found))
    return picked


def is_narrowed(columns: Columns, picked: list[int], wanted: frozenset[str], *, extreme: bool) -> bool:
    """Whether a question says something that the picked rows do not hold. Of the most and least only what other rows hold counts, and what
    stands before the word for what is asked for: words for having and being measured stand in no table.
    """
    left = wanted - columns.names - (columns.ignored if extreme else frozenset())
    held = {at: columns.row(at) for at in range(len(columns.table.rows))}
    if extreme:
        left &= columns.modifiers.union(*held.values())
    return any(not left <= held[at] for at in picked)


def share_of_filters(columns: Columns, key: int, filters: frozenset[str], wanted: frozenset[str]) -> list[int] | None:
    """The rows that hold all of these, each in one column, which is not the one of what is counted; None where that is not so.

    A number is a whole cell, and where the question names a column of numbers it stands there.
    """
    others = [at for at in range(len(columns.table.names)) if at != key]
    numeric = [at for at in others if columns.numbers(at) and wanted & frozenset(columns.of_names[at])]
    picked = set(range(len(columns.table.rows)))
    for term in filters:
        places = numeric if term.isdigit() and numeric else others
        holders = {
            at: {row for row in range(len(columns.table.rows)) if _holds(columns, row, at, term, filters)}
            for at in places
        }
        found = [rows for rows in holders.values() if rows]
        if len(found) != 1:
            return None
        picked &= found[0]
    return sorted(picked)


def _holds(columns: Columns, row: int, column: int, term: str, filters: frozenset[str]) -> bool:
    cell = columns.cell(row, column)
    if term.isdigit() and columns.numbers(column):
        number = columns.numbers(column).get(row)
        return number is not None and number.value == float(term)
    return term in cell and (not term.isdigit() or len(cell) == 1 or len(cell & filters) >= _HALF * len(cell))
