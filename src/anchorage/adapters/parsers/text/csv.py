"""CSV and TSV: every row with the names of its columns, so that a row found alone can be understood."""

from __future__ import annotations

import csv
import io
import sys
from typing import BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.rows import Table
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_SAMPLE = 64 * 1024
_DELIMITERS = ",;\t|"


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    text = clean_text(decode_text(file.read(), name))
    csv.field_size_limit(sys.maxsize)
    builder = DocumentBuilder(task.limit)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), _detect_dialect(text, name))
        table = Table(builder)
        for row in rows:
            table.add_row([fold_space(cell) for cell in row])
    except csv.Error as error:
        raise DocumentRefused(
            "corrupt", f"{name} is not a table that can be read: {error}. Save it again as CSV."
        ) from error
    return builder.finish(name, title=name.rsplit(".", 1)[0])


def _detect_dialect(text: str, name: str) -> type[csv.Dialect]:
    """The delimiter that cuts the first lines into the most even rows."""

    class Found(csv.excel):
        delimiter = "\t" if name.lower().endswith((".tsv", ".tab")) else ","

    def measure_evenness(delimiter: str) -> tuple[float, int]:
        Found.delimiter = delimiter
        rows = [row for row in csv.reader(io.StringIO(text[:_SAMPLE], newline=""), Found) if row][:50]
        widths = [len(row) for row in rows]
        common = max(set(widths), key=widths.count) if widths else 1
        return (widths.count(common) / len(widths) if common > 1 else 0.0, common)

    chosen = Found.delimiter
    scores = {delimiter: measure_evenness(delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: scores[delimiter])
    Found.delimiter = best if scores[best][0] > 0 else chosen
    return Found
