"""Reading files that are protected, with the passwords that the settings hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument, SourceItem
from anchorage.ports.parser import Parser


async def opened(
    parser: Parser, passwords: Mapping[str, str], item: SourceItem, name: str | None = None
) -> ParsedDocument:
    """Parse a file; one that is protected is tried with the password of that name, or with all. Raises what the parser raises."""
    try:
        return await parser.parse(Path(item.path), item.name)
    except DocumentRefused as error:
        if error.code != "encrypted":
            raise
        tried = [passwords[known] for known in passwords if name in (None, known)]
        for number, secret in enumerate(tried, start=1):
            try:
                return await parser.parse(Path(item.path), item.name, password=secret)
            except DocumentRefused as again:
                if again.code != "encrypted" or number == len(tried):
                    raise
        raise
