"""The second step: a file's text with its structure, by the parser of its kind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from anchorage.errors import DocumentRefused
from anchorage.model import Document, ParsedDocument, SourceEntry, SourceItem
from anchorage.ports.parser import Parser


class FileParser:
    """Parses files, the encrypted ones with the passwords that the settings hold, and names what it read.

    Another release of the parser reads the same bytes as another version.
    """

    def __init__(self, parser: Parser, passwords: Mapping[str, str]) -> None:
        self._parser, self._passwords = parser, passwords

    async def parse(self, item: SourceItem, password_name: str | None = None) -> ParsedDocument:
        """Parse a file. An encrypted one is tried with the password of that name, without a name with all of them.

        Raises what the parser raises.
        """
        try:
            return await self._parser.parse(Path(item.path), item.name)
        except DocumentRefused as error:
            if error.code != "encrypted":
                raise
            names = [name for name in self._passwords if password_name in (None, name)]
            for number, name in enumerate(names, start=1):
                try:
                    return await self._parser.parse(Path(item.path), item.name, password=self._passwords[name])
                except DocumentRefused as refusal:
                    if refusal.code != "encrypted" or number == len(names):
                        raise
            raise

    def version_of(self, blob_key: str) -> str:
        """The document version that these bytes are, as this parser reads them."""
        return hashlib.sha256(bytes.fromhex(blob_key) + self._parser.version.encode()).hexdigest()

    def tag_of(self, tag: str | None) -> str | None:
        """A source's tag as the store keeps it: bytes of the same tag are read again by another parser."""
        return f"{self._parser.version} {tag}" if tag else None

    def has_read(self, entry: SourceEntry, known: Document | None) -> bool:
        """Whether these bytes were read before by this parser, to good or bad end."""
        return bool(known and entry.tag and known.tag == self.tag_of(entry.tag))
