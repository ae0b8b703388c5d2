"""What goes wrong, and what the page makes of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import ANSWER, HARBOUR, Site, Window, answered, ask
from .proxy import Proxy, proxy

LONG = " ".join(f"{HARBOUR} [1] Word {number}." for number in range(20))


@pytest.fixture
def between(site: Site) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    with proxy(site.url) as running:
        yield running


@pytest.mark.parametrize(
    ("status", "code", "title"),
    [
        (401, "login", "Your login has expired."),
        (403, "forbidden", "You may not do this."),
        (409, "conflict", "Something else is going on here."),
        (422, "blocked", "This was not let through."),
        (429, "rate_limited", "Too many requests."),
        (429, "budget_exceeded", "The budget is spent."),
        (500, "internal", "Something failed in the server."),
    ],
)
def test_refusals_of_a_question(window: Window, status: int, code: str, title: str) -> None:
    window.expected = str(status)
    page = window.open()

    def refuse(route: Route) -> None:
        body = f'{{"code": "{code}", "status": {status}, "detail": "In the words of the server.", "request_id": "r-1"}}'
        route.fulfill(status=status, body=body, headers={"Retry-After": "7"} if code == "rate_limited" else {})

    page.route("**/api/chat", refuse)
    page.clock.install()
    ask(page)
    for _ in range(12):
        page.clock.run_for(10_000)
        if page.get_by_text(title).count():
            break
    expect(page.get_by_text(title)).to_be_visible()
    expect(page.get_by_text("In the words of the server.")).to_be_visible()
    if code == "rate_limited":
        expect(page.get_by_text("Try again in 7 seconds.")).to_be_visible()
    page.unroute("**/api/chat")
    if status == 401:
        expect(page.get_by_role("button", name="Sign in again")).to_be_visible()
    else:
        page.get_by_role("button", name="Try again").click()
        page.clock.resume()
        answered(page)


def test_the_server_is_away_and_comes_back(window: Window) -> None:
    window.expected = "ERR_INTERNET_DISCONNECTED|preload|dynamically imported"
    page = window.open()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("link", name="System").click(no_wait_after=True)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("The server does not answer.")).to_have_count(0)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()


@pytest.mark.slow
def test_a_stream_that_breaks_again_and_again_is_put_together(window: Window, site: Site, between: Proxy) -> None:
    window.expected = "ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION"
    site.answers(LONG, token_delay=0.02)
    between.cut_streams_after = 9
    page = window.open(between.url)
    ask(page)
    answered(page)
    assert between.cuts >= 3
    text = page.locator(".answer").inner_text()
    assert [text.count(f"Word {number}.") for number in range(20)] == [1] * 20


@pytest.mark.slow
def test_a_stream_that_cannot_be_had_is_given_up_and_tried_again_by_hand(window: Window, site: Site) -> None:
    window.expected = "ERR_FAILED"
    site.answers(LONG, token_delay=0.05)
    page = window.open()
    page.route("**/api/chat/*/events*", lambda route: route.abort())
    page.route("**/api/chat", lambda route: route.abort())
    page.clock.install()
    ask(page)
    expect(page.get_by_text("Sending the question")).to_be_visible()
    for _ in range(30):
        page.clock.run_for(8_000)
        if page.get_by_role("button", name="Try again").count():
            break
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    page.unroute_all()
    page.clock.resume()
    page.get_by_role("button", name="Try again").click()
    answered(page)


def test_without_storage(window: Window) -> None:
    context = window.context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError') } })"
    )
    page = window.open(context=context)
    expect(page.get_by_text("Your browser keeps nothing for this page")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    ask(page)
    answered(page)


def test_a_clock_that_is_wrong(window: Window, site: Site) -> None:
    site.ask("clockskew", "Is the clock of the harbour right?")
    context = window.context()
    page = window.open(context=context)
    page.clock.install(time="2031-01-01T00:00:00Z")
    page.goto("/documents")
    expect(page.locator(".row-more").first).to_contain_text(re.compile("ago|now"))
    assert "years" not in page.locator(".rows").inner_text()


def test_the_model_fails(window: Window, site: Site) -> None:
    site.answers(status=500, message="boom")
    page = window.open()
    ask(page)
    expect(page.locator(".failed .problem")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Your question is not lost")).to_be_visible()
    site.answers(ANSWER)
    page.get_by_role("button", name="Try again").click()
    answered(page)


def test_a_question_that_is_too_long_is_not_sent(window: Window) -> None:
    page = window.open()
    field = page.get_by_label("Your question")
    field.fill("x" * 8001)
    expect(page.get_by_text("At most 8,000 characters")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()


def draft(page: Page) -> str:
    return page.get_by_label("Your question").input_value()


def test_a_draft_survives_a_reload(window: Window) -> None:
    page = window.open()
    page.get_by_label("Your question").fill("half a quest")
    page.reload()
    assert draft(page) == "half a quest"
