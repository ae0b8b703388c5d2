"""HTML: the page's own text in reading order, without navigation, scripts and styles."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from lxml import etree, html

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_CHARSET = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE
)
_DROPPED = {"script", "style", "noscript", "template", "svg", "math", "head", "nav", "footer", "iframe", "object", "select",
            "button", "textarea", "canvas", "audio", "video", "dialog"}  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {"p", "div", "section", "article", "main", "header", "aside", "ul", "ol", "dl", "dd", "dt", "table", "thead", "tbody",
           "tfoot", "tr", "td", "th", "caption", "blockquote", "figure", "figcaption", "form", "fieldset", "address", "hr",
           "body", "html", "details", "summary", "li", "pre", "center", *_HEADINGS}  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_MAX_DEPTH = 400


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    return parse_markup(read_markup(file, name), name, task.limit)


def read_markup(file: BinaryIO, name: str) -> str:
    """The file as text, in the encoding that it declares. Raises `DocumentRefused`."""
    data = file.read()
    return decode_text(data, name, find_declared_encoding(data))


def find_declared_encoding(data: bytes) -> str | None:
    """The encoding that markup says it is in."""
    declared = _CHARSET.search(data[:8192])
    return (declared.group(1) or declared.group(2)).decode("ascii", "replace") if declared else None


def parse_markup(markup: str, name: str, limit: int) -> ParsedDocument:
    """The document in `markup`; used by formats that are turned into HTML, too."""
    parser = html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = html.document_fromstring(clean_text(markup).encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise DocumentRefused("no_text", f"{name} holds no text, so there is nothing to ask about.") from error
    builder = DocumentBuilder(limit)
    walker = _Walker(builder)
    walker.walk(_find_content(root), 0)
    walker.flush()
    title = root.findtext(".//title") or ""
    return builder.finish(name, title)


def _find_content(root: Any) -> Any:
    """The page's main part where it is marked as such and holds most of the text, else its body."""
    body = root.find(".//body")
    body = root if body is None else body
    mains = body.xpath(".//main | .//*[@role='main'] | .//article")
    if mains:
        longest = max(mains, key=lambda element: len(element.text_content()))
        if len(longest.text_content()) * 2 > len(body.text_content()):
            return longest
    return body


class _Walker:
    """Turns elements into blocks; inline text gathers until a block begins or ends."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._inline: list[str] = []
        self._kind, self._level = BlockKind.PARAGRAPH, 0

    def flush(self) -> None:
        text = "".join(self._inline)
        self._inline = []
        lines = [fold_space(line) for line in text.split("\x1e")]
        self._builder.add(self._kind, "\n".join(line for line in lines if line), self._level)

    def walk(self, element: Any, depth: int) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in _DROPPED or self._is_hidden(element):
            return
        if depth > _MAX_DEPTH:
            self._inline.append(" " + element.text_content())
        elif tag == "br":
            self._inline.append("\x1e")
        elif tag == "img":
            self._inline.append(f" {element.get('alt') or ''} ")
        elif tag == "input" and element.get("type") == "checkbox":
            self._inline.append(_draw_check_box(element))
        elif tag == "pre":
            self.flush()
            self._builder.add(BlockKind.CODE, clean_text(element.text_content()))
        elif tag == "table" and not element.xpath("ancestor::table") and not element.xpath(".//table"):
            self.flush()
            self._add_table(element)
        elif tag in _BLOCKS:
            self._add_block(element, tag, depth)
        else:
            self._walk_children(element, depth)

    def _is_hidden(self, element: Any) -> bool:
        return (
            element.get("hidden") is not None
            or element.get("aria-hidden") == "true"
            or element.get("role") == "navigation"
            or bool(_HIDDEN.search(element.get("style") or ""))
        )

    def _add_block(self, element: Any, tag: str, depth: int) -> None:
        self.flush()
        before = self._kind, self._level
        if tag in _HEADINGS:
            self._kind, self._level = BlockKind.HEADING, _HEADINGS[tag]
        elif tag in ("li", "dt", "dd"):
            self._kind, self._level = BlockKind.LIST_ITEM, 0
        elif tag == "tr":
            self._kind, self._level = BlockKind.TABLE_ROW, 0
        self._walk_children(element, depth)
        self.flush()
        self._kind, self._level = before

    def _walk_children(self, element: Any, depth: int) -> None:
        if element.text:
            self._inline.append(element.text)
        for child in element:
            self.walk(child, depth + 1)
            if child.tail:
                self._inline.append(child.tail)

    def _add_table(self, table: Any) -> None:
        """Row by row, so that what stands together stays together."""
        for caption in table.iterfind("caption"):
            self._builder.add(BlockKind.PARAGRAPH, fold_space(caption.text_content()))
        held: dict[int, tuple[str, int]] = {}  # column -> (text, rows to go) of cells that span rows
        for row in table.iter("tr"):
            cells, spans = self._read_row(row, held)
            # Cells that span the next rows stand in those: a row of nothing else is left out.
            if any(cells) and not (spans and any(left for _, left in held.values())):
                self._builder.add(BlockKind.TABLE_ROW, " | ".join(cells))

    def _read_row(self, row: Any, held: dict[int, tuple[str, int]]) -> tuple[list[str], bool]:
        """(the texts of a row, with those that span it; whether all of its own cells span further rows)."""
        cells: list[str] = []
        own = [cell for cell in row if cell.tag in ("td", "th")]

        def fill_spanned() -> None:
            while (column := len(cells)) in held and held[column][1] > 0:
                text, left = held[column]
                held[column] = text, left - 1
                cells.append(text)

        for cell in own:
            fill_spanned()
            text = self._read_cell(cell)
            if (rows := _row_span(cell)) > 1:
                held[len(cells)] = text, rows - 1
            cells.append(text)
        fill_spanned()
        return cells, bool(own) and all(_row_span(cell) > 1 for cell in own)

    def _read_cell(self, cell: Any) -> str:
        for child in list(cell.iter("script", "style")):
            child.drop_tree()
        for box in cell.iter("input"):
            if box.get("type") == "checkbox":
                box.text = _draw_check_box(box)
        # Without a space, the last word of one paragraph would run into the first of the next.
        return fold_space(" ".join(piece for piece in cell.itertext() if piece.strip()))


def _draw_check_box(element: Any) -> str:
    """A check box as people write it."""
    return " [x] " if element.get("checked") is not None else " [ ] "


def _row_span(cell: Any) -> int:
    rows = cell.get("rowspan") or "1"
    return int(rows) if rows.isdecimal() and len(rows) < 5 else 1
