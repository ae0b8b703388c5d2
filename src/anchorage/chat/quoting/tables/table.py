"""table: the cells of a table by column, from rows with signs between them or from lines that are alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from anchorage.chat.quoting.asked import has_date

_NUMBER = re.compile(
    r"(?P<before>[$€£¥₹`~≈(]*|(?:USD|EUR|GBP|CHF|JPY|INR|CNY) ?)(?P<sign>[-−+]?)\s*(?P<digits>\d[\d.,'’ \u00a0\u2009\u202f]*)\s*(?P<after>%|(?:[^\W\d]{1,12}[²³23]?)?|[€£$])\)?\**"
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}")  # thousands, or lakhs
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_MONEY = re.compile(r"[-−]?[$€£¥₹][\d.,]*\d")
_FIELD = re.compile(r"\S+")
_CODE = re.compile(r"(?<![A-Z])[A-Z]++-(?=\w*\d)\w+|(?<!\w)(?=\w*\d)\w++-\w+")
_NOTHING = re.compile(
    r"[-–—?*.\s]*|n\.? ?/?a\.?|none|nil|null|unknown|tba|tbd|dn[fsq]|k\. ?a\.|keine angabe|unbekannt|inconnu|nd|s/d|desconocido", re.IGNORECASE
)  # fmt: skip
_SPACED = re.compile(r"\d{1,3}(?:[ '’\u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?|[^ '’\u00a0\u2009\u202f]*")
_BESIDE = 0.1  # how far from the middle of an amount the words of its name may be, as a part of the line
_THOUSAND = 3  # digits behind a sign that separates thousands
_LONGEST = 60  # characters of a cell that is a number
_SHARE = 0.8  # of the cells of a column that must be numbers


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit, as a cell has it."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its span in the document, and its cells."""

    start: int
    end: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, and rows with a cell for each of them."""

    names: Sequence[str]
    rows: Sequence[Row]
    caption: str = ""
    partial: bool = False
    """Whether rows were left out that do not fit the columns, so that nothing can be said of all rows."""

    def read_numbers(self, column: int) -> dict[int, Number]:
        """The numbers of a column by row; none where it is not one of numbers, where its units differ, or where a sign may be read in two ways."""
        cells = {at: row.cells[column] for at, row in enumerate(self.rows) if row.cells[column].strip(" -–—")}
        decimal = find_decimal_sign(list(cells.values()))
        found = {at: number for at, cell in cells.items() if (number := read_number(cell, decimal)) is not None}
        units = {number.unit for number in found.values()}
        if decimal is None or not found or len(found) < _SHARE * len(cells) or len(units - {""}) > 1:
            return {}
        # `5 km` beside `3000`: the other may be of metres. A sign of money that is left out is that of the others.
        return {} if len(units) > 1 and any(unit[:1].isalpha() for unit in units) else found

    def is_unread(self, row: int, column: int) -> bool:
        """Whether a cell has something to say, but no number that can be read."""
        cell = self.rows[row].cells[column].strip()
        return bool(cell) and not _NOTHING.fullmatch(cell)


def find_decimal_sign(cells: Sequence[str]) -> str | None:
    """Which sign stands before the decimals in a column of numbers, "." or ","; None where that cannot be told: `1.234`, `12.500` are
    thousands in one country and decimals in another.
    """
    doubtful = False
    for cell in cells:
        signs = [char for char in cell if char in ".,"]
        if not signs:
            continue
        last, tail = signs[-1], re.split(r"[.,]", cell.rstrip(".,"))[-1]
        decimals = len(re.match(r"\d*", tail)[0])  # type: ignore[index]
        if len(set(signs)) == 2:
            return last
        if len(signs) > 1:
            if _GROUPED.search(cell.replace(last, ",")):
                return "," if last == "." else "."
        elif decimals != _THOUSAND or re.search(r"(?<!\d)0?[.,]", cell):
            return last
        else:
            doubtful = doubtful or last == "."
    return None if doubtful else "."


def read_number(text: str, decimal: str | None = None) -> Number | None:
    """The number that a cell is, with its unit; None where it is something else. `decimal`: the sign before the decimals, if it is known."""
    text = text.strip()
    found = _NUMBER.fullmatch(text.strip("*_")) if len(text) <= _LONGEST else None
    if found is None or _DATE.fullmatch(text):
        return None
    decimal = decimal or find_decimal_sign([text]) or "."
    digits = found["digits"].strip().rstrip(".,")
    if not _SPACED.fullmatch(digits) or has_date(found["after"]):
        return None  # several numbers, or a day
    digits = re.sub(r"[ '’\u00a0\u2009\u202f]", "", digits)
    grouping = "," if decimal == "." else "."
    if digits.count(decimal) > 1 or (
        grouping in digits and not _GROUPED.fullmatch(digits.split(decimal)[0].replace(grouping, ","))
    ):
        return None  # a version, or several numbers
    value = float(digits.replace(grouping, "").replace(decimal, "."))
    negative = found["sign"] in ("-", "−") or (found["before"].startswith("(") and text.endswith(")"))
    unit = (found["before"].strip("(~≈ ") + found["after"]).strip()
    return Number(-value if negative else value, unit)


def parse_rows(rows: Sequence[tuple[int, int, str]], head: str = "", caption: str = "") -> Table | None:
    """Make a table of rows with ` | ` between the cells; None where they do not fit together.

    Cells name their columns (`Year: 2019`), or the head does, which may be the first of the rows.
    """
    split = [(start, end, split_cells(text)) for start, end, text in rows]
    while split and len(split[0][2]) == 1:  # a title above the head
        split = split[1:]
    split = _strip_common_name(split)
    inline = [(start, end, [_read_cell(cell, at) for at, cell in enumerate(cells)]) for start, end, cells in split]
    named = [
        (start, end, cells) for start, end, cells in inline if len(cells) > 1 and all(mark for _, mark, _ in cells)
    ]
    if len(named) >= max(2, 0.6 * len(rows)):
        names = list(dict.fromkeys(name for _, _, cells in named for name, _, _ in cells))
        body = []
        for start, end, cells in named:
            values = {name: value for name, _, value in cells}
            body.append(Row(start, end, [values.get(name, "") for name in names]))
        return Table(names, body, caption) if len(names) > 1 else None
    names = split_cells(head) if head else split[0][2] if split else []
    width = len(names)
    if not head:
        split = split[1:]
        if any(read_number(name) for name in names[1:]):
            names = [""] * width
    split = [(start, end, cells) for start, end, cells in split if cells != names]  # the head again, on the next page
    fitting = [Row(start, end, _fit(cells, width)) for start, end, cells in split if len(cells) in (width, width - 1)]
    if width < 2 or len(fitting) < 2 or len(fitting) < 0.8 * len(split):
        return None
    titles = sum(len(cells) == 1 for _, _, cells in split)  # of a part of the table
    return Table(names, fitting, caption, len(fitting) + titles < len(split))


def split_cells(text: str) -> list[str]:
    """The cells of a row. An empty one at the beginning or the end leaves its sign only."""
    return [cell.strip() for cell in f" {text} ".split(" | ")]


def _read_cell(cell: str, at: int) -> tuple[str, str, str]:
    """Name, mark and value of a cell. The first one may have no name: it names the row."""
    found = cell.partition(": ")
    return ("", ": ", cell) if at == 0 and not found[1] else found


def _strip_common_name(split: list[tuple[int, int, list[str]]]) -> list[tuple[int, int, list[str]]]:
    """Without a title that is written before the first cell of each row, the head's included."""
    first = {cells[0].partition(": ")[0] for _, _, cells in split if ": " in cells[0]}
    if len(first) != 1 or any(": " in cell for _, _, cells in split for cell in cells[1:]) or len(split) < 2:
        return split
    return [(start, end, [cells[0].rpartition(": ")[2], *cells[1:]]) for start, end, cells in split]


