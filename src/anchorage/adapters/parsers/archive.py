"""What a zip archive says that it holds, and its parts, bounded."""

from __future__ import annotations

import zlib
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from anchorage.errors import DocumentRefused

_MAX_UNPACKED = 300 * 1024**2
_MAX_PART = 100 * 1024**2
BROKEN = (BadZipFile, EOFError, OSError, ValueError, NotImplementedError, KeyError, zlib.error)  # what zipfile raises


def list_archive(file: BinaryIO, name: str) -> list[ZipInfo]:
    """The archive's directory. Raises `DocumentRefused` when it cannot be read."""
    try:
        with ZipFile(file) as archive:
            return archive.infolist()
    except BROKEN as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: its archive cannot be opened. Save or copy it again."
        ) from error


def check_archive(file: BinaryIO, name: str) -> None:
    """Raises `DocumentRefused` for an archive that is damaged, locked or would unpack to too much."""
    entries = list_archive(file, name)
    sizes = [entry.file_size for entry in entries]
    if any(entry.flag_bits & 1 for entry in entries):
        raise DocumentRefused("encrypted", f"{name} is protected by a password. Save it without one.")
    if sum(sizes) > _MAX_UNPACKED or max(sizes, default=0) > _MAX_PART:
        raise DocumentRefused(
            "too_large", f"{name} unpacks to more than {_MAX_UNPACKED // 1024**2} MB, so it was not opened. Split it."
        )


class Package:
    """The parts of a document that is a zip archive."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        check_archive(file, name)
        self._name = name
        self._archive = ZipFile(file)
        self.names = self._archive.namelist()

    def part(self, path: str) -> bytes:
        """The bytes of a part. Raises `DocumentRefused` when it is missing or damaged."""
        try:
            return self._archive.read(path)
        except BROKEN as error:
            raise DocumentRefused(
                "corrupt", f"{self._name} is damaged: its part {path} is missing or cannot be read. Save it again."
            ) from error
