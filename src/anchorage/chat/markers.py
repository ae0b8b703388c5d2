"""The markers of an answer: `[1]`, `[1, 3]`, `[1][3]`, and what models write instead of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARKER = re.compile(
    r"(?<![ \t])[ \t]*(?:\[|【)\s*\^?(?:(?:passages?|sources?|documents?|docs?|refs?)\s*)?#?(\d{1,3}(?:\s*(?:[,;&]|and)\s*\d{1,3})*)"
    r"\s*(?:†[^\]】\n]{0,60})?(?:\]|】)(?!\()",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"^(?P<fence>```|~~~).*?(?:^(?P=fence)[ \t]*$|\Z)|(?<!`)(?P<ticks>`+)(?!`)[^\n]+?(?<!`)(?P=ticks)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"\d+")
_BRACKETED = re.compile(r"(?<!\w)\[(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\]|(?<=[\w.,;:!?\"”’)])\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class Marks:
    """A text without its markers, and where which numbers stood in it, in order."""

    bare: str
    places: Sequence[tuple[int, tuple[int, ...]]]


def without_markers(text: str) -> Marks:
    """Take the markers out; those in code are code."""
    code = [match.span() for match in _CODE.finditer(text)] if "`" in text or "~~~" in text else []
    pieces: list[str] = []
    places: list[tuple[int, tuple[int, ...]]] = []
    at = length = 0
    for match in _MARKER.finditer(text):
        if any(start <= match.start() < end for start, end in code):
            continue
        pieces.append(text[at : match.start()])
        length += match.start() - at
        at = match.end()
        places.append((length, tuple(dict.fromkeys(int(number) for number in _NUMBER.findall(match.group(1))))))
    pieces.append(text[at:])
    return Marks("".join(pieces), places)


def unmarked(text: str) -> str:
    """A document's text with what looks like a marker made to look otherwise: `[3]` becomes `(3)`."""
    return _BRACKETED.sub(lambda match: f"({match.group(1) or match.group(2)})", text) if "[" in text else text
