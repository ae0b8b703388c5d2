"""prose: tells prose from code and commands, and from headings and announcements, in the lines of a passage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

_STOPS = ".!?…。！？"
_CLOSING = "\"'”’»)]*_ "
_HEADING_WORDS = 8
_TEXT_WORDS = 12  # a paragraph of so many words is prose, whatever it ends with
_SHORT_COMMAND = 5  # words; a line of so few that begins like a command is one
_SYMBOLS = 0.12  # a line with this share of symbols is code
_ITEM = re.compile(r"\s*(?:[-*•‣◦▪●+]|\d{1,3}[.)])\s")
_NUMBERING = re.compile(r"^\W*(?:[^\W\d]+ )?\d{1,3}(?:\.\d{1,3})*[.:)]?\s+")
_PROMPT = re.compile(r"\s*(?:[$%>] |>>> |\.\.\. |#!)")
_COMMAND = re.compile(
    r"\s*(?:sudo\s+)?(?:pip3?|uvx?|npm|npx|pnpm|yarn|docker|podman|kubectl|helm|git|curl|wget|cd|ls|cp|mv|rm|mkdir|export|make|python3?|apt|apt-get|"
    r"brew|cargo|go|ssh|scp|psql|systemctl|terraform|java|node|dotnet|ollama|az|aws|gcloud|eksctl|kind|minikube|anchorage)\s+\S"
)
_PROGRAM = re.compile(r"\s*\.{0,2}/?[\w.-]+(?:/[\w.-]+)+\s+\S")  # by its path
_COMMENT = re.compile(r"(?<!\s)\s++(?:# .*)?$")  # each run of spaces is looked at once, however long
_ARGUMENT = re.compile(r"(?:^|\s)--?[a-z]|[/=<>$|{}\\@*]|\w\.\w")
# A command whose only argument is a text in quotes.
_QUOTES = re.compile(r"\s*\w+(?:\s+[\w-]+)?\s+(?:\"[^\"]*\"|'[^']*')\s*$")
_FLAG = re.compile(r"\s--[a-z]")
_CODE = re.compile(
    r"\s*(?:[{\[]?\s*\"[\w.-]+\"\s*:\s|\w+ = [\w.]+\(|print\(|(?:for|if|while|with) .*:$|import [\w.]+$|from [\w.]+ import |def \w+\(|class \w+[(:]|"
    r"(?:const|let|var|function|return|SELECT|INSERT|CREATE|public|static) .*[;{(]|"
    r"</?\w+[ >]|[{}\[\]];?$|\"?[\w.-]+\"?\s*[:=]\s*[\[{\"']|[A-Z][A-Z0-9_]{3,}=|//|/\*)"
)
_TITLE_WORDS = re.compile(r"[^\W\d_]+")
_SMALL_WORDS = frozenset(
    "with from over into upon about that this under after before between und der die das von mit für eine dans avec pour sur para con "
    "por sobre".split()
)
_TITLE_ENDS = (".", "!", "?", ":", ";", "”", '"', "。")


class Kind(Enum):
    """What a piece of a passage is."""

    PROSE = auto()  # it says something
    CODE = auto()  # commands too
    FRAME = auto()  # headings, announcements, the names of a table's columns


def classify_spans(text: str, spans: Sequence[tuple[int, int]], middle: bool) -> list[Kind]:
    """Classify each of these spans of a passage's text, in order.

    `middle`: the passage begins in the middle of its document, so that the head of a table at its start may be missing.
    """
    found = []
    for place, (start, end) in enumerate(spans):
        piece = text[start:end]
        if _is_announcement(piece) or _is_table_head(text, spans, place, middle):
            found.append(Kind.FRAME)
        elif _is_code(piece):  # before headings, which a command between two paragraphs looks like
            found.append(Kind.CODE)
        else:
            found.append(Kind.FRAME if _is_heading(text, spans, place) else Kind.PROSE)
    return found


def _ends_sentence(piece: str) -> bool:
    return piece.rstrip(_CLOSING).endswith(tuple(_STOPS))


def _is_announcement(piece: str) -> bool:
    """Whether it only announces what follows. A long one may say more."""
    return piece.rstrip(_CLOSING).endswith((":", "：")) and len(piece.split()) <= _TEXT_WORDS


def _is_code(piece: str) -> bool:
    """Whether it begins as code and is mostly code. Comments and continuation lines are not counted."""
    lines = [line for line in piece.splitlines() if line.strip()]
    if not lines or not _is_code_line(lines[0]):
        return False
    goes_on = [False, *(line.rstrip().endswith("\\") for line in lines[:-1])]
    said = [line for line, more in zip(lines, goes_on, strict=True) if not more and not line.lstrip().startswith("#")]
    if any(_ends_sentence(line) and not _is_code_line(line) for line in said):
        return False
    return 2 * sum(_is_code_line(line) for line in said) > len(said)


def _is_code_line(line: str) -> bool:
    if _PROMPT.match(line) or _CODE.match(line):
        return True
    line = _COMMENT.sub("", line)
    command, lower = _COMMAND.match(line), line.lstrip()[:1].islower()
    if command and (_FLAG.search(line) or _QUOTES.match(line)):
        return True
    if (_ends_sentence(line) and not line.endswith("...")) or " | " in line:
        return False
    if _FLAG.search(line) and lower:
        return True
    if command or (lower and _PROGRAM.match(line) and line[-1] not in ",;:"):
        return len(line.split()) <= _SHORT_COMMAND or bool(_ARGUMENT.search(line.lstrip().partition(" ")[2]))
    return sum(char in "{}()[];=<>$\\&`" for char in line) > _SYMBOLS * len(line)


def _is_table_head(text: str, spans: Sequence[tuple[int, int]], place: int, middle: bool) -> bool:
    """Whether this is the first row of a table and names its columns."""
    row = _get_table_row(text, spans, place)
    below = _get_table_row(text, spans, place + 1)
    if not row or not below or (_get_table_row(text, spans, place - 1) and not _has_gap_before(text, spans, place)):
        return False
    if _has_gap_before(text, spans, place + 1) or (": " in row and ": " in below):
        return False
    names = [cell.strip() for cell in row.split(" | ")]
    if all(f"{name}: " in below for name in names[:1]):
        return True
    digits = any(char.isdigit() for char in row)
    if place == 0 and middle:
        return not digits and any(char.isdigit() for char in below)
    return not digits and not _ends_sentence(row)


def _get_table_row(text: str, spans: Sequence[tuple[int, int]], place: int) -> str:
    if not 0 <= place < len(spans):
        return ""
    piece = text[slice(*spans[place])]
    return piece if " | " in piece else ""


def _has_gap_before(text: str, spans: Sequence[tuple[int, int]], place: int) -> bool:
    """Whether an empty line is before this span."""
    return place == 0 or text[spans[place - 1][1] : spans[place][0]].count("\n") > 1


def _is_heading(text: str, spans: Sequence[tuple[int, int]], place: int) -> bool:
    """Whether this is a short paragraph of its own that introduces the next: a title, or a question."""
    piece = text[slice(*spans[place])]
    if piece.startswith("#") and "\n" not in piece:
        return True
    if (
        place + 1 == len(spans)
        or not _has_gap_before(text, spans, place)
        or not _has_gap_before(text, spans, place + 1)
    ):
        return False
    if "\n" in piece or " | " in piece or _ITEM.match(piece):
        return False
    if piece.rstrip(_CLOSING).endswith(("?", "？")):
        return True
    bare = _NUMBERING.sub("", piece, count=1)
    if _ends_sentence(piece) or ": " in bare or any(char.isdigit() for char in bare):
        return False
    following = text[slice(*spans[place + 1])]
    introduces = (
        _ends_sentence(following) or len(following.split()) >= _TEXT_WORDS or " | " in following or _is_code(following)
    )
    return introduces and len(piece.split()) <= _HEADING_WORDS


def reads_as_title(text: str) -> bool:
    """Whether this is a title or an entry of a table of contents: words in capitals without a full stop."""
    words: list[str] = [word for word in _TITLE_WORDS.findall(text) if len(word) > 3 and word not in _SMALL_WORDS]
    if len(words) < 2 or text.endswith(_TITLE_ENDS) or text.isupper():
        return False
    capitals = sum(word[0].isupper() for word in words)
    return 4 * capitals >= 3 * len(words)
