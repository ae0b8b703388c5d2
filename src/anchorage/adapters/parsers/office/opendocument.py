"""OpenDocument texts and presentations: their XML in reading order; slides are pages."""

from __future__ import annotations

from typing import Any, BinaryIO

from anchorage.adapters.parsers.archive import Package
from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.rows import Table
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.xml import parse_tree
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_SPACE = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT, _TABLE, _DRAW = f"{{{_SPACE}text:1.0}}", f"{{{_SPACE}table:1.0}}", f"{{{_SPACE}drawing:1.0}}"
_PRESENTATION, _OFFICE = f"{{{_SPACE}presentation:1.0}}", f"{{{_SPACE}office:1.0}}"
_SVG = f"{{{_SPACE}svg-compatible:1.0}}"
_DROPPED = {f"{_TEXT}tracked-changes", f"{_OFFICE}annotation-end", f"{_TEXT}sequence-decls", f"{_OFFICE}forms",
            f"{_TEXT}bibliography-mark", f"{_OFFICE}scripts"}  # fmt: skip
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_MAX_REPEATED = 100
_MAX_DEPTH = 300


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    package = Package(file, name)
    if "META-INF/manifest.xml" in package.names and b"encryption-data" in package.part("META-INF/manifest.xml"):
        raise DocumentRefused("encrypted", f"{name} is protected by a password. Save it without one.")
    body = parse_tree(package.part("content.xml"), name).find(f"{_OFFICE}body")
    if body is None:
        raise DocumentRefused("corrupt", f"{name} is damaged: it has no body. Save it again.")
    title = ""
    if "meta.xml" in package.names:
        title = parse_tree(package.part("meta.xml"), name).findtext(f".//{_TITLE}") or ""
    builder = DocumentBuilder(task.limit)
    walker = _Walker(builder)
    for content in body:
        walker.walk(content, 0)
    metadata = {"pages": len(builder.pages)} if builder.pages else {}
    return builder.finish(name, title, metadata)


class _Walker:
    """Turns elements into blocks."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._lists = 0
        self._slides = 0

    def walk(self, element: Any, depth: int) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in _DROPPED or depth > _MAX_DEPTH:
            return
        if tag == f"{_TEXT}h":
            level = element.get(f"{_TEXT}outline-level", "1")
            self._add_text(element, BlockKind.HEADING, min(6, int(level)) if level.isdigit() else 1, depth)
        elif tag == f"{_TEXT}p":
            self._add_text(element, BlockKind.LIST_ITEM if self._lists else BlockKind.PARAGRAPH, 0, depth)
        elif tag == f"{_TABLE}table":
            self._add_table(element)
        elif tag == f"{_DRAW}page":
            self._add_slide(element, depth)
        elif tag == f"{_DRAW}frame" and element.get(f"{_PRESENTATION}class") in ("title", "subtitle"):
            level = 1 if element.get(f"{_PRESENTATION}class") == "title" else 2
            self._builder.add(BlockKind.HEADING, fold_space(read_own_text(element)), level)
        elif tag in (f"{_SVG}title", f"{_SVG}desc"):
            self._builder.add(BlockKind.PARAGRAPH, fold_space(element.text or ""))
        else:
            self._lists += tag == f"{_TEXT}list"
            for child in element:
                self.walk(child, depth + 1)
            self._lists -= tag == f"{_TEXT}list"

    def _add_text(self, element: Any, kind: BlockKind, level: int, depth: int) -> None:
        """A paragraph, then what is anchored in it: text boxes, footnotes, comments."""
        text = "\n".join(fold_space(line) for line in read_own_text(element).split("\n"))
        self._builder.add(kind, text, level)
        for anchored in element.iterdescendants(
            f"{_DRAW}frame", f"{_TEXT}note-body", f"{_OFFICE}annotation", f"{_DRAW}custom-shape"
        ):
            if not any(parent.tag in _ANCHORED for parent in _list_between(anchored, element)):
                for child in anchored:
                    self.walk(child, depth + 1)

    def _add_slide(self, element: Any, depth: int) -> None:
        self._slides += 1
        for child in element:
            if child.tag == f"{_PRESENTATION}notes":
                for box in child.iterdescendants(f"{_DRAW}text-box"):
                    if text := fold_space(read_own_text(box)):
                        self._builder.add(BlockKind.PARAGRAPH, f"Notes: {text}")
            else:
                self.walk(child, depth + 1)
        self._builder.end_page(self._slides)

    def _add_table(self, element: Any) -> None:
        table = Table(self._builder)
        for row in element.iter(f"{_TABLE}table-row"):
            if next(row.iterancestors(f"{_TABLE}table")) is not element:
                continue  # of a table within a cell, which that cell reads
            cells: list[str] = []
            for cell in row.iterchildren(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                text = fold_space(" ".join(read_own_text(part) for part in cell.iter(f"{_TEXT}p", f"{_TEXT}h")))
                cells += [text] * min(int(cell.get(f"{_TABLE}number-columns-repeated", "1")), _MAX_REPEATED)
            table.add_row(cells)


_ANCHORED = {f"{_DRAW}frame", f"{_TEXT}note", f"{_OFFICE}annotation", f"{_DRAW}custom-shape"}


def _list_between(element: Any, ancestor: Any) -> list[Any]:
    found = []
    parent = element.getparent()
    while parent is not None and parent is not ancestor:
        found.append(parent)
        parent = parent.getparent()
    return [one for one in found if one.tag != f"{_TEXT}note"]


def read_own_text(element: Any) -> str:
    """The text of an element itself, without what is anchored in it."""
    parts = [element.text or ""]
    for child in element:
        tag = child.tag
        if tag == f"{_TEXT}s":
            parts.append(" ")
        elif tag == f"{_TEXT}tab":
            parts.append("\t")
        elif tag == f"{_TEXT}line-break":
            parts.append("\n")
        elif isinstance(tag, str) and (tag not in _ANCHORED or element.tag in (f"{_DRAW}frame",)):
            parts.append(read_own_text(child))
            if tag == f"{_TEXT}p":
                parts.append("\n")
        parts.append(child.tail or "")
    return clean_text("".join(parts))
