"""compute: answers over the rows of one table: the most or least, a sum, an average, a count, a difference. Where the column or the unit is
not clear, it gives none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from anchorage.chat.quoting.asked import Asked
from anchorage.chat.quoting.tables.table import Number, Row, Table
from anchorage.text.analyser import Analyser

_I = re.IGNORECASE
_MOST = re.compile(
    r"\b(?:most(?! (?:recent|of))|highest|largest|biggest|greatest|longest|tallest|heaviest|maximum|meisten|höchsten?|größten?|teuersten?|längsten?|"
    r"le plus|la plus|les plus|plus (?:grand|haut|cher|élevé)\w*|mayor|más)\b", _I
)  # fmt: skip
_LEAST = re.compile(
    r"\b(?:fewest|lowest|smallest|least|cheapest|minimum|shortest|wenigsten|niedrigsten?|kleinsten?|billigsten?|günstigsten?|kürzesten?|"
    r"le moins|la moins|les moins|menor|menos)\b", _I
)  # fmt: skip
_MEASURED = re.compile(
    r"\b(?:most|highest|largest|biggest|greatest|maximum|fewest|lowest|smallest|least|minimum|meisten|höchsten?|größten?|wenigsten|niedrigsten?|kleinsten?) "
    r"((?:[^\W\d]+ ?){1,2})", _I
)  # fmt: skip
_LEAST_BEFORE = re.compile(r"\bat least\b", _I)
_SUM = re.compile(
    r"\b(?:what(?:'s| is| was| are| were)|how (?:much|many)|calculate|give) .*\b(?:total|sum|altogether|combined|in all)\b|\b(?:insgesamt|zusammen|summe|gesamtwert)\b|"
    r"\b(?:au total|en tout|somme|suma|en total)\b", _I
)  # fmt: skip
# What narrows the rows in ways that are not computed here.
_NARROWS = re.compile(
    r"\b(?:first|last|next|previous|before|after|over|under|above|below|between|since|until|till|during|without|except|excluding|not|but|only|same|besides|other than|or|where|second|third|more than|less than|those|"
    r"at least|or more|or less|starting|ending|consecutive|vor|nach|seit|bis|ohne|avant|après|depuis|sans|antes|después|desde|sin)\b|(?<!\d)\d++ ?[-–] ?\d|(?<!\d)\d++ to \d", _I
)  # fmt: skip
_ASKED_NOUN = re.compile(
    r"\b(?:which|what|welche[rsnm]?|quel(?:le)?s?|qué|cuál(?:es)?) (?:single |of the )?((?:[^\W\d]+ ){1,3})", _I
)
_RANKS = re.compile(
    r"(?:rank|pos(?:ition)?\.?|no\.?|nr\.?|#|year|season|series|date|episode|place|id|index|jahr|année|año)\W*", _I
)
_TOTALS = re.compile(
    r"\W*(?:grand )?(?:sub)?(?:totals?|sum|average|mean|median|overall|all|gesamt\w*|insgesamt|summe|durchschnitt|mittelwert|ensemble|somme|moyenne|suma|promedio|media)\b",
    _I,
)
_AVERAGE = re.compile(r"\b(?:average|mean|durchschnitt\w*|im mittel|moyenne?|media|promedio)\b", _I)
_DIFFERENCE = re.compile(
    r"\bhow (?:many|much) (?:more|fewer|less|higher|larger)\b|\bdifference (?:in|between|of)\b|\bwie viele? (?:mehr|weniger)\b|\bcombien .*\b(?:de plus|de moins)\b|"
    r"\bcuánt[oa]s? (?:más|menos)\b", _I
)  # fmt: skip
_PRICE = re.compile(r"\b(?:expensive|cheap\w*|pricey|costly|teuer\w*|billig\w*|cher|chère|caro|cara|barat\w*)\b", _I)
_PRICE_NAMES = "price cost unit amount preis kosten prix coût precio"
_OPERATION_WORDS = (
    "most highest largest biggest greatest best longest maximum top fewest lowest smallest least cheapest minimum total sum altogether combined average mean "
    "more fewer less than difference number many much value all"
)
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TOP = re.compile(
    rf"\btop (\d{{1,2}}|{'|'.join(_WORDS)})\b|\b([2-9]|10|{'|'.join(_WORDS)}) (?:most|highest|largest|biggest|longest|cheapest|lowest|smallest|shortest|best)\b", _I
)  # fmt: skip
_COUNTED = re.compile(r"^\W*(?:how many|wie viele|combien d(?:e |['’])|cuánt[oa]s) ?((?:[^\W\d]+ ?){1,2})", _I)
_LISTED = (
    "list listed table row rows entry entries record records there tabelle zeilen liste lignes tableau filas tabla"
)
_MAX_ROWS_CITED = 6
_NARROW = 4  # columns of a row that is shown whole


class Operation(StrEnum):
    """What is computed."""

    MOST = "most"
    LEAST = "least"
    SUM = "sum"
    AVERAGE = "average"
    DIFFERENCE = "difference"
    COUNT = "count"


_SAID = {
    "english": {"most": "highest of {count}", "least": "lowest of {count}", "sum": "sum of {count} rows", "average": "average of {count} rows", "difference": "difference", "count": "{count} of {all} rows"},
    "german": {"most": "der höchste Wert von {count}", "least": "der niedrigste Wert von {count}", "sum": "Summe von {count} Zeilen",
               "average": "Durchschnitt von {count} Zeilen", "difference": "Unterschied", "count": "{count} von {all} Zeilen"},
    "french": {"most": "le plus élevé de {count}", "least": "le plus bas de {count}", "sum": "somme de {count} lignes", "average": "moyenne de {count} lignes",
               "difference": "différence", "count": "{count} lignes sur {all}"},
    "spanish": {"most": "el más alto de {count}", "least": "el más bajo de {count}", "sum": "suma de {count} filas", "average": "media de {count} filas",
                "difference": "diferencia", "count": "{count} de {all} filas"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Computed:
    """An answer over a table, the rows that it rests on, and how well the table fits the question."""

    claim: str
    rows: Sequence[Row]
    fit: float


def find_operation(question: str) -> Operation | None:
    """What a question asks to be computed; None where it asks for nothing of the kind."""
    if _DIFFERENCE.search(question):
        return Operation.DIFFERENCE
    if _LEAST.search(_LEAST_BEFORE.sub("", question)):
        return Operation.LEAST
    if _MOST.search(question) or _TOP.search(question):
        return Operation.MOST
    if _AVERAGE.search(question):
        return Operation.AVERAGE
    if _SUM.search(question):
        return Operation.SUM
    return Operation.COUNT if _COUNTED.search(question) else None


def find_how_many(question: str) -> int:
    """How many of the highest or lowest are asked for: 1 unless the question says so."""
    found = _TOP.search(question)
    told = (found[1] or found[2]).lower() if found else "1"
    return int(told) if told.isdigit() else _WORDS.index(told) + 2


def compute_answer(asked: Asked, table: Table, analyser: Analyser) -> Computed | None:
    """Compute what is asked over one table; None where its column, its rows or its units are not clear."""
    operation = find_operation(asked.question)
    if operation is None or (_NARROWS.search(asked.question) and operation is not Operation.DIFFERENCE):
        return None
    table = replace(table, rows=[row for row in table.rows if not _TOTALS.match(" ".join(row.cells[:2]))])
    spoken = frozenset(analyser.extract_terms(_OPERATION_WORDS))
    wanted = frozenset(asked.terms) - spoken
    about_caption = wanted
    if asks_price := bool(_PRICE.search(asked.question)):
        wanted |= frozenset(analyser.extract_terms(_PRICE_NAMES))
    noun = _ASKED_NOUN.search(asked.question)
    about = frozenset(analyser.extract_terms(noun[1])) - spoken if noun else frozenset[str]()
    if operation is Operation.COUNT:
        return _count_rows(asked, table, wanted, analyser)
    column, fit = _choose_column(table, wanted | frozenset(asked.terms), about, analyser, asks_price=asks_price)
    if column is None:
        return None
    numbers = table.read_numbers(column)
    picked = _filter_rows(table, column, wanted, analyser)
    caption = frozenset(analyser.extract_terms(table.caption))
    fit = min(fit, 1.0) + 2 * len(about_caption & caption) / max(len(about_caption), 1)
    if operation is Operation.DIFFERENCE:
        return _subtract(table, column, numbers, wanted, analyser, fit)
    values = [(numbers[at].value, at) for at in picked if at in numbers]
    if len(values) < 2:
        return None
    said = _SAID.get(analyser.language, _SAID["english"])[operation.value].format(count=len(values))
    if operation in (Operation.MOST, Operation.LEAST):
        if _is_narrowed(table, picked, wanted - caption, about, analyser) or not _is_measure_named(
            asked.question, table, about, analyser
        ):
            return None
        values.sort(reverse=operation is Operation.MOST)
        last = values[min(find_how_many(asked.question), len(values)) - 1][0]
        rows = [
            table.rows[at] for value, at in values if (value >= last if operation is Operation.MOST else value <= last)
        ]
        if len(rows) > find_how_many(asked.question) + 2:  # so many share the last place that none stands out
            return None
        key = _choose_key(table, column, about, analyser)
        told = "; ".join(_tell(table, row, column, key) for row in rows)
        return Computed(f"{told} ({said})", rows, fit)
    if not _is_covered(table, picked, wanted - caption, analyser):
        return None
    total = sum(value for value, _ in values)
    result = total / len(values) if operation is Operation.AVERAGE else total
    shown = _format(result, numbers[values[0][1]])
    rows = [table.rows[at] for _, at in values]
    return Computed(f"{table.names[column] or said}: {shown} ({said})", rows[:_MAX_ROWS_CITED], fit)


def _count_rows(asked: Asked, table: Table, wanted: frozenset[str], analyser: Analyser) -> Computed | None:
    """Count the rows that hold what the question says, where it names the column of what is counted and all else that it says is in the rows."""
    found = _COUNTED.search(asked.question)
    counted = frozenset(analyser.extract_terms(found[1])) if found else frozenset[str]()
    keys = [
        at
        for at, name in enumerate(table.names)
        if counted & frozenset(analyser.extract_terms(name)) and not table.read_numbers(at)
    ]
    if len(keys) != 1 or not table.rows:
        return None
    names = frozenset(term for name in table.names for term in analyser.extract_terms(name))
    caption = frozenset(analyser.extract_terms(table.caption))
    filters = wanted - counted - names - caption - frozenset(analyser.extract_terms(_LISTED))
    picked = [row for row in table.rows if filters <= frozenset(analyser.extract_terms(" ".join(row.cells)))]
    if not picked or not all(row.cells[keys[0]] for row in picked):
        return None
    said = _SAID.get(analyser.language, _SAID["english"])["count"].format(count=len(picked), all=len(table.rows))
    told = "; ".join(row.cells[keys[0]] for row in picked[:_MAX_ROWS_CITED])
    fit = 1.0 + 2 * len(wanted & caption) / max(len(wanted), 1)
    return Computed(f"{said}: {told}{'; …' if len(picked) > _MAX_ROWS_CITED else ''}", picked[:_MAX_ROWS_CITED], fit)


def _choose_column(
    table: Table, wanted: frozenset[str], about: frozenset[str], analyser: Analyser, *, asks_price: bool
) -> tuple[int | None, float]:
    """The column of numbers whose name the question says, and how much of the name; not the one that it asks `about`, nor one of ranks."""
    scored = []
    for column, name in enumerate(table.names):
        terms = analyser.extract_terms(name)
        held = len(wanted.intersection(terms))
        if _RANKS.fullmatch(name) or (about and about.issuperset(terms) and terms):
            continue
        # The last word alone is the kind of thing that is counted, not which: of freshwater ducks, ducks.
        if held and (terms[0] in wanted or held > 1 or len(terms) > 3) and table.read_numbers(column):
            scored.append((held / len(set(terms)) + 0.1 * held, column))
    if not scored and asks_price:
        money = [column for column, name in enumerate(table.names) if not name and _is_money(table, column)]
        return (money[0], 0.5) if money else (None, 0.0)
    if not scored:
        return None, 0.0
    best = max(score for score, _ in scored)
    columns = [column for score, column in scored if score == best]
    return (columns[0], best) if len(columns) == 1 else (None, 0.0)


def _is_money(table: Table, column: int) -> bool:
    return any(number.unit in tuple("$€£¥₹") for number in table.read_numbers(column).values())


def _filter_rows(table: Table, column: int, wanted: frozenset[str], analyser: Analyser) -> list[int]:
    """The rows with a cell that the question speaks of; all of them where it speaks of none."""
    everything = list(range(len(table.rows)))
    for other in range(len(table.names)):
        if other == column:
            continue
        name = frozenset(analyser.extract_terms(table.names[other]))
        found = []
        for at in everything:
            cell = frozenset(analyser.extract_terms(table.rows[at].cells[other])) - name
            if cell and cell & wanted and len(cell & wanted) >= 0.5 * len(cell):
                found.append(at)
        if 1 < len(found) < len(everything):
            return found
    return everything


def _is_covered(table: Table, picked: Sequence[int], wanted: frozenset[str], analyser: Analyser) -> bool:
    """Whether all that a question says is in the names of the columns, or in each of the rows that were picked."""
    left = set(wanted).difference(*(analyser.extract_terms(name) for name in table.names))
    return all(left <= set(analyser.extract_terms(" ".join(table.rows[at].cells))) for at in picked)


def _is_narrowed(
    table: Table, picked: Sequence[int], wanted: frozenset[str], about: frozenset[str], analyser: Analyser
) -> bool:
    """Whether a question says something that only some of the rows hold, other than those that were picked."""
    names = frozenset(term for name in table.names for term in analyser.extract_terms(name))
    left = wanted - names - about
    held = [frozenset(analyser.extract_terms(" ".join(row.cells))) for row in table.rows]
    somewhere = frozenset().union(*held) if held else frozenset[str]()
    return any(not left & somewhere <= held[at] for at in picked)


def _is_measure_named(question: str, table: Table, about: frozenset[str], analyser: Analyser) -> bool:
    """Whether the table has a column for what there is the most of: for sales, where the highest sales are asked for."""
    found = _MEASURED.search(question)
    said = frozenset(analyser.extract_terms(found[1])) if found and not _PRICE.match(found[1]) else frozenset[str]()
    names = frozenset(term for name in (*table.names, table.caption) for term in analyser.extract_terms(name))
    return not said or bool(said & (names | about))


def _subtract(
    table: Table, column: int, numbers: dict[int, Number], wanted: frozenset[str], analyser: Analyser, fit: float
) -> Computed | None:
    pairs = []
    for at in numbers:
        own = {
            term
            for other, cell in enumerate(table.rows[at].cells)
            if other != column
            for term in analyser.extract_terms(cell)
        }
        if held := own & wanted:
            pairs.append((at, held))
    common = frozenset.intersection(*(frozenset(held) for _, held in pairs)) if pairs else frozenset[str]()
    pairs = [(at, held - common) for at, held in pairs if held - common]
    if len(pairs) != 2:
        return None
    (first, _), (second, _) = pairs
    low, high = sorted((first, second), key=lambda at: numbers[at].value)
    said = _SAID.get(analyser.language, _SAID["english"])["difference"]
    result = _format(numbers[high].value - numbers[low].value, numbers[high])
    key = _choose_key(table, column, frozenset(), analyser)
    told = f"{said}: {result} ({_tell(table, table.rows[high], column, key)}; {_tell(table, table.rows[low], column, key)})"
    return Computed(told, [table.rows[high], table.rows[low]], fit)


def _choose_key(table: Table, column: int, about: frozenset[str], analyser: Analyser) -> int:
    """The column that names the rows: the one that is asked about, else the first one that is not of numbers, else the first one."""
    others = [at for at in range(len(table.names)) if at != column]
    named = [
        (len(about & frozenset(analyser.extract_terms(f"{table.names[at]} {table.rows[0].cells[at]}"))), -at)
        for at in others
    ]
    if named and max(named)[0]:
        return -max(named)[1]
    if len(table.names) > 2 and not table.names[1]:  # the lines of a form, which begin with their codes
        return others[0]
    return next(
        (at for at in others if not table.read_numbers(at) and any(row.cells[at] for row in table.rows)), others[0]
    )


def _tell(table: Table, row: Row, column: int, key: int) -> str:
    """The cells of a narrow row; of a wide one the cell that names it, and the one of the column."""
    shown = [at for at, cell in enumerate(row.cells) if cell] if len(row.cells) <= _NARROW else [key, column]
    parts = [f"{table.names[at]}: {row.cells[at]}" if table.names[at] else row.cells[at] for at in shown]
    return " | ".join(parts)


def _format(value: float, like: Number) -> str:
    text = f"{value:,.2f}".rstrip("0").rstrip(".") if value != int(value) else f"{int(value):,}"
    unit = like.unit
    return f"{unit}{text}" if unit in "$€£¥₹" and unit else f"{text} {unit}".strip()
