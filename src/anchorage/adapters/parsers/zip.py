"""Zip archives: every file in them through the parser of its kind, bounded in number, size and depth."""

from __future__ import annotations

from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

from anchorage.adapters.parsers.archive import BROKEN, list_archive
from anchorage.adapters.parsers.builder import DocumentBuilder
from anchorage.adapters.parsers.reading import Members
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_MAX_PART = 200 * 1024**2
_JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`; what cannot be read in it is listed in `skipped`, unless nothing can be."""
    entries = [entry for entry in list_archive(file, name) if not _is_junk(entry)]
    builder = DocumentBuilder(task.limit)
    members = Members(builder, task)
    with ZipFile(file) as archive:
        for entry in entries:
            try:
                task.inner(entry.filename).allowance.take(entry.filename, entry.file_size)
                data = _read_entry(archive, entry, name, task)
            except DocumentRefused as refusal:
                members.skip(entry.filename, refusal)
                continue
            members.add(entry.filename, data, counted=True)
    if not builder.blocks and members.last:
        raise members.refusal_of_all(name)
    return builder.finish(name, name.rsplit(".", 1)[0], {"files": len(entries), **members.metadata()})


def _read_entry(archive: ZipFile, entry: ZipInfo, name: str, task: Task) -> bytes:
    if entry.file_size > _MAX_PART:
        raise DocumentRefused("too_large", f"{entry.filename} unpacks to more than {_MAX_PART // 1024**2} MB.")
    locked = entry.flag_bits & 1
    try:
        return archive.read(entry, task.password.encode() if task.password else None)
    except RuntimeError as error:
        if not locked:
            raise
        what = "does not open with the password given" if task.password else "is protected by a password"
        raise DocumentRefused("encrypted", f"{entry.filename} in {name} {what}. Pack it without one.") from error
    except BROKEN as error:
        if locked:
            raise DocumentRefused(
                "encrypted",
                f"{entry.filename} in {name} is protected in a way that is not supported. Pack it without a password.",
            ) from error
        raise DocumentRefused(
            "corrupt", f"{entry.filename} in {name} is damaged, or packed in an unusual way. Pack it again."
        ) from error


def _is_junk(entry: ZipInfo) -> bool:
    return entry.is_dir() or entry.filename.startswith(_JUNK[0]) or entry.filename.rsplit("/", 1)[-1] in _JUNK
