"""Rows of tables: each with the names of its columns, so that a row found alone can be understood."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.adapters.parsers.builder import DocumentBuilder
from anchorage.model import BlockKind


class Table:
    """Adds a table's rows to a document. Its first row that holds anything names the columns."""

    def __init__(self, builder: DocumentBuilder, header: Sequence[str] = ()) -> None:
        self._builder = builder
        self._header = header

    def add_row(self, cells: Sequence[str]) -> None:
        """Append a row of cells, each on one line; nothing when all are blank."""
        if not any(cells):
            return
        if self._header:
            self._builder.add(BlockKind.TABLE_ROW, name_cells(self._header, cells))
        else:
            self._header = cells
            last = max(number for number, cell in enumerate(cells) if cell)
            self._builder.add(BlockKind.TABLE_ROW, " | ".join(cells[: last + 1]))


def name_cells(header: Sequence[str], cells: Sequence[str]) -> str:
    """`name: value | name: value`, without blank cells."""
    named = [
        f"{header[number].rstrip(':')}: {cell}" if number < len(header) and header[number] else cell
        for number, cell in enumerate(cells)
        if cell
    ]
    return " | ".join(named)
