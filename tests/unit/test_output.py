"""What the command line prints."""

import pytest

from anchorage.faces.cli.output import console, print_table


def test_what_a_terminal_would_obey_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b[2Jb\x9b31mc\u202ed\rnext"
    console().print(hostile, markup=False)
    print_table(["Name"], [[hostile]])
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & {*printed} and printed.count("a\N{REPLACEMENT CHARACTER}[2Jb") == 2
