"""What the command line prints."""

import pytest

from anchorage.faces.cli.output import AnswerPrinter, PlainConsole, console, print_table
from anchorage.model import Answer, Citation


def test_what_a_terminal_would_obey_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b[2Jb\x9b31mc\u202ed\rnext"
    console().print(hostile, markup=False)
    print_table(["Name"], [[hostile]])
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & {*printed} and printed.count("a\N{REPLACEMENT CHARACTER}[2Jb") == 2


ANSWER = Answer("The harbour opened in 1827. [1]", False, (), (), "conversation", "message")


def printed(capsys: pytest.CaptureFixture[str], *pieces: str | None) -> str:
    """What is shown of these pieces, None for a new attempt, before the answer comes."""
    printer = AnswerPrinter()
    for piece in pieces:
        if piece is None:
            printer.reset()
        else:
            printer.add(piece)
    printer.end(ANSWER)
    return capsys.readouterr().out


def test_an_answer_is_shown_once_where_checking_changed_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    whole = ANSWER.answer + "\n"
    assert printed(capsys) == whole
    assert printed(capsys, " The harbour ", "opened in 1827.") == whole
    assert printed(capsys, "The harbour opened in 1827. [1]") == whole
    assert printed(capsys, None, ANSWER.answer) == whole


def test_a_pipe_gets_what_was_checked_below_what_was_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "The harbour opened in 1828. [2]\x1b[2J")
    assert "\x1b" not in shown
    assert shown.startswith("The harbour opened in 1828.") and shown.endswith(f"the answer reads:\n\n{ANSWER.answer}\n")
    assert "begins anew" in printed(capsys, "The har", None, ANSWER.answer)


def test_a_terminal_shows_what_was_checked_in_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(
        "anchorage.faces.cli.output.console", lambda: PlainConsole(force_terminal=True, width=10, height=8)
    )
    assert printed(capsys, "The harbour\nopened in 1828.") == (
        f"The harbour\nopened in 1828.\x1b[3A\r\x1b[J{ANSWER.answer}\n"  # four lines of ten columns
    )
    assert "the answer reads" in printed(capsys, "x" * 200)  # its beginning has left the screen


@pytest.mark.parametrize(
    ("kind", "quote", "shown"),
    [
        ("code", "$ a\n\n$ b", ["    $ a", "    ", "    $ b"]),
        ("list", "Docks:\n\n- coal\n- salt", ["    Docks:", "    - coal", "    - salt"]),
        ("sentence", "It opened\nin 1827.", []),
        ("computed", "City: Ghent", ["    “City: Ghent”"]),
        (None, "It opened in 1827.", ["    “It opened in 1827.”"]),
    ],
)
def test_a_quotation_is_shown_as_what_it_is(
    capsys: pytest.CaptureFixture[str], kind: str | None, quote: str, shown: list[str]
) -> None:
    claim = " ".join(quote.split()) if kind != "computed" else "City: Ghent (highest of 3)"
    path = ("Ports", "Ghent")
    cited = Citation(1, claim, "d", "v", "file:///p", "Ports", 0, 1, quote, "", "", 3, kind, path)
    AnswerPrinter().end(Answer(f"{claim} [1]", False, (cited,), (), "c", "m"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{claim} [1]" and lines[2] == "[1] Ports › Ghent, p. 3  file:///p"
    assert lines[3:] == shown
