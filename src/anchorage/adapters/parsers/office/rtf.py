"""Rich text (.rtf), by striprtf; rows of tables keep their cells together."""

from __future__ import annotations

import re
from typing import BinaryIO

from striprtf.striprtf import rtf_to_text

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_TITLE = re.compile(r"\{\\title ([^{}\\]{1,300})\}")
_BULLET = re.compile(r"[•·▪◦–-]\s")


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    source = file.read().decode("cp1252", "replace")
    try:
        text: str = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, IndexError) as error:
        raise DocumentRefused("corrupt", f"{name} is damaged: it cannot be read as RTF. Save it again.") from error
    builder = DocumentBuilder(task.limit)
    for line in clean_text(text).split("\n"):
        if "|" in line and line.rstrip().endswith("|"):
            builder.add(BlockKind.TABLE_ROW, " | ".join(cell for cell in map(fold_space, line.split("|")) if cell))
        else:
            stripped = line.strip()
            builder.add(BlockKind.LIST_ITEM if _BULLET.match(stripped) else BlockKind.PARAGRAPH, stripped)
    found = _TITLE.search(source[:50_000])
    return builder.finish(name, found.group(1) if found else "")
