"""One conversation on two devices: two browsers that share nothing but the server."""

import pytest
from playwright.sync_api import expect

from .conftest import HARBOUR, Site, Window, answered, ask, conversation_of

LONG = " ".join(f"{HARBOUR} [1] Word {number}." for number in range(20))


def look_again(page: object) -> None:
    """As coming back to the window does."""
    page.evaluate("() => dispatchEvent(new Event('focus'))")  # type: ignore[attr-defined]


@pytest.mark.slow
def test_an_answer_that_is_begun_on_one_device_goes_on_on_the_other(window: Window, site: Site) -> None:
    desk = window.open()
    ask(desk)
    answered(desk)
    phone = window.open(f"/c/{conversation_of(desk)}", phone=True)
    answered(phone)
    site.answers(LONG, token_delay=0.05)
    ask(desk, "What about the docks?")
    expect(desk.locator(".answer.writing")).to_contain_text("Word 1")
    look_again(phone)
    expect(phone.locator(".answer.writing")).to_contain_text("Word 3")
    phone.get_by_role("button", name="Stop the answer").tap()
    for page in (desk, phone):
        answered(page, 2)
        expect(page.locator(".actions").last).to_contain_text("Stopped")
    assert desk.locator(".answer").last.inner_text() == phone.locator(".answer").last.inner_text()


def test_an_answer_that_was_given_elsewhere_is_there_when_one_comes_back(window: Window, site: Site) -> None:
    site.ask("elsewhere", "When was the harbour of Ghent opened?")
    page = window.open("/c/elsewhere")
    answered(page)
    look_again(page)
    other = window.open("/c/elsewhere", context=window.context())
    ask(other, "How many docks has it?")
    answered(other, 2)
    look_again(page)
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.get_by_text("How many docks has it?").last).to_be_visible()


@pytest.mark.slow
def test_both_ask_at_once(window: Window, site: Site) -> None:
    """The later question waits for the answer to the earlier one, and is read against it."""
    site.ask("atonce", "When was the harbour of Ghent opened?")
    first, second = window.open("/c/atonce"), window.open("/c/atonce", context=window.context())
    answered(first)
    answered(second)
    # It has not looked what the other does, which would have shown it that answer.
    idle = {"conversation_id": "atonce", "message_id": None, "running": False, "question": None}
    second.route("**/api/chat/atonce", lambda route: route.fulfill(json=idle))
    site.answers(LONG, token_delay=0.02)
    ask(first, "What about the docks?")
    expect(first.locator(".answer.writing")).to_contain_text("Word 1")
    ask(second, "And the bread?")
    answered(first, 2)
    answered(second, 2)
    expect(second.get_by_text("And the bread?").last).to_be_visible()
    asked = [turn["question"] for turn in site.api.get("/api/conversations/atonce").json()["turns"]]
    assert asked == ["When was the harbour of Ghent opened?", "What about the docks?", "And the bread?"]


def test_a_question_that_may_not_wait_any_longer_can_be_asked_again(window: Window, site: Site) -> None:
    window.expected = "409"
    site.ask("busy", "When was the harbour of Ghent opened?")
    page = window.open("/c/busy")
    answered(page)
    problem = {
        "type": "urn:anchorage:problem:conflict",
        "code": "conflict",
        "status": 409,
        "title": "Conflict",
        "detail": "Busy.",
    }
    page.route(
        "**/api/chat",
        lambda route: route.fulfill(status=409, json=problem, content_type="application/problem+json"),
        times=1,
    )
    ask(page, "And the bread?")
    expect(page.get_by_text("Something else is going on here.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    answered(page, 2)
    expect(page.get_by_text("And the bread?").last).to_be_visible()


def test_what_was_typed_outlives_a_turn_of_the_screen(window: Window) -> None:
    page = window.open()
    search = page.locator(".side input[type=search]")
    search.fill("harbour")
    page.set_viewport_size({"width": 500, "height": 900})
    expect(search).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(search).to_have_value("harbour")


def test_a_broken_link_to_a_conversation_draws_the_page(window: Window) -> None:
    window.expected = "404"
    expect(window.open("/c/%E0%A4").get_by_role("textbox").last).to_be_visible()
