"""What a parser is given besides the file: limits, a password, text recognition, and what is left for nested files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_MAX_DEPTH = 4
_MAX_MEMBERS = 2_000
_MAX_BYTES = 500 * 1024**2


@dataclass(frozen=True, slots=True)
class Recognition:
    """How to recognise text in pictures.

    `language` is Tesseract's (`eng`, `eng+deu`); `page_seconds` is for one page; `begin` is called before the first one; `data` is the folder
    of the language data, where it is not in a usual place.
    """

    language: str = "eng"
    page_seconds: float = 60
    begin: Callable[[], None] = lambda: None
    data: str | None = None


@dataclass(slots=True)
class Allowance:
    """What the files within one file may take together."""

    members: int = _MAX_MEMBERS
    size: int = _MAX_BYTES

    def take(self, name: str, size: int) -> None:
        """Count a member of `size` bytes. Raises `DocumentRefused` when too much was taken."""
        if self.members < 1:
            raise DocumentRefused(
                "too_large", f"{name} was left out: more than {_MAX_MEMBERS} files are packed together."
            )
        if size > self.size:
            raise DocumentRefused(
                "too_large",
                f"{name} was left out: the files packed together hold more than {_MAX_BYTES // 1024**2} MB.",
            )
        self.members -= 1
        self.size -= size


@dataclass(frozen=True, slots=True)
class Task:
    """`limit` is the number of characters taken of one file; `depth` counts the files around this one."""

    limit: int
    password: str | None = None
    recognition: Recognition = field(default_factory=Recognition)
    allowance: Allowance = field(default_factory=Allowance)
    depth: int = 0

    def inner(self, name: str) -> Task:
        """The task of a file within this one. Raises `DocumentRefused` when it lies too deep."""
        if self.depth >= _MAX_DEPTH:
            raise DocumentRefused("too_complex", f"{name} was left out: files are packed into one another too deeply.")
        return replace(self, depth=self.depth + 1)


Parse = Callable[[BinaryIO, str, Task], ParsedDocument]
