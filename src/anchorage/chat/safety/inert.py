"""Neutralises the markup of an answer: a Markdown reader shows no image and no link that a document or a model put into it.

An image can send what an answer knows to a foreign server as soon as it is shown, a link when it is clicked; HTML can do worse. So
`](` becomes `] (`, the `<` of a tag becomes `‹`, and a bare address is put in a code span. Code stays as it is. For that to be
safe, no backtick is left outside the code spans of one line. Addresses of cited documents may stay links.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from anchorage.text.hidden import strip_hidden_characters

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{1,20}"
_ADDRESS_CHARACTER = r"[^\s<>`|]"  # a bar ends the cell of a table
_WORD_START = "(?<![A-Za-z0-9])"
_ADDRESS = rf"(?:(?:{_SCHEME})?://{_ADDRESS_CHARACTER}*|(?:{_SCHEME}:)?//[^\s<>`|/]+[.:@]{_ADDRESS_CHARACTER}*|{_WORD_START}[Ww]{{3}}\.{_ADDRESS_CHARACTER}+)"
_ACTIVE = re.compile(rf"(?P<address>{_ADDRESS})|\](?=[(:])|<(?=[A-Za-z/!?]|[!-;=?-~]*@)")
_LINK = re.compile(rf"(?<!!)\[[^\[\]`<>\n]*\]\((?P<there>[^\s()<>`]+)\)|(?P<bare>{_ADDRESS})")
_FENCE = re.compile(r"(`{3,}|~{3,})([^`|\n]*)$")  # with a bar, it may be the head of a table
_INDENT = re.compile(r" {0,3}(?![ \t])")
_TILDES = re.compile(r"~{3,}")
_TICKS = re.compile(r"`+")
_AFTER_ADDRESS = ".,;:!?)]}'\"*_”’»"
# What may be the beginning of active markup whose rest has not come yet.
_UNDECIDED = re.compile(
    rf"(?:\]:?|<(?![A-Za-z/!?])[!-;=?-~]*|{_WORD_START}(?:h|ht|htt|https?|f|ft|ftp|w|ww|www\.?)|(?:{_SCHEME})?:/{{0,2}}|/{{1,2}}{_ADDRESS_CHARACTER}*|{_ADDRESS})$",
    re.I,
)
_OPENING_CHARACTERS = "<]!\\:/wW"
_MAX_HELD = 4_000  # characters; what is longer is no address and no code span


class MarkupNeutraliser:
    """Neutralises a text that comes in pieces. The text given out is never active, however it goes on."""

    def __init__(self, cited: Collection[str] = (), *, inline: bool = False) -> None:
        """`inline`: the text is a piece of a line, so that no code block begins with it."""
        self._cited = cited
        self._held = self._last = ""
        self._fence = ""
        self._line_start = not inline

    def feed(self, piece: str) -> str:
        """Take a piece, and return the new text that can be shown."""
        self._held += strip_hidden_characters(piece)
        out = []
        while (at := self._held.find("\n")) >= 0:
            line, self._held = self._held[:at], self._held[at + 1 :]
            out.append(self._neutralise_line(line, whole=True) + "\n")
            self._line_start, self._last = True, ""
        if len(self._held) > _MAX_HELD:
            # The meaning of these last characters depends on the next ones, so they are held in any case.
            decided = self._held.rstrip(_OPENING_CHARACTERS) or self._held[:-1]
            open_end, self._held = self._held[len(decided) :], decided
            out.append(self._neutralise_line(self._held, whole=True, ends=False))
            self._held, self._line_start = open_end, False
            return "".join(out)
        safe = self._measure_decided_part()
        if safe:
            out.append(self._neutralise_line(self._held[:safe], whole=False))
            self._held = self._held[safe:]
            self._line_start = False
        return "".join(out)

    def end(self) -> str:
        """Return the text that was held."""
        rest, self._held = self._held, ""
        shown = self._neutralise_line(rest, whole=True) if rest else ""
        self._line_start = False
        return shown

    def _measure_decided_part(self) -> int:
        """Return how many characters of an incomplete line can be decided."""
        line = self._held
        if self._fence or (self._line_start and line.lstrip(" ")[:1] in ("", "`", "~")):
            return 0
        limit = len(line)
        for start, end, closed in _find_code_spans(line):
            if not closed or end == len(line) or "|" in line[start:end]:
                limit = start
                break
        found = _UNDECIDED.search(line, line.rfind(" ", 0, limit) + 1, limit)  # undecided markup has no space
        limit = found.start() if found else limit
        return len(line[:limit].rstrip("<]~\\"))  # the next character decides their meaning

    def _neutralise_line(self, line: str, *, whole: bool, ends: bool = True) -> str:
        """Neutralise a line. `whole`: do not wait for more of it; `ends`: there is no more of it."""
        if self._fence:
            stripped = line.strip(" \t")
            closes = len(stripped) >= len(self._fence) and not stripped.strip(self._fence[0])
            # If it is indented by four columns (or a tab), it is a line of the code.
            if closes and self._line_start and _INDENT.match(line):
                self._fence = ""
            return line
        fence = _FENCE.match(line) if self._line_start and whole else None
        if fence:
            self._fence = fence.group(1)
            return line
        # A fence that we do not track (indented, in a list) would swap code and text for the reader.
        line = _TILDES.sub(lambda match: "'" * len(match.group()), line)
        shown = ""
        for piece in _neutralise_around_code(line, self._cited, ends=whole and ends):
            # After another backtick, or after a backslash, a backtick does not open a code span.
            apart = piece.startswith("`") and (shown or self._last).endswith(("`", "\\"))
            shown += f" {piece}" if apart else piece
        self._last = shown[-1:] or self._last
        return shown


def select_linkable_addresses(links: str, cited: Collection[str]) -> Collection[str]:
    """Return the addresses of cited documents that an answer may link to, by the setting `links`."""
    return cited if links == "cited" else ()


def neutralise_markup(text: str, cited: Collection[str] = (), *, inline: bool = False) -> str:
    """Neutralise a whole text. Addresses in `cited` stay as they are, as links or bare; images never stay."""
    if "`" not in text and "~~~" not in text and _is_plain(seen := strip_hidden_characters(text)):
        return seen
    stream = MarkupNeutraliser(cited, inline=inline)
    return stream.feed(text) + stream.end()


def _find_code_spans(line: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the runs of backticks with what they enclose: start, end, and whether the line closes them."""
    at = 0
    while opener := _TICKS.search(line, at):
        escaped = opener.start() > 0 and line[opener.start() - 1] == "\\"
        closer = None if escaped else _find_closing_run(line, opener)
        at = closer.end() if closer else opener.end()
        yield opener.start(), at, closer is not None


