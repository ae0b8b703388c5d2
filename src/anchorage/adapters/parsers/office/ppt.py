"""Old PowerPoint presentations (.ppt): the text of each slide's shapes, then its notes (MS-PPT)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import unpack_from
from typing import BinaryIO

import olefile

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.rows import Table
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

# Types of records
_SLIDE_ATOM, _SLIDE_LIST, _SLIDE_PERSIST = 0x03EF, 0x0FF0, 0x03F3
_OUTLINE_REF, _HEADER, _CHARS, _BYTES = 0x0F9E, 0x0F9F, 0x0FA0, 0x0FA8
_USER_EDIT, _DIRECTORY = 0x0FF5, 0x1772
_GROUP, _SHAPE, _ANCHOR, _OPTIONS, _TABLE_PROPERTIES = 0xF003, 0xF004, 0xF00F, (0xF00B, 0xF121, 0xF122), 0x039F
_MOST = 500  # rows and columns of a table
_Rows = list[list[str]]
_TITLES = {0, 6}  # kinds of text: title, centred title
_NOTES = 2
_BODIES = {1, 5, 7, 8}
_DEEPEST = 30


@dataclass
class _Text:
    kind: int
    text: str


@dataclass
class _Entry:
    """A slide or a page of notes as the document lists it."""

    persist: int
    identifier: int
    outline: list[_Text] = field(default_factory=list)


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    with olefile.OleFileIO(file) as container:
        data = container.openstream("PowerPoint Document").read()
        user = container.openstream("Current User").read() if container.exists("Current User") else b""
        title = container.get_metadata().title or b""
    builder = DocumentBuilder(task.limit)
    try:
        presentation = _Presentation(data, unpack_from("<I", user, 16)[0])
        for number, slide in enumerate(presentation.slides, 1):
            _add_slide(builder, presentation, slide)
            builder.end_page(number)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: it cannot be read as a presentation. Save it again."
        ) from error
    known = title.decode("cp1252", "replace") if isinstance(title, bytes) else str(title)
    return builder.finish(name, "" if known == "PowerPoint Presentation" else known, {"pages": len(builder.pages)})


class _Presentation:
    def __init__(self, data: bytes, last_edit: int) -> None:
        self.data = data
        self._places: dict[int, int] = {}
        document = self._read_edits(last_edit)
        self.slides: list[_Entry] = []
        self.notes: dict[int, _Entry] = {}
        for kind, instance, start, end in self.records(*self.body(document)):
            if kind == _SLIDE_LIST and instance == 0:
                self.slides += self._read_entries(start, end)
            elif kind == _SLIDE_LIST and instance == 2:
                self.notes.update({entry.identifier: entry for entry in self._read_entries(start, end)})

    def _read_edits(self, at: int) -> int:
        """Read where everything lies now, newest edit first; returns the document's number."""
        document, seen = 0, set[int]()
        while at and at not in seen:
            seen.add(at)
            kind, previous, directory, number = (
                *unpack_from("<2xH", self.data, at),
                *unpack_from("<III", self.data, at + 16),
            )
            if kind != _USER_EDIT:
                raise ValueError("no edit record")
            document = document or number
            self._read_directory(directory)
            at = previous
        return document

    def _read_directory(self, at: int) -> None:
        kind, size = unpack_from("<2xHI", self.data, at)
        if kind != _DIRECTORY:
            raise ValueError("no directory of objects")
        at, end = at + 8, at + 8 + size
        while at < end:
            (head,) = unpack_from("<I", self.data, at)
            first, count = head & 0xFFFFF, head >> 20
            for number, place in enumerate(unpack_from(f"<{count}I", self.data, at + 4)):
                self._places.setdefault(first + number, place)
            at += 4 + 4 * count

    def body(self, persist: int) -> tuple[int, int]:
        """Where the contents of an object begin and end."""
        at = self._places[persist]
        (size,) = unpack_from("<4xI", self.data, at)
        return at + 8, min(len(self.data), at + 8 + size)

    def records(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """(type, instance, start, end) of the records side by side."""
        while start + 8 <= end:
            head, kind, size = unpack_from("<HHI", self.data, start)
            yield kind, head >> 4, start + 8, min(end, start + 8 + size)
            start += 8 + size

    def _read_entries(self, start: int, end: int) -> list[_Entry]:
        entries: list[_Entry] = []
        last = -1
        for kind, _, at, stop in self.records(start, end):
            if kind == _SLIDE_PERSIST:
                persist, identifier = unpack_from("<I8xI", self.data, at)
                entries.append(_Entry(persist, identifier))
            elif kind == _HEADER:
                (last,) = unpack_from("<I", self.data, at)
                if entries:
                    entries[-1].outline.append(_Text(last, ""))
            elif kind in (_CHARS, _BYTES) and entries and entries[-1].outline:
                entries[-1].outline[-1].text = self._decode(kind, at, stop)
        return entries

    def _decode(self, kind: int, start: int, end: int) -> str:
        return self.data[start:end].decode("utf-16-le" if kind == _CHARS else "latin-1", "replace")

    def texts(self, entry: _Entry) -> Iterator[_Text | _Rows]:
        """The texts of a slide's shapes in their order; those kept in the outline stand where a shape refers to them."""
        used = set()
        for found in self._read_shapes(*self.body(entry.persist), 0):
            if isinstance(found, int):
                used.add(found)
                if found < len(entry.outline):
                    yield entry.outline[found]
            else:
                yield found
        for number, text in enumerate(entry.outline):
            if number not in used:
                yield text

    def _read_shapes(self, start: int, end: int, depth: int) -> Iterator[_Text | _Rows | int]:
        last = -1
        for kind, _, at, stop in self.records(start, end):
            if kind == _OUTLINE_REF:
                yield unpack_from("<I", self.data, at)[0]
            elif kind == _HEADER:
                (last,) = unpack_from("<I", self.data, at)
            elif kind in (_CHARS, _BYTES):
                yield _Text(last, self._decode(kind, at, stop))
            elif kind == _GROUP and self._is_table(at, stop):
                yield self._read_table(at, stop)
            elif self.data[at - 8] & 0xF == 0xF and depth < _DEEPEST:
                yield from self._read_shapes(at, stop, depth + 1)

    def _is_table(self, start: int, end: int) -> bool:
        """Whether a group of shapes says of itself that it is a table."""
        for _, _, at, stop in self.records(start, end):  # its first member describes the group
            for kind, count, option, _ in self.records(at, stop):
                if kind in _OPTIONS:
                    pairs = (unpack_from("<HI", self.data, option + 6 * number) for number in range(count))
                    if any(key & 0x3FFF == _TABLE_PROPERTIES and value & 1 for key, value in pairs):
                        return True
            return False
        return False

    def _read_table(self, start: int, end: int) -> _Rows:
        """Cells by where they lie; one that spans rows or columns stands in each."""
        cells: list[tuple[int, int, int, int, str]] = []
        for kind, _, at, stop in self.records(start, end):
            if kind == _SHAPE:
                place = next((body for part, _, body, _ in self.records(at, stop) if part == _ANCHOR), None)
                texts = [found.text for found in self._read_shapes(at, stop, _DEEPEST - 2) if isinstance(found, _Text)]
                if place and texts:
                    cells.append((*unpack_from("<4i", self.data, place), _fold_line(" ".join(texts))))
        lefts, tops = sorted({cell[0] for cell in cells}), sorted({cell[1] for cell in cells})
        rows = []
        for y in tops[:_MOST]:
            across = [cell for cell in cells if cell[1] <= y < cell[3]]
            rows.append([next((cell[4] for cell in across if cell[0] <= x < cell[2]), "") for x in lefts[:_MOST]])
        return rows

    def read_notes(self, slide: _Entry) -> list[str]:
        """What the speaker noted."""
        for kind, _, at, _ in self.records(*self.body(slide.persist)):
            if kind == _SLIDE_ATOM:
                notes = self.notes.get(unpack_from("<I", self.data, at + 16)[0])
                return (
                    [text.text for text in self.texts(notes) if isinstance(text, _Text) and text.kind == _NOTES]
                    if notes
                    else []
                )
        return []


def _fold_line(text: str) -> str:
    return fold_space(clean_text(text.replace("\v", " ")))


def _add_slide(builder: DocumentBuilder, presentation: _Presentation, slide: _Entry) -> None:
    texts = list(presentation.texts(slide))
    for text in sorted(texts, key=lambda text: not isinstance(text, _Text) or text.kind not in _TITLES):
        if not isinstance(text, _Text):
            table = Table(builder)
            for row in text:
                table.add_row(row)
            continue
        lines = [_fold_line(line) for line in text.text.split("\r")]
        if text.kind in _TITLES:
            builder.add(BlockKind.HEADING, fold_space(" ".join(lines)), 1)
            continue
        kind = (
            BlockKind.LIST_ITEM
            if text.kind in _BODIES and len([line for line in lines if line]) > 1
            else BlockKind.PARAGRAPH
        )
        for line in lines:
            if line != "*":  # stands for the slide's number or date
                builder.add(kind, line)
    for note in presentation.read_notes(slide):
        if fold_space(note):
            builder.add(BlockKind.PARAGRAPH, "Notes: " + "\n".join(fold_space(line) for line in note.split("\r")))
