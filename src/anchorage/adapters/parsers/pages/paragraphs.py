"""Paragraphs of a page of which only the lines are known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from anchorage.adapters.parsers.builder import DocumentBuilder
from anchorage.model import BlockKind

_SENTENCE_END = re.compile(r"[.!?:;)\]\"”»]$")
_BULLET = re.compile(r"(?:[•‣◦▪●·–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")


def add_page(builder: DocumentBuilder, text: str, headings: Sequence[tuple[int, str]] = ()) -> None:
    """Paragraphs of a page: PDFs only have lines, so one ends where a line is short or blank, or a bullet begins."""
    lines = [line.rstrip() for line in text.split("\n")]
    longest = max((len(line) for line in lines), default=0)
    wanted = {_normalize(title): level for level, title in headings}
    paragraph: list[str] = []

    def flush() -> None:
        builder.add(BlockKind.PARAGRAPH, "\n".join(paragraph))
        paragraph.clear()

    for line in lines:
        stripped = line.strip()
        key = _normalize(stripped)
        if not stripped:
            flush()
        elif key and key in wanted:
            flush()
            builder.add(BlockKind.HEADING, stripped, wanted.pop(key))
        elif _BULLET.match(stripped):
            flush()
            paragraph.append(stripped)
        else:
            paragraph.append(stripped)
            if len(stripped) < longest * 0.75 and _SENTENCE_END.search(stripped):
                flush()
    flush()


def _normalize(title: str) -> str:
    """A title without its number, case and punctuation, as it may differ between outline and page."""
    return re.sub(r"[\W_]+", "", re.sub(r"^[\dA-Z]{0,3}(?:\.\d+)*[.)]?\s+", "", title).lower())
