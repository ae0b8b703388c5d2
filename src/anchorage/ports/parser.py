"""Parser: a file's bytes in, text with structure and offsets out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from anchorage.model import ParsedDocument


class Parser(Protocol):
    """Reads one family of formats."""

    @property
    def version(self) -> str:
        """Name and version of the parser set; part of every document version."""
        ...

    def supports(self, name: str) -> bool:
        """Whether a file of this name is of a kind that can be read."""
        ...

    async def parse(self, path: Path, name: str, *, password: str | None = None) -> ParsedDocument:
        """Parse the file at `path`, which its owner called `name`.

        Raises `UnknownFormat` for a kind that is not supported and `DocumentRefused` for a file that cannot be read.
        """
        ...
