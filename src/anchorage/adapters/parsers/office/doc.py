"""Old Word documents (.doc): the text by the piece table (MS-DOC), headings by their paragraphs' styles."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from struct import unpack_from
from typing import BinaryIO

import olefile

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.rows import Table
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_MAGIC, _WORD_97 = (0xA5EC, 0xA5DC), 0xC1
_FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x15]*))?\x15")  # an instruction, and what it shows
_MARKS = str.maketrans({"\x0b": "\n", "\x0c": "\r", "\x0e": "\r", "\x1e": "-", "\x1f": None, "\xa0": " "})
_IN_TABLE, _ROW_END = b"\x16\x24\x01", b"\x17\x24\x01"  # sprmPFInTable, sprmPFTtp
_BULLET = re.compile(r"[•·▪◦–\uf0b7-]\s")


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    with olefile.OleFileIO(file) as container:
        main = container.openstream("WordDocument").read()
        magic, version = unpack_from("<HH", main)
        (flags,) = unpack_from("<H", main, 10)
        table_name = "1Table" if flags & 0x200 else "0Table"
        table = container.openstream(table_name).read() if container.exists(table_name) else b""
        title = container.get_metadata().title or b""
    try:
        if magic not in _MAGIC:
            raise ValueError("no Word document")
        pieces = list(_read_pieces(main, table)) if version >= _WORD_97 else [_read_old_text(main)]
        properties = _Properties(main, table) if version >= _WORD_97 else None
    except (struct.error, ValueError, IndexError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: it cannot be read as a Word document. Save it again."
        ) from error
    builder = DocumentBuilder(task.limit)
    _add_paragraphs(builder, pieces, properties)
    return builder.finish(name, title.decode("cp1252", "replace") if isinstance(title, bytes) else str(title))


def _read_old_text(main: bytes) -> tuple[str, int, int]:
    """Word 6 and 95 keep the text in one run of bytes."""
    start, end = unpack_from("<II", main, 0x18)
    return main[start:end].decode("cp1252", "replace"), start, 1


def _read_pieces(main: bytes, table: bytes) -> Iterator[tuple[str, int, int]]:
    """(text, offset in the stream, bytes a character) of each piece, in reading order."""
    at, size = unpack_from("<II", main, 0x1A2)
    end = at + size
    while at < end and table[at] == 1:  # formatting that pieces share
        at += 3 + unpack_from("<H", table, at + 1)[0]
    if at >= end or table[at] != 2:
        raise ValueError("no piece table")
    (length,) = unpack_from("<I", table, at + 1)
    count = (length - 4) // 12
    at += 5
    positions = unpack_from(f"<{count + 1}I", table, at)
    for number in range(count):
        (where,) = unpack_from("<I", table, at + 4 * (count + 1) + 8 * number + 2)
        characters = positions[number + 1] - positions[number]
        if characters < 0:
            raise ValueError("pieces out of order")
        narrow = bool(where & 0x40000000)
        start = (where & 0x3FFFFFFF) // 2 if narrow else where
        width = 1 if narrow else 2
        raw = main[start : start + characters * width]
        yield raw.decode("cp1252" if narrow else "utf-16-le", "replace"), start, width


class _Properties:
    """What is said of the paragraph at an offset of the stream: its style, and its place in a table."""

    def __init__(self, main: bytes, table: bytes) -> None:
        runs: list[tuple[int, bytes]] = []
        at, size = unpack_from("<II", main, 0x102)
        count = max(0, (size - 4) // 8)
        for number in range(count):
            (page,) = unpack_from("<I", table, at + 4 * (count + 1) + 4 * number)
            runs += self._read_runs(main, (page & 0x3FFFFF) * 512)
        runs.sort(key=lambda run: run[0])
        self._starts = [start for start, _ in runs]
        self._found = [found for _, found in runs]

    @staticmethod
    def _read_runs(main: bytes, page: int) -> Iterator[tuple[int, bytes]]:
        count = main[page + 511]
        starts = unpack_from(f"<{count + 1}I", main, page)
        for number in range(count):
            offset = main[page + 4 * (count + 1) + 13 * number] * 2
            found = b""
            if offset:
                at = page + offset
                size = main[at] * 2 - 1 if main[at] else main[at + 1] * 2
                at += 1 if main[at] else 2
                found = main[at : at + size]
            yield starts[number], found

    def at(self, offset: int) -> tuple[int, bool, bool]:
        """(level of a heading or 0, in a table, end of a row)."""
        number = bisect_right(self._starts, offset) - 1
        found = self._found[number] if number >= 0 else b""
        style = int.from_bytes(found[:2], "little")  # 1 to 9 are the headings, whatever they are called
        return (min(6, style) if 1 <= style <= 9 else 0), _IN_TABLE in found[2:], _ROW_END in found[2:]


def _add_paragraphs(
    builder: DocumentBuilder, pieces: list[tuple[str, int, int]], properties: _Properties | None
) -> None:
    """Paragraphs end with a return; cells and rows with a bell."""
    table = Table(builder)
    cells: list[str] = []
    current: list[str] = []
    for text, start, width in pieces:
        position = 0
        for part in re.split("([\r\x07\x0c])", text):
            if part not in ("\r", "\x07", "\x0c"):
                current.append(part)
                position += len(part)
                continue
            level, inside, ends = properties.at(start + position * width) if properties else (0, False, False)
            position += 1
            if part == "\x07" and (ends or (properties is None and cells and not "".join(current))):
                table.add_row(cells)
                cells, current = [], []
            elif part == "\x07":
                cells.append(fold_space(_strip_marks("".join(current))))
                current = []
            elif inside:
                current.append(" ")
            else:
                table = Table(builder)
                _add_paragraph(builder, "".join(current), level)
                current = []
    table.add_row(cells)
    _add_paragraph(builder, "".join(current), 0)


def _add_paragraph(builder: DocumentBuilder, raw: str, level: int) -> None:
    text = _strip_marks(raw)
    if level:
        builder.add(BlockKind.HEADING, fold_space(text), level)
    else:
        builder.add(BlockKind.LIST_ITEM if _BULLET.match(text) else BlockKind.PARAGRAPH, text)


def _strip_marks(raw: str) -> str:
    """A paragraph's text without the instructions of fields and the marks of pictures and notes."""
    before = None
    while before != raw:
        before, raw = raw, _FIELD.sub(lambda field: field.group(1) or "", raw)
    return clean_text(raw.translate(_MARKS)).strip()
