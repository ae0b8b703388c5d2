"""Answers are inert: no image, no link, no HTML, whatever comes, and in whatever pieces."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anchorage.chat.generation.prompt import read_instructions
from anchorage.chat.safety.inert import MarkupNeutraliser, neutralise_markup
from anchorage.chat.safety.secrecy import begins_recital, strip_recital
from anchorage.chat.state import ABSTENTION
from anchorage.text.hidden import strip_hidden_characters
from support.markdown import active


def streamed(text: str, size: int) -> str:
    stream = MarkupNeutraliser()
    return "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size)) + stream.end()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![x](http://evil/?q=1)", "![x] (`http://evil/?q=1`)"),
        ("See [a](https://e.com/x) and https://e.com/y.", "See [a] (`https://e.com/x`) and `https://e.com/y`."),
        ("[1]: http://evil\n\n![a][1]", "[1] : `http://evil`\n\n![a][1]"),
        ("<img src=x onerror=y> and a < b, p<0.05", "‹img src=x onerror=y> and a < b, p<0.05"),
        ("<https://e.com>", "‹`https://e.com`>"),
        ("www.evil.com", "`www.evil.com`"),
        ("_www.evil.com/x_ and é_www.evil.com", "_`www.evil.com/x`_ and é_`www.evil.com`"),
        # a bar ends a cell, and a code span with it
        ("|a|b|\n|-|-|\n|1999|https://e.com/x?q=1|", "|a|b|\n|-|-|\n|1999|`https://e.com/x?q=1`|"),
        ("| the manual | https://e.com |", "| the manual | `https://e.com` |"),
        ("| `a | https://e.com` |", "| 'a | `https://e.com`' |"),
        ("`a | b` https://e.com `c`", "'a | b' `https://e.com` `c`"),
        ("Use `ls | wc` here.", "Use `ls | wc` here."),
        # code stays code where it is certain to be
        ("`a[0](b)` and `https://e.com`", "`a[0](b)` and `https://e.com`"),
        ("```sh\ncurl https://e.com\n```\nhttps://e.com", "```sh\ncurl https://e.com\n```\n`https://e.com`"),
        ("` foo https://evil.com", "' foo `https://evil.com`"),
        ("\\`![x](http://evil)`", "\\'![x] (`http://evil`)'"),
        ("`a\nb` ![x](u) `c`", "'a\nb' ![x] (u) 'c'"),
        ("Either/or, 24/7, 3:30, a: b [1].", "Either/or, 24/7, 3:30, a: b [1]."),
        ("a\u200bb\u202ec\U000e0041", "abc"),
    ],
)  # fmt: skip
def test_what_is_active_becomes_inert(written: str, shown: str) -> None:
    if written.startswith("`a\n"):
        assert not active(neutralise_markup(written))
        return
    assert neutralise_markup(written) == shown
    assert streamed(written, 1) == streamed(written, 3) == shown
    assert not active(shown)


PIECES = st.sampled_from(
    ["`", "``", "```", "~~~", "\n", "\n\n", "[", "]", "(", ")", "](", "!", "![", "<", "<a ", "<!--", ">", "|", "|-|", "\\", ":", "]:",
     "http", "s", "://", "www", ".", "/", "e.com", "x", " ", "    ", "- ", "1. ", "> ", "# ", "\t", "\u200b", "[1]", "&lt;", "*", "https://e.com",
     "<1@e.com>", "@", "_", "é", "|"]
)  # fmt: skip


def settles(text: str) -> bool:
    """Whether it stays as it is, soon: an answer is made inert until it does."""
    for _ in range(3):
        text, before = neutralise_markup(text), text
        if text == before:
            return True
    return neutralise_markup(text) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=40), st.integers(1, 7))
@example(["|", " ", "`", " ", "|", "https://e.com", "|", "`", "|", "\n", "|-|", "|-|"], 1)
@example(["\\", "https://e.com"], 1)
@example(["|", "x", "|", "\n", "|-|", "\n", "|", "https://e.com", "|"], 1)
@example(["`", "x", "|", "x", "`", " ", "https://e.com", "\n", "|-|", "-|", "\n"], 1)
@example(["_", "www", ".", "e.com"], 1)
@example(["<1@e.com>"], 1)
@example(["<1", "@", "e.com", ">"], 1)
@example(["`", "x", "`", "https://e.com", "`", "x", "`"], 1)
@example(["https://e.com", "`", "x", "`", " ", "https://e.com"], 3)
@example(["- ", "x", "\n", "```", "\n", "![", "](", "x", ")"], 2)
@example(["> ", "```", "\n", "![", "](", "x", ")"], 2)
@example(["http", "://", "`"], 1)
@example([" ", "~~~", "\n", "x", "\n", "~~~", "\n", "![", "](", "x", ")"], 2)
@example(["~~~", "`", "x", "\n", "~~~", "\n", "![", "](", "x", ")"], 2)
@example(["- ", "~~~", "\n", " ", " ", "~~~", "\n", "![", "](", "x", ")"], 2)
@example(["|", "\n", "``` x", "|", "\n", "|-|", "-|", "\n", "![", "](", "x", ")"], 2)
@example(["```", "\n", "\t", "```", "\n", "```", "\n", "![", "](", "x", ")"], 2)
def test_nothing_gets_through_whole_or_in_pieces(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    assert not active(neutralise_markup(text)) and settles(text)
    stream, shown = MarkupNeutraliser(), ""
    for at in range(0, len(text), size):
        shown += stream.feed(text[at : at + size])
        assert not active(shown)
    assert not active(shown + stream.end())


@pytest.mark.parametrize("before", ["`", "```\n", "~~~\n"])
@pytest.mark.parametrize("cut", range(12))
def test_a_line_that_is_longer_than_what_is_held_back(before: str, cut: int) -> None:
    text = "a" * 4001 + "![x](u) <b> ```\n```\n![x](u)"
    stream = MarkupNeutraliser()
    shown = stream.feed(before + text[: 4001 + cut]) + stream.feed(text[4001 + cut :]) + stream.end()
    assert not active(shown)


def test_links_to_what_is_cited_may_stay_but_no_image() -> None:
    cited = {"https://e.com/x"}
    kept = "See [a](https://e.com/x) or https://e.com/x, "
    assert neutralise_markup(kept, cited) == kept
    assert (
        neutralise_markup("[a](https://e.com/x?q=1) https://e.com/xy", cited)
        == "[a] (`https://e.com/x?q=1`) `https://e.com/xy`"
    )
    assert "![a] (" in neutralise_markup("![a](https://e.com/x)", cited)


def test_plain_text_is_streamed_without_delay() -> None:
    stream = MarkupNeutraliser()
    assert [stream.feed(piece) for piece in ("The", " harbour", " of Ghent", ".", " [1", "]", " It")] == [
        "The", " harbour", " of Ghent", ".", " [1", "", "] It",
    ]  # fmt: skip
    endless = MarkupNeutraliser()
    assert len(endless.feed("`" + "x" * 10_000)) > 9_000, "what is held back is bounded"


def test_hidden_characters_go_and_spelling_stays() -> None:
    assert strip_hidden_characters("می\u200cخواهم") == "می\u200cخواهم"
    assert strip_hidden_characters("a\u200cb c\ufe0f \x1b[31m\r\nd") == "ab c [31m\nd"
    assert strip_hidden_characters("Plain text.\n\tStays.") == "Plain text.\n\tStays."


def test_the_instructions_are_not_recited() -> None:
    rules = read_instructions()
    assert strip_recital(f"The harbour is old. {rules}") != f"The harbour is old. {rules}"
    assert "Use only what" not in strip_recital(f"The harbour is old. {rules}")
    assert strip_recital(ABSTENTION) == ABSTENTION
    assert begins_recital(rules[:120]) and not begins_recital("The harbour of Ghent was opened in 1827 by the king.")
