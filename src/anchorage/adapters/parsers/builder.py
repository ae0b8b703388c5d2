"""Builds a parsed document piece by piece, so that every parser gets offsets, pages and white space right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anchorage.errors import DocumentRefused
from anchorage.model import Block, BlockKind, Page, ParsedDocument

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0\u2028\u2029]+")
_TITLE_LIMIT = 300
_OPENING = 5


def clean_text(text: str) -> str:
    """Text without what no database or reader takes: control characters, half surrogate pairs, byte order marks."""
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def fold_space(text: str) -> str:
    """Text on one line, with single spaces."""
    return _SPACE.sub(" ", clean_text(text)).strip()


class DocumentBuilder:
    """Collects blocks. `limit` is the number of characters that are taken of one file."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._pages: list[Page] = []
        self._page_start = 0

    @property
    def blocks(self) -> list[Block]:
        return self._blocks

    @property
    def pages(self) -> list[Page]:
        return self._pages

    def add(self, kind: BlockKind, text: str, level: int = 0) -> None:
        """Append a block of text; nothing when it is blank. Raises `DocumentRefused` beyond the limit."""
        text = text.strip("\n").rstrip() if kind is BlockKind.CODE else text.strip()
        if not text:
            return
        if self._blocks:
            tight = kind is BlockKind.TABLE_ROW and self._blocks[-1].kind is kind
            self._append("\n" if tight else "\n\n")
        start = self._length
        self._append(text)
        self._blocks.append(Block(kind, start, self._length, level))

    def append(self, document: ParsedDocument, level: int) -> None:
        """Append another document's blocks, its headings `level` deeper."""
        for block in document.blocks:
            below = min(6, level + block.level) if block.level else 0
            self.add(block.kind, document.text[block.start : block.end], below)

    def end_page(self, number: int) -> None:
        """Close page `number`: all that was added since the last call."""
        self._pages.append(Page(number, self._page_start, self._length))
        self._page_start = self._length

    def _append(self, text: str) -> None:
        self._length += len(text)
        if self._length > self._limit:
            raise DocumentRefused(
                "too_large",
                f"The file holds more than {self._limit} characters of text (ANCHORAGE_INGEST__MAX_TEXT_CHARS). Split it, or "
                "raise the limit.",
            )
        self._parts.append(text)

    def finish(self, name: str, title: str = "", metadata: Mapping[str, Any] | None = None) -> ParsedDocument:
        """The document, titled by `title`, else by a heading at its start, else by its file name.

        Raises `DocumentRefused` without text.
        """
        if not self._blocks:
            raise DocumentRefused("no_text", f"{name} holds no text, so there is nothing to ask about.")
        text = "".join(self._parts)
        title = fold_space(title) or self._opening_title(text) or name.rsplit(".", 1)[0] or name
        return ParsedDocument(text, title[:_TITLE_LIMIT], tuple(self._blocks), tuple(self._pages), dict(metadata or {}))

    def _opening_title(self, text: str) -> str:
        """The heading that the document opens with; one further on is only a section's."""
        for number, block in enumerate(self._blocks[:_OPENING]):
            if block.kind is BlockKind.HEADING and (number == 0 or block.level == 1):
                return fold_space(text[block.start : block.end])
        return ""
