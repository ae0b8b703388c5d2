"""Spreadsheets (.xlsx, .xlsb, .xls, .ods), by calamine: each sheet a heading, each row with the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import zip_longest
from typing import Any, BinaryIO

from lxml import etree
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from anchorage.adapters.parsers.archive import Package, check_archive
from anchorage.adapters.parsers.builder import DocumentBuilder, fold_space
from anchorage.adapters.parsers.office.charts import add_chart, parse_office_xml, read_drawing_text
from anchorage.adapters.parsers.rows import Table
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_ZIP = b"PK"
_BESIDE = re.compile(r"xl/(?:charts/|drawings/)?(chart|drawing|comments)\d*\.xml")


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    zipped = file.read(2) == _ZIP
    if zipped:
        check_archive(file, name)
    file.seek(0)
    builder = DocumentBuilder(task.limit)
    try:
        book = CalamineWorkbook.from_filelike(file)
        sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        for sheet in sheets:
            found = book.get_sheet_by_name(sheet.name)
            rows = [[format_cell(value) for value in row] for row in found.to_python(skip_empty_area=True)]
            add_sheet(builder, sheet.name, _fill_merged(rows, found.merged_cell_ranges or (), found.start or (0, 0)))
    except PasswordError as error:
        raise DocumentRefused("encrypted", f"{name} is protected by a password. Save it without one.") from error
    except CalamineError as error:
        raise _refusal_of_damaged(name) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # how a fault in Rust arrives; it is no Exception
            raise _refusal_of_damaged(name) from error
        raise
    if zipped:
        _add_drawings(builder, file, name)
    return builder.finish(name, name.rsplit(".", 1)[0], {"sheets": len(sheets)})


def _refusal_of_damaged(name: str) -> DocumentRefused:
    return DocumentRefused("corrupt", f"{name} is damaged: it cannot be read as a spreadsheet. Save it again.")


def format_cell(value: Any) -> str:
    """A cell's value as a reader would write it."""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat(" ")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return fold_space(str(value))


def add_sheet(builder: DocumentBuilder, title: str, rows: Sequence[Sequence[str]]) -> None:
    """A sheet's tables: blank rows part them; lines of one cell above a table are its titles."""
    if not any(any(row) for row in rows):
        return
    builder.add(BlockKind.HEADING, fold_space(title), 1)
    table: Table | None = None
    span: tuple[int, int] | None = None
    for band in _split_bands(rows):
        for number, part in enumerate(_split_tables(band)):
            filled = [column for row in part for column, cell in enumerate(row) if cell]
            here = min(filled), max(filled) + 1
            if number or here != span:  # the same columns go on after a blank row
                table = None
            span = here
            lines = [row[here[0] : here[1]] for row in part]
            while table is None and lines and sum(map(bool, lines[0])) == 1:
                builder.add(BlockKind.PARAGRAPH, next(filter(None, lines.pop(0))))
            if table is None and lines:
                lines = _merge_header_rows(lines)
                table = Table(builder, () if _can_name_columns(lines[0]) else [""])
            if table is not None:
                for cells in lines:
                    table.add_row(cells)


def _split_bands(rows: Sequence[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    """Rows between blank rows."""
    band: list[Sequence[str]] = []
    for row in [*rows, ()]:
        if any(row):
            band.append(row)
        elif band:
            yield band
            band = []


def _split_tables(band: list[Sequence[str]]) -> list[list[Sequence[str]]]:
    """Tables side by side: blank columns part them where one begins lower than the other.

    Elsewhere blank columns are only space, and a row stays whole.
    """
    width = max(map(len, band))
    firsts = [
        next((at for at, row in enumerate(band) if column < len(row) and row[column]), None) for column in range(width)
    ]
    groups: list[list[int]] = [[]]
    for column, first in enumerate(firsts):
        if first is not None:
            groups[-1].append(column)
        elif groups[-1]:
            groups.append([])
    groups = [group for group in groups if group]
    tops = [min(first for column in group if (first := firsts[column]) is not None) for group in groups]
    if len(set(tops)) == 1 or any(len(group) < 2 for group in groups):
        return [band]
    cut = [
        [[cell if column in group else "" for column, cell in enumerate(row)] for row in band]
        for group in map(set, groups)
    ]
    return [[row for row in part if any(row)] for part in cut]


def _fill_merged(rows: list[list[str]], merged: Sequence[Any], start: tuple[int, int]) -> list[list[str]]:
    """Rows in which a cell that was merged downwards stands in each of its rows, and a heading over columns in each of them."""
    for (top, left), (bottom, right) in merged:
        top, bottom, left, right = top - start[0], bottom - start[0], left - start[1], right - start[1]
        if 0 <= top < len(rows) and 0 <= left < len(rows[top]):
            for row in rows[top + 1 : bottom + 1]:
                row[left] = row[left] or rows[top][left]
            below = rows[bottom + 1][left : right + 1] if bottom + 1 < len(rows) else []
            if sum(map(bool, below)) > 1 and not any(rows[top][left + 1 : right + 1]):
                rows[top][left : right + 1] = [rows[top][left]] * len(rows[top][left : right + 1])
    return rows


def _add_drawings(builder: DocumentBuilder, file: BinaryIO, name: str) -> None:
    """Text boxes, charts and comments, which lie beside the cells."""
    package = Package(file, name)
    for part in sorted(package.names):
        found = _BESIDE.fullmatch(part)
        if not found:
            continue
        try:
            root = parse_office_xml(package.part(part))
        except (etree.LxmlError, DocumentRefused):
            continue  # the cells were read; a broken drawing takes nothing from them
        if found.group(1) == "chart":
            add_chart(builder, root)
        elif found.group(1) == "drawing":
            for body in root.iter("{*}txBody"):
                builder.add(BlockKind.PARAGRAPH, read_drawing_text(body))
        else:
            for comment in root.iter("{*}comment"):
                text = fold_space("".join(piece.text or "" for piece in comment.iter("{*}t")))
                if text:
                    builder.add(BlockKind.PARAGRAPH, f"Comment ({comment.get('ref')}): {text}")


def _merge_header_rows(lines: list[Sequence[str]]) -> list[Sequence[str]]:
    """Two rows of names above rows of numbers become one: what stands over a column, then its own name."""
    if len(lines) < 2 or not (_can_name_columns(lines[0]) and _can_name_columns(lines[1])):
        return lines
    if lines[1][0] if len(lines) == 2 else _can_name_columns(lines[2]):
        return lines
    gaps = any(not upper and lower for upper, lower in zip(lines[0], lines[1], strict=False))
    if not gaps and len(set(lines[0])) == len(lines[0]):
        return lines
    header = [" ".join(dict.fromkeys(filter(None, pair))) for pair in zip_longest(lines[0], lines[1], fillvalue="")]
    return [header, *lines[2:]]


def _can_name_columns(row: Sequence[str]) -> bool:
    """Whether a row can name columns: it has no numbers."""
    return not any(cell.replace(".", "", 1).replace("-", "", 1).isdigit() and not _is_year(cell) for cell in row)


def _is_year(cell: str) -> bool:
    return len(cell) == 4 and cell.startswith(("19", "20"))
