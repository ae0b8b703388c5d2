"""Texts that a pattern could look at again and again: each would take longer than a test may, if it did."""

from anchorage.chat.quoting.prose import classify_spans
from anchorage.chat.verification.markers import extract_markers


def test_a_run_of_spaces_in_a_line() -> None:
    for space in (" ", "\t", "\N{NO-BREAK SPACE}"):
        text = f"pip install{space * 1_000_000}anchorage is what the manual says"
        assert len(classify_spans(text, [(0, len(text))], middle=False)) == 1


def test_a_marker_beside_each_of_many_spans_of_code() -> None:
    found = extract_markers("`a`[1] " * 60_000)
    assert len(found.places) == 60_000 and found.bare == "`a` " * 60_000
    assert extract_markers("`a[1]` b [2] `c` [3]").bare == "`a[1]` b `c`"
