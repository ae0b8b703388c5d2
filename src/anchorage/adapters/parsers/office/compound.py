"""Compound files (MS-CFB): old Office documents, Outlook messages, and new Office documents under a password."""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

import msoffcrypto
import olefile
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError

from anchorage.errors import DocumentRefused, UnknownFormat

_STREAMS = (
    ("WordDocument", "doc"), ("PowerPoint Document", "ppt"), ("Workbook", "xls"), ("Book", "xls"),
    ("__properties_version1.0", "msg"),
)  # fmt: skip
_LOCKED = "EncryptedPackage"
_EXCELS_OWN = "VelvetSweatshop"  # what Excel itself tries first: it locks a sheet's cells without hiding them


def remove_password(file: BinaryIO, name: str, password: str | None) -> tuple[str, BinaryIO]:
    """The kind (`zip` for a new Office document) and the file without its password.

    Raises `DocumentRefused` (encrypted, corrupt) or `UnknownFormat`.
    """
    try:
        with olefile.OleFileIO(file) as container:
            streams = {"/".join(entry) for entry in container.listdir()}
    except (OSError, ValueError, IndexError) as error:
        file.seek(0)
        if _LOCKED.encode("utf-16-le") in file.read(8 * 1024**2):
            raise _refusal_of_locked(name, None) from error
        raise DocumentRefused("corrupt", f"{name} is damaged: it cannot be opened. Save or copy it again.") from error
    if _LOCKED in streams:
        return "zip", _decrypt(file, name, password)
    kind = next((kind for stream, kind in _STREAMS if stream in streams), None)
    if kind is None:
        raise UnknownFormat(f"{name}: this kind of compound file is not supported.")
    if kind in ("doc", "ppt", "xls") and _is_locked(file):
        return kind, _decrypt(file, name, password)
    return kind, file


def _is_locked(file: BinaryIO) -> bool:
    file.seek(0)
    try:
        return bool(msoffcrypto.OfficeFile(file).is_encrypted())
    except Exception:  # noqa: BLE001  it gives up on files that it does not know; their parser judges them
        return False


def _decrypt(file: BinaryIO, name: str, password: str | None) -> BinaryIO:
    plain = BytesIO()
    file.seek(0)
    try:
        office = msoffcrypto.OfficeFile(file)
        office.load_key(password=password or _EXCELS_OWN)
        office.decrypt(plain)
    except (InvalidKeyError, DecryptionError, FileFormatError, ParseError, ValueError, KeyError, OSError) as error:
        raise _refusal_of_locked(name, password) from error
    if plain.tell() == 0 or not plain.getvalue().startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _refusal_of_locked(name, password)
    return plain


def _refusal_of_locked(name: str, password: str | None) -> DocumentRefused:
    what = "does not open with the password given" if password else "is protected by a password"
    return DocumentRefused("encrypted", f"{name} {what}. Save it without one.")
