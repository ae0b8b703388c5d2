"""compute: answers over the rows of one table: the most or least, a sum, an average, a count, a difference. Where the column, the rows or
the unit are not clear, it gives none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from anchorage.chat.quoting.asked import Asked
from anchorage.chat.quoting.tables.columns import Columns, choose_key, choose_measure, tell_row
from anchorage.chat.quoting.tables.filter import drop_totals, filter_rows, is_narrowed, share_of_filters
from anchorage.chat.quoting.tables.operation import (
    Operation,
    asks_for_price,
    asks_second_operation,
    describe_operation,
    find_asked_noun,
    find_counted,
    find_how_many,
    find_operation,
    narrows_otherwise,
)
from anchorage.chat.quoting.tables.table import Number, Row, Table
from anchorage.text.analyser import Analyser

_PRICE_NAMES = "price cost unit amount preis kosten prix coût precio"
_OPERATION_WORDS = (
    "most highest largest biggest greatest best longest maximum top fewest lowest smallest least cheapest minimum total sum altogether combined average mean "
    "more fewer less than difference number many much value all"
)
_LISTED = "from by with at list listed table row rows entry entries record records there tabelle zeilen liste lignes tableau filas tabla"
_MAX_ROWS_CITED = 6
_NEXT_TO_BEST = 2  # rows more than were asked for that may share the last place


@dataclass(frozen=True, slots=True)
class Computed:
    """An answer over a table, the rows that it rests on, and how well the table fits the question."""

    claim: str
    rows: Sequence[Row]
    fit: float


@lru_cache(maxsize=64)
def _terms(words: str, analyser: Analyser) -> frozenset[str]:
    return frozenset(analyser.extract_terms(words))


def compute_answer(asked: Asked, table: Table, analyser: Analyser) -> Computed | None:
    """Compute what is asked over one table; None where its column, its rows or its units are not clear."""
    operation = find_operation(asked.question)
    if operation is None or narrows_otherwise(asked.question, operation):
        return None
    body = drop_totals(table)
    if body is None or not body.rows or (body.partial and operation is not Operation.DIFFERENCE):
        return None
    wanted = frozenset(asked.terms) - _terms(_OPERATION_WORDS, analyser)
    if operation is Operation.COUNT:
        return _count_rows(asked, body, wanted, analyser)
    columns = Columns(body, asked.question, analyser, find_asked_noun(asked.question))
    prices = asks_for_price(asked.question)
    about_caption = wanted
    if prices:
        wanted |= _terms(_PRICE_NAMES, analyser)
    column, fit = choose_measure(columns, operation, wanted, frozenset(asked.terms), prices=prices)
    if column is None or asks_second_operation(asked.question, operation, body.names[column]):
        return None
    caption = columns.caption
    fit = min(fit, 1.0) + 2 * len(about_caption & caption) / max(len(about_caption), 1)
    if operation is Operation.DIFFERENCE:
        return _subtract(columns, column, wanted, fit)
    return _compute_over_rows(operation, asked, columns, column, wanted, fit)


def _compute_over_rows(
    operation: Operation, asked: Asked, columns: Columns, column: int, wanted: frozenset[str], fit: float
) -> Computed | None:
    """The most, the least, the sum or the average of a column over the rows that the question speaks of."""
    table, analyser, numbers = columns.table, columns.analyser, columns.numbers(column)
    picked = filter_rows(columns, column, wanted)
    values = [(numbers[at].value, at) for at in picked if at in numbers]
    if len(values) < 2 or any(table.is_unread(at, column) for at in picked if at not in numbers):
        return None
    extreme = operation in (Operation.MOST, Operation.LEAST)
    if is_narrowed(columns, picked, wanted - columns.caption, extreme=extreme):
        return None
    if extreme:
        values.sort(reverse=operation is Operation.MOST)
        most = find_how_many(asked.question)
        last = values[min(most, len(values)) - 1][0]
        best = [at for value, at in values if (value >= last if operation is Operation.MOST else value <= last)]
        if len(best) > most + _NEXT_TO_BEST:  # so many share the last place that none stands out
            return None
        said = describe_operation(operation, analyser.language, len(values), len(table.rows), len(best))
        key = choose_key(columns, column)
        told = "; ".join(tell_row(columns, table.rows[at], column, key) for at in best)
        return Computed(f"{told} ({said})", [table.rows[at] for at in best], fit)
    rows = [table.rows[at] for _, at in values]
    result = sum(value for value, _ in values)
    if operation is Operation.AVERAGE:
        result = _round_average(result / len(values))
    said = describe_operation(operation, analyser.language, len(values), len(table.rows), _MAX_ROWS_CITED)
    shown = _format(result, numbers[values[0][1]])
    return Computed(f"{table.names[column] or said}: {shown} ({said})", rows[:_MAX_ROWS_CITED], fit)


def _count_rows(asked: Asked, table: Table, wanted: frozenset[str], analyser: Analyser) -> Computed | None:
    """Count the rows that hold what the question says, where it names the column of what is counted and all else that it says is in the rows."""
    columns = Columns(table, asked.question, analyser, find_counted(asked.question))
    keys = [at for at in columns.spoken_of if not columns.numbers(at)]
    if len(keys) != 1:
        return None
    filters = wanted - columns.names - columns.caption - _terms(_LISTED, analyser)
    picked = share_of_filters(columns, keys[0], filters, wanted)
    if picked is None or len(picked) < 2:  # that one row alone is meant is rarely what is asked
        return None
    cells = [table.rows[at].cells[keys[0]] for at in picked]
    if not all(cells) or len(set(cells)) < len(cells) or any(_names_several(cell) for cell in cells):
        return None
    rows = [table.rows[at] for at in picked[:_MAX_ROWS_CITED]]
    said = describe_operation(Operation.COUNT, analyser.language, len(picked), len(table.rows), len(rows))
    told = "; ".join(cells[:_MAX_ROWS_CITED])
    fit = 1.0 + 2 * len(wanted & columns.caption) / max(len(wanted), 1)
    return Computed(f"{said}: {told}{'; …' if len(picked) > _MAX_ROWS_CITED else ''}", rows, fit)


def _names_several(cell: str) -> bool:
    """Whether a cell lists several things, so that rows are not what is to be counted."""
    return cell.count(", ") > 1 or "; " in cell


def _subtract(columns: Columns, column: int, wanted: frozenset[str], fit: float) -> Computed | None:
    """The difference between the two rows that a question names."""
    table, numbers = columns.table, columns.numbers(column)
    pairs = []
    for at in numbers:
        own = frozenset().union(*(columns.cell(at, other) for other in range(len(table.names)) if other != column))
        if held := own & wanted:
            pairs.append((at, held))
    common = frozenset.intersection(*(held for _, held in pairs)) if pairs else frozenset[str]()
    pairs = [(at, held - common) for at, held in pairs if held - common]
    if len(pairs) != 2:
        return None
    low, high = sorted((pairs[0][0], pairs[1][0]), key=lambda at: numbers[at].value)
    said = describe_operation(Operation.DIFFERENCE, columns.analyser.language, 2, len(table.rows), 2)
    result = _format(numbers[high].value - numbers[low].value, numbers[high])
    key = choose_key(columns, column)
    told = "; ".join(tell_row(columns, table.rows[at], column, key) for at in (high, low))
    return Computed(f"{said}: {result} ({told})", [table.rows[high], table.rows[low]], fit)


def _round_average(value: float) -> float:
    """To two decimals, or to four significant ones where it is small."""
    return round(value, 2) if abs(value) >= 1 else float(f"{value:.4g}")


def _format(value: float, like: Number) -> str:
    value = round(value, 6)
    text = f"{int(value):,}" if value == int(value) else f"{value:,}"
    unit = like.unit
    return f"{unit}{text}" if unit and unit in "$€£¥₹" else f"{text} {unit}".strip()
