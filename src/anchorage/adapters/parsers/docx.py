"""Word documents (.docx), by mammoth, which knows strict files, text boxes, footnotes and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import mammoth
from mammoth.images import img_element

from anchorage.adapters.parsers.archive import archive_entries
from anchorage.adapters.parsers.html import parse_markup
from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh\n"
_MAX_UNPACKED = 300 * 1024**2
_MAX_PART = 100 * 1024**2


def parse(path: Path, name: str, limit: int, password: str | None) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    check_archive(path, name)
    try:
        with path.open("rb") as file:
            result = mammoth.convert_to_html(file, style_map=_STYLES, convert_image=img_element(_no_image))
    except (BadZipFile, KeyError, OSError, ValueError, EOFError, AttributeError, IndexError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: it cannot be read as a Word document. Save it again."
        ) from error
    return parse_markup(f"<html><body>{result.value}</body></html>", name, limit)


def _no_image(image: Any) -> dict[str, str]:
    return {"src": ""}


def check_archive(path: Path, name: str) -> None:
    """Raises `DocumentRefused` for an archive that is damaged or would unpack to too much."""
    entries = archive_entries(path, name)
    sizes = [entry.file_size for entry in entries]
    if any(entry.flag_bits & 1 for entry in entries):
        raise DocumentRefused("encrypted", f"{name} is protected by a password. Save it without one.")
    if sum(sizes) > _MAX_UNPACKED or max(sizes, default=0) > _MAX_PART:
        raise DocumentRefused(
            "too_large", f"{name} unpacks to more than {_MAX_UNPACKED // 1024**2} MB, so it was not opened. Split it."
        )
