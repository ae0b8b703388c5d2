"""CSV and TSV: every row with the names of its columns, so that a row found alone can be understood."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from anchorage.adapters.parsers.builder import DocumentBuilder, clean, folded
from anchorage.adapters.parsers.encoding import decode
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_SAMPLE = 64 * 1024
_DELIMITERS = ",;\t|"


def parse(path: Path, name: str, limit: int, password: str | None) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    text = clean(decode(path.read_bytes(), name))
    csv.field_size_limit(sys.maxsize)
    builder = DocumentBuilder(limit)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), _dialect(text, name))
        header: Sequence[str] = ()
        for row in rows:
            cells = [folded(cell) for cell in row]
            if not any(cells):
                continue
            if not header:
                header = cells
                builder.add(BlockKind.TABLE_ROW, " | ".join(header))
            else:
                builder.add(BlockKind.TABLE_ROW, _row(header, cells))
    except csv.Error as error:
        raise DocumentRefused(
            "corrupt", f"{name} is not a table that can be read: {error}. Save it again as CSV."
        ) from error
    return builder.finish(name, title=name.rsplit(".", 1)[0])


def _dialect(text: str, name: str) -> type[csv.Dialect]:
    """The delimiter that cuts the first lines into the most even rows."""

    class Found(csv.excel):
        delimiter = "\t" if name.lower().endswith((".tsv", ".tab")) else ","

    def evenness(delimiter: str) -> tuple[float, int]:
        Found.delimiter = delimiter
        rows = [row for row in csv.reader(io.StringIO(text[:_SAMPLE], newline=""), Found) if row][:50]
        widths = [len(row) for row in rows]
        common = max(set(widths), key=widths.count) if widths else 1
        return (widths.count(common) / len(widths) if common > 1 else 0.0, common)

    chosen = Found.delimiter
    scores = {delimiter: evenness(delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: scores[delimiter])
    Found.delimiter = best if scores[best][0] > 0 else chosen
    return Found


def _row(header: Sequence[str], cells: Sequence[str]) -> str:
    named = [
        f"{header[number]}: {cell}" if number < len(header) and header[number] else cell
        for number, cell in enumerate(cells)
        if cell
    ]
    return " | ".join(named)