def _fit(cells: list[str], width: int) -> list[str]:
    return cells + [""] * (width - len(cells))


def parse_lines(lines: Sequence[tuple[int, int, str]], caption: str = "") -> list[Table]:
    """Make tables of the lines of a form that are alike: a code or a name, and amounts of money or numbers behind it.

    The columns of numbers get their names from the line above the first one, by where the words stand in it.
    """
    shapes: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for at, (_, _, text) in enumerate(lines):
        amounts = len(_MONEY.findall(text))
        if amounts and not _MONEY.match(text):
            shapes[amounts, bool(_CODE.match(text))].append(at)
    tables = []
    for (amounts, coded), places in shapes.items():
        if len(places) < 3 or not coded:
            continue
        first = places[0]
        above = lines[first - 1][2] if first and places[1] == first + 1 else ""
        head = above if not any(char.isdigit() for char in above) else ""
        fields = [_split_fields(lines[at][2]) for at in places]
        body = []
        for at, words in zip(places, fields, strict=True):
            money = [word for word in words if _MONEY.fullmatch(word)]
            others = [word for word in words[1:] if word not in money] or [""]
            if len(money) == amounts:
                body.append(Row(lines[at][0], lines[at][1], [words[0], others[0], *money, " ".join(others[1:])]))
        amount_names = _name_amounts(head, fields, amounts)
        if len(body) < 3 or len(amount_names) != amounts:
            continue
        names = [(head.split() or [""])[0], "", *amount_names, ""]
        before = " ".join(text for _, _, text in lines[max(first - 3, 0) : first])
        tables.append(Table(names, body, f"{caption} {before}"))
    return tables


def _split_fields(line: str) -> list[str]:
    """The fields of a line: codes, amounts and dates by themselves, words that follow one another together."""
    fields: list[str] = []
    plain = False
    for word in _FIELD.findall(line):
        is_word = not any(char.isdigit() for char in word)
        if is_word and plain:
            fields[-1] = f"{fields[-1]} {word}"
        else:
            fields.append(word)
        plain = is_word
    return fields


def _name_amounts(head: str, fields: Sequence[Sequence[str]], amounts: int) -> list[str]:
    """The words of a head that stand above each amount, as far in the line as the amount is among the fields of the longest line."""
    words = head.split()
    longest = max(fields, key=len)
    places = [at for at, field in enumerate(longest) if _MONEY.fullmatch(field)]
    names = []
    for place in places[:amounts]:
        middle = (place + 0.5) / len(longest)
        names.append(" ".join(word for at, word in enumerate(words) if abs((at + 0.5) / len(words) - middle) < _BESIDE))
    return names