def _find_closing_run(line: str, opener: re.Match[str]) -> re.Match[str] | None:
    return next((run for run in _TICKS.finditer(line, opener.end()) if run.group() == opener.group()), None)


def _neutralise_around_code(line: str, cited: Collection[str], *, ends: bool) -> Iterator[str]:
    # Readers split a table row at its bars before they look for code: half of a code span would swap code and text in its cell.
    cut = not ends or _ACTIVE.search(line) is not None
    at = 0
    for start, end, closed in _find_code_spans(line):
        if start < at:
            continue
        yield _neutralise_text(line[at:start], cited)
        at = end
        code = line[start:end]
        if closed and not (cut and "|" in code):
            yield code
        else:
            yield _neutralise_text(code.replace("`", "'"), cited)
    yield _neutralise_text(line[at:], cited)


def _is_plain(text: str) -> bool:
    """Whether `_ACTIVE` surely finds nothing. This is true of most texts, and far cheaper than the pattern."""
    return not any(sign in text for sign in ("//", "](", "]:", "<")) and "www." not in text.lower()


def _neutralise_text(text: str, cited: Collection[str]) -> str:
    if _is_plain(text):
        return text
    if not cited:
        return _ACTIVE.sub(_disarm_match, text)
    pieces, at = [], 0
    for match in _LINK.finditer(text):
        address = match["there"] or match["bare"].rstrip(_AFTER_ADDRESS)
        if address in cited:
            pieces += [_ACTIVE.sub(_disarm_match, text[at : match.start()]), match.group()]
            at = match.end()
    return "".join(pieces) + _ACTIVE.sub(_disarm_match, text[at:])


def _disarm_match(match: re.Match[str]) -> str:
    found = match.group()
    if found == "]":
        return "] "
    if found == "<":
        return "‹"
    address = found.rstrip(_AFTER_ADDRESS)
    escaped = match.string[match.start() - 1 : match.start()] == "\\"
    return f"{' ' if escaped else ''}`{address}`{_ACTIVE.sub(_disarm_match, found[len(address) :])}"
