"""What a zip archive says that it holds, without unpacking it."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from anchorage.errors import DocumentRefused


def archive_entries(path: Path, name: str) -> list[ZipInfo]:
    """The archive's directory. Raises `DocumentRefused` when it cannot be read."""
    try:
        with ZipFile(path) as archive:
            return archive.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: its archive cannot be opened. Save or copy it again."
        ) from error
