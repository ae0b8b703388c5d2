"""Asking in the browser: answers that stream, their sources, and what can be done with them."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from anchorage.testing.model_server import Behaviour

from .conftest import ANSWER, HARBOUR, QUESTION, Site, Window, answered, ask, conversation_of

LONG = " ".join(f"{HARBOUR} [1] Word {number}." for number in range(20))


def test_an_answer_streams_and_its_source_opens_at_the_span(window: Window, site: Site) -> None:
    site.answers(ANSWER, token_delay=0.05)
    page = window.open()
    ask(page)
    expect(page.locator(".answer.writing")).to_contain_text("The harbour")
    answered(page)
    expect(page.locator(".answer")).to_contain_text("opened in 1827")
    chip = page.get_by_role("button", name=re.compile(r"^Source \d+: .*page 2"))
    chip.hover()
    expect(page.locator(".quote-card blockquote")).to_have_text(HARBOUR)
    chip.click()
    marks = page.locator(".pdf-mark")
    expect(marks.first).to_be_visible()
    words = page.locator(".textLayer span").filter(has_text=HARBOUR).bounding_box()
    mark = marks.first.bounding_box()
    assert words and mark and abs(words["x"] - mark["x"]) < 2 and abs(words["y"] - mark["y"]) < 6
    expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page.locator(".text-part mark")).to_have_text(HARBOUR)
    page.get_by_role("button", name="All sources").click()
    page.get_by_text("Why this passage").first.click()
    expect(page.locator(".why[open]")).to_contain_text(re.compile(r"Rank \d+ of \d+"))
    page.keyboard.press("Escape")
    expect(page.locator(".sources")).to_have_count(0)
    expect(chip).to_be_focused()


def test_a_span_behind_wide_characters_is_the_right_one(window: Window, site: Site) -> None:
    sentence = "Victor Horta designed the Hôtel Tassel in Brussels in 1893."
    site.answers(f"{sentence} [1]")
    page = window.open()
    ask(page, "Who designed the Hôtel Tassel?")
    answered(page)
    page.get_by_role("button", name=re.compile(r"^Source \d+: ")).click()
    expect(page.locator(".text-part mark")).to_have_text(sentence)


def test_an_answer_is_stopped(window: Window, site: Site) -> None:
    site.answers(LONG, token_delay=0.05)
    page = window.open()
    ask(page)
    expect(page.locator(".answer.writing")).to_contain_text("Word 1")
    page.get_by_role("button", name="Stop the answer").click()
    answered(page)
    expect(page.locator(".actions")).to_contain_text("Stopped")
    assert "Word 19" not in page.locator(".answer").inner_text()
    site.model.behaviour = Behaviour(first_delay=30)
    ask(page, "And how many docks has it?")
    expect(page.locator(".waiting")).to_be_visible()
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.get_by_text("Stopped before the first word.").last).to_be_visible()
    site.answers()
    page.get_by_role("button", name="Ask again").click()
    answered(page, 2)


def test_a_reload_in_the_middle_goes_on(window: Window, site: Site) -> None:
    window.expected = "404"  # before its first answer, it is no conversation yet
    site.answers(LONG, token_delay=0.03)
    page = window.open()
    ask(page)
    expect(page.locator(".answer.writing")).to_contain_text("Word 1")
    page.reload()
    expect(page.locator(".answer.writing")).to_contain_text("Word 2")
    expect(page.locator(".question-text")).to_have_text(QUESTION)
    answered(page)
    expect(page.locator(".answer")).to_contain_text("Word 19")
    assert page.locator(".turn").count() == 1


@pytest.mark.slow
def test_two_windows_on_one_conversation(window: Window, site: Site) -> None:
    context = window.context()
    first = window.open(context=context)
    ask(first)
    answered(first)
    second = window.open(f"/c/{conversation_of(first)}", context=context)
    answered(second)
    site.answers(LONG, token_delay=0.02)
    ask(first, "What about the docks?")
    expect(second.locator(".turn")).to_have_count(2)
    expect(second.locator(".answer.writing")).to_contain_text("Word 3")
    answered(first, 2)
    answered(second, 2)
    assert second.locator(".answer").last.inner_text() == first.locator(".answer").last.inner_text()


def test_questions_are_edited_and_answers_given_anew(window: Window, site: Site) -> None:
    page = window.open()
    ask(page)
    answered(page)
    site.answers("It has three docks. [1]")
    page.get_by_role("button", name="Edit the question").click()
    page.get_by_role("textbox", name="Edit the question").fill("How many docks has the harbour of Ghent?")
    page.get_by_role("button", name="Ask this instead").click()
    expect(page.locator(".siblings")).to_contain_text("2 of 2")
    expect(page.locator(".answer")).to_contain_text("three docks")
    page.get_by_role("button", name="Answer anew").click()
    expect(page.locator(".siblings")).to_contain_text("3 of 3")
    page.get_by_role("button", name="Previous version").click()
    expect(page.locator(".siblings")).to_contain_text("2 of 3")
    page.get_by_role("button", name="Previous version").click()
    expect(page.locator(".question-text")).to_have_text(QUESTION)
    page.reload()
    expect(page.locator(".question-text")).to_have_text(QUESTION)


def test_answers_are_rated_copied_and_exported(window: Window, site: Site) -> None:
    context = window.context(permissions=["clipboard-read", "clipboard-write"])
    page = window.open(context=context)
    ask(page)
    answered(page)
    page.get_by_role("button", name="Copy the answer").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith(HARBOUR[:-1])
    page.get_by_role("button", name="Bad answer").click()
    page.get_by_label("What is wrong with it?").fill("Too short")
    page.get_by_role("button", name="Send").first.click()
    expect(page.get_by_text("the comment is kept")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    kept = site.api.get("/api/feedback", params={"conversation_id": conversation_of(page)}).json()["feedback"]
    assert [(item["rating"], item["comment"]) for item in kept] == [("down", "Too short")]
    page.get_by_role("button", name="Bad answer").click()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="What to do with this conversation").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Export as Markdown").click()
    assert HARBOUR[:-1] in Path(download.value.path()).read_text("utf-8")


def test_what_nothing_supports_is_marked(window: Window, site: Site) -> None:
    site.answers(f"{HARBOUR} [1] The mayor 🎉 of **Ghent** ate nineteen waffles on that day.")
    page = window.open()
    ask(page)
    answered(page)
    expect(page.locator("mark.unsupported").last).to_be_visible()
    marked = "".join(page.locator("mark.unsupported").all_inner_texts())
    assert marked.replace("unsupported", "").strip() == "The mayor 🎉 of Ghent ate nineteen waffles on that day."
    expect(page.get_by_text("One sentence is not supported")).to_be_visible()


def test_an_abstention_looks_like_one_and_offers_what_is_near(window: Window, site: Site) -> None:
    site.answers("I could not find an answer to this in these documents.")
    page = window.open()
    ask(page, "Who invented the telephone in Ghent?")
    expect(page.get_by_role("heading", name="Your documents do not say")).to_be_visible()
    page.locator(".nearest-item").first.click()
    expect(page.locator(".sources")).to_be_visible()


def test_markdown_is_drawn(window: Window, site: Site) -> None:
    site.answers(
        f"{HARBOUR} [1]\n\n| Year | Event |\n| --- | --- |\n| 1827 | opening |\n\n"
        "```python\ndef dock():\n    return 3\n```\n\nThe sum is $x_1 + x^2$."
    )
    page = window.open()
    ask(page)
    answered(page)
    expect(page.get_by_role("cell", name="1827")).to_be_visible()
    expect(page.locator("pre .hljs-keyword").first).to_have_text("def")
    expect(page.locator(".katex").first).to_be_visible()
    expect(page.get_by_role("button", name="Copy the code")).to_be_visible()
