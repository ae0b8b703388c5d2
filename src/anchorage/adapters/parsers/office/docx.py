"""Word documents (.docx), by mammoth, which knows strict files, text boxes, footnotes and lists."""

from __future__ import annotations

from typing import Any, BinaryIO
from zipfile import BadZipFile

import mammoth
from mammoth.images import img_element

from anchorage.adapters.parsers.archive import check_archive
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.web.html import parse_markup
from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh\n"


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    check_archive(file, name)
    try:
        result = mammoth.convert_to_html(file, style_map=_STYLES, convert_image=img_element(_leave_image_out))
    except (BadZipFile, KeyError, OSError, ValueError, EOFError, AttributeError, IndexError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: it cannot be read as a Word document. Save it again."
        ) from error
    return parse_markup(f"<html><body>{result.value}</body></html>", name, task.limit)


def _leave_image_out(image: Any) -> dict[str, str]:
    return {"src": ""}
