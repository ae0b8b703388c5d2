"""PowerPoint (.pptx), by python-pptx: each slide is a page; tables, charts, diagrams, alternative texts, notes, comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from lxml import etree
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER
from pptx.exc import PackageNotFoundError

from anchorage.adapters.parsers.archive import BROKEN, check_archive
from anchorage.adapters.parsers.builder import DocumentBuilder, fold_space
from anchorage.adapters.parsers.office.charts import add_chart, parse_office_xml, read_drawing_text
from anchorage.adapters.parsers.rows import Table
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_BODY = {PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY, PP_PLACEHOLDER.VERTICAL_OBJECT}
_TITLES = {PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE}
_FURNITURE = {PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER}
_MAX_DEPTH = 20  # of groups


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    check_archive(file, name)
    try:
        presentation = Presentation(file)
        slides = list(presentation.slides)
    except (*BROKEN, PackageNotFoundError, etree.LxmlError, AttributeError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: it cannot be read as a presentation. Save it again."
        ) from error
    builder = DocumentBuilder(task.limit)
    authors = _authors(presentation)
    for number, slide in enumerate(slides, 1):
        _Slide(builder, slide, authors).add()
        builder.end_page(number)
    return builder.finish(name, fold_space(presentation.core_properties.title or ""), {"pages": len(slides)})


class _Slide:
    def __init__(self, builder: DocumentBuilder, slide: Any, authors: Mapping[str, str]) -> None:
        self._authors = authors
        self._builder = builder
        self._slide = slide

    def add(self) -> None:
        shapes = list(self._slide.shapes)
        titles = [shape for shape in shapes if _placeholder_type(shape) in _TITLES]
        for shape in titles:
            self._builder.add(BlockKind.HEADING, fold_space(shape.text_frame.text), 1)
        self._add_shapes([shape for shape in shapes if not any(shape is title for title in titles)], 0)
        if self._slide.has_notes_slide and (frame := self._slide.notes_slide.notes_text_frame) is not None:
            self._add_frame(frame, lists=False, before="Notes: ")
        for text in self._read_comments():
            self._builder.add(BlockKind.PARAGRAPH, text)

    def _add_shapes(self, shapes: Iterable[Any], depth: int) -> None:
        for shape in shapes:
            place = _placeholder_type(shape)
            if place in _FURNITURE:
                continue
            if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
                if depth < _MAX_DEPTH:
                    self._add_shapes(shape.shapes, depth + 1)
            elif getattr(shape, "has_table", False):
                table = Table(self._builder)
                for row in shape.table.rows:
                    table.add_row([fold_space(cell.text) for cell in row.cells])
            elif getattr(shape, "has_chart", False):
                add_chart(self._builder, parse_office_xml(shape.chart_part.blob))
            elif shape.has_text_frame:
                self._add_frame(shape.text_frame, lists=place in _BODY)
            else:
                self._add_picture(shape)

    def _add_frame(self, frame: Any, *, lists: bool, before: str = "") -> None:
        """A body's paragraphs are bullets where there are several."""
        texts = [
            text for text in (fold_space(paragraph.text.replace("\v", " ")) for paragraph in frame.paragraphs) if text
        ]
        kind = BlockKind.LIST_ITEM if lists and len(texts) > 1 else BlockKind.PARAGRAPH
        for text in texts:
            self._builder.add(kind, before + text)
            before = ""

    def _add_picture(self, shape: Any) -> None:
        """The alternative text of a picture, and the words of a diagram."""
        properties = shape._element.xpath(".//p:cNvPr")
        description = properties[0].get("descr", "") if properties else ""
        if not re.fullmatch(r"\S+\.\w{3,4}", description):
            self._builder.add(BlockKind.PARAGRAPH, fold_space(description))
        for identifier in shape._element.xpath(".//@r:dm"):
            root = parse_office_xml(self._slide.part.related_part(identifier).blob)
            for paragraph in root.iter(f"{_A}p"):
                self._builder.add(BlockKind.LIST_ITEM, read_drawing_text(paragraph))

    def _read_comments(self) -> Iterator[str]:
        """Comments and replies with who wrote them and when, in the old format and the new one."""
        for relation in self._slide.part.rels.values():
            if relation.reltype.endswith("/comments") and not relation.is_external:
                for comment in parse_office_xml(relation.target_part.blob).iter("{*}cm", "{*}reply"):
                    author = self._authors.get(comment.get("authorId", ""), "unknown")
                    when = comment.get("dt") or comment.get("created") or "unknown"
                    yield f"Comment (author: {author}, time: {when}): {_read_words(comment)}"


def _authors(presentation: Any) -> dict[str, str]:
    """Names and initials of those who commented, by the numbers that comments give them."""
    found = {}
    for relation in presentation.part.rels.values():
        if relation.reltype.endswith(("/commentAuthors", "/authors")) and not relation.is_external:
            for author in parse_office_xml(relation.target_part.blob).iter("{*}cmAuthor", "{*}author"):
                initials = author.get("initials")
                found[author.get("id", "")] = author.get("name", "") + (f" ({initials})" if initials else "")
    return found


def _read_words(comment: Any) -> str:
    """A comment's own words, without those of the replies to it."""
    parts = [child for child in comment if isinstance(child.tag, str)]
    old = [child.text or "" for child in parts if etree.QName(child).localname == "text"]
    return fold_space(
        " ".join([*old, *(read_drawing_text(child) for child in parts if etree.QName(child).localname == "txBody")])
    )


def _placeholder_type(shape: Any) -> Any:
    return shape.placeholder_format.type if shape.is_placeholder else None
