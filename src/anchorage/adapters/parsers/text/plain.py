"""Plain text: paragraphs by blank lines, and the chapter lines of books as headings."""

from __future__ import annotations

import re
from typing import BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.model import BlockKind, ParsedDocument

_CHAPTER = re.compile(
    r"(?:chapter|part|book|volume|section|appendix|act|scene|article)\s+(?:[\divxlc]+|the\s+\w+|[a-z])\b.{0,80}|"
    r"(?:preface|introduction|prologue|epilogue|contents|foreword|abstract|references)[.:]?",
    re.IGNORECASE,
)


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    builder = DocumentBuilder(task.limit)
    for paragraph in re.split(r"\n(?:[ \t]*\n)+", clean_text(decode_text(file.read(), name))):
        line = " ".join(paragraph.split())
        chapter = line.count(" ") < 16 and _CHAPTER.fullmatch(line)
        builder.add(BlockKind.HEADING if chapter else BlockKind.PARAGRAPH, paragraph, 1 if chapter else 0)
    stem = name.rsplit(".", 1)[0]
    return builder.finish(name, title=stem)
