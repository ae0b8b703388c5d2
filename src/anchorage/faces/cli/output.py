"""What commands print: JSON or text on stdout; progress, notes and errors on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from anchorage.model import Answer, Citation, Hit

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class PlainConsole(Console):
    """Prints what others wrote without what a terminal would obey: names of files, titles and answers come from anywhere."""

    def render_str(self, text: str, **more: Any) -> Text:
        return super().render_str(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text), **more)


errors = PlainConsole(stderr=True, highlight=False)
_QUOTE = 300
_BY_LINES, _MOST_LINES = ("list", "code"), 40
_WIDE = 400


def print_json(value: Any) -> None:
    """The command's one JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, indent=2, default=str) + "\n")
    sys.stdout.flush()


def console() -> Console:
    return PlainConsole(highlight=False, soft_wrap=True)


def progress_columns() -> Sequence[ProgressColumn]:
    """What every progress bar shows."""
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    return (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column == "ID", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    out = PlainConsole(highlight=False)
    # A pipe has no width: one row a line, for `grep`.
    (out if out.is_terminal else PlainConsole(highlight=False, width=_WIDE)).print(table)


def print_hits(hits: Sequence[Hit]) -> None:
    """Passages with where they stand."""
    out = console()
    if not hits:
        out.print("No passages were found. `anchorage documents list` shows what there is to search.")
    for number, hit in enumerate(hits, 1):
        out.print(f"[bold]{number}. {escape(_place(hit))}[/bold]  [dim]{hit.score:.3f}  {escape(hit.uri)}[/dim]")
        out.print(f"   {escape(_shorten(hit.text))}\n")


class AnswerPrinter:
    """Prints an answer as it comes; at its end its citations, and the answer itself anew where checking has changed it."""

    def __init__(self) -> None:
        self._out = console()
        self._shown = ""

    def add(self, text: str) -> None:
        """The next piece."""
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
        text = text if self._shown else text.lstrip()
        self._shown += text
        sys.stdout.write(text)
        sys.stdout.flush()

    def reset(self) -> None:
        """The answer begins anew."""
        if self._shown and not self._taken_back():
            sys.stdout.write("\n\nThe answer begins anew:\n\n")
        self._shown = ""

    def end(self, answer: Answer) -> None:
        """The answer as it was checked, and under each marker the quote with its document and page."""
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", answer.answer).strip()
        if not text.startswith(self._shown.rstrip()):
            if not self._taken_back():
                sys.stdout.write("\n\nChecked against the documents, the answer reads:\n\n")
            self._shown = ""
        sys.stdout.write(text[len(self._shown.rstrip()) :] if text != self._shown.rstrip() else "")
        sys.stdout.write("\n")
        sys.stdout.flush()
        _print_support(self._out, answer)

    def _taken_back(self) -> bool:
        """Whether what was shown could be erased: not from a pipe, nor from above the terminal's first line."""
        if not self._out.is_terminal or self._out.is_dumb_terminal:
            return False
        rows = sum(max(1, -(-cell_len(line) // self._out.width)) for line in self._shown.split("\n"))
        if rows > self._out.height:
            return False
        sys.stdout.write((f"\x1b[{rows - 1}A" if rows > 1 else "") + "\r\x1b[J")
        return True


def _print_support(out: Console, answer: Answer) -> None:
    for citation in answer.citations:
        out.print(f"\n[bold]\\[{citation.marker}] {escape(_place(citation))}[/bold]  [dim]{escape(citation.uri)}[/dim]")
        for line in _show_quote(citation):
            out.print(f"    {escape(line)}")
    for item in answer.unsupported:
        what = f"“{escape(_shorten(item.text))}”" if item.text else "A sentence was withheld."
        out.print(f"\n[yellow]Not supported by these documents:[/yellow] {what}")
    if answer.abstained and answer.hits:
        out.print("\n[dim]The nearest passages:[/dim]")
        for hit in answer.hits[:3]:
            out.print(f"  [dim]{escape(_place(hit))}: {escape(_shorten(hit.text, 120))}[/dim]")
    errors.print(
        f'\n[dim]To go on: anchorage ask "..." --conversation {escape(answer.conversation_id)}[/dim]', soft_wrap=True
    )


def _show_quote(citation: Citation) -> list[str]:
    """The quote below its marker: lists and code line by line; nothing where the answer above is the quote itself."""
    if citation.kind in _BY_LINES:
        lines = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", citation.quote.replace("\t", "    ")).rstrip().split("\n")
        lines = [line for line in lines if line.strip() or citation.kind == "code"]
        return lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "…"]
    if citation.kind is not None and citation.claim == " ".join(citation.quote.split()):
        return []
    return [f"“{_shorten(citation.quote)}”"]


def _place(item: Hit | Citation) -> str:
    """Document, headings and page."""
    place = " › ".join((item.title, *(name for name in item.heading_path if name != item.title)))
    return f"{place}, p. {item.page}" if item.page else place


def _shorten(text: str, limit: int = _QUOTE) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit].rsplit(" ", 1)[0] + " …"
