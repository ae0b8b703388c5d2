"""The markers of an answer: `[1]`, `[1, 3]`, `[1][3]`, and what models write instead of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARKER = re.compile(
    r"(?<![ \t])[ \t]*\\?[\[【［]\s*\^?(?:(?:passages?|sources?|documents?|docs?|refs?)\s*)?#?"
    r"([1-9]\d{0,2}(?:\s*(?:[,;&–-]|and)\s*\d{1,3})*)\s*(?:†[^\]】\n]{0,60})?\\?[\]】］](?!\()",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"^(?P<fence>```|~~~).*?(?:^(?P=fence)[ \t]*$|\Z)|(?<!`)(?P<ticks>`+)(?!`)[^\n]+?(?<!`)(?P=ticks)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_NUMBERS = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")
_MAX_PASSAGE = 20  # the last number of a range where nothing else is known
_BRACKETED = re.compile(
    r"(?<!\w)[\[［【](\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)(?:†[^\]】\n]{0,60})?\\?[\]］】]|(?<=[\w.,;:!?\"”’)])[\[［【](\d{1,3})\\?[\]］】]"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """A text without its markers, and the places in it where markers stood, with their numbers, in order."""

    bare: str
    places: Sequence[tuple[int, tuple[int, ...]]]


def extract_markers(text: str, most: int = _MAX_PASSAGE) -> Marks:
    """Take the markers out of a text. Markers in code stay, and so does a range that goes beyond passage `most`."""
    code = [match.span() for match in _CODE.finditer(text)] if "`" in text or "~~~" in text else []
    pieces: list[str] = []
    places: list[tuple[int, tuple[int, ...]]] = []
    at = length = passed = 0
    for match in _MARKER.finditer(text):
        while passed < len(code) and code[passed][1] <= match.start():
            passed += 1
        if passed < len(code) and code[passed][0] <= match.start():
            continue
        numbers = _parse_numbers(match.group(1), most)
        if numbers is None:
            continue
        pieces.append(text[at : match.start()])
        length += match.start() - at
        at = match.end()
        places.append((length, tuple(dict.fromkeys(numbers))))
    pieces.append(text[at:])
    return Marks("".join(pieces), places)


def _parse_numbers(text: str, most: int) -> list[int] | None:
    """Return the numbers of a marker: 2, 3 and 4 for `2-4`. None if the range cannot be one of passages."""
    found: list[int] = []
    for first, last in _NUMBERS.findall(text):
        low, high = int(first), int(last or first)
        if last and not low < high <= most:
            return None
        found += range(low, high + 1)
    return found


def neutralise_markers(text: str) -> str:
    """Change what looks like a marker in a document's text, so that it is none: `[3]` becomes `(3)`."""
    if not any(sign in text for sign in "[［【"):
        return text
    return _BRACKETED.sub(lambda match: f"({match.group(1) or match.group(2)})", text)
