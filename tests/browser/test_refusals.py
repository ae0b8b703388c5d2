"""What each list says when the server refuses it, and what becomes of a question when a login expires."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import QUESTION, Site, Window, answered, ask

REFUSALS = [
    (401, "login", "Your login has expired."),
    (403, "not_allowed", "You may not do this."),
    (413, "too_large", "This is too large."),
    (429, "rate_limited", "Too many requests."),
    pytest.param(500, "internal", "Something failed in the server.", marks=pytest.mark.slow),
]


def refusal(status: int, code: str) -> Callable[[Route], None]:
    problem = {"code": code, "status": status, "detail": "In the words of the server.", "request_id": "r-1"}
    return lambda route: route.fulfill(status=status, body=json.dumps(problem))


def places(site: Site) -> dict[str, str]:
    """Where each list is read from, by the address that shows it."""
    document = site.api.get("/api/documents", params={"q": "horta"}).json()["documents"][0]["document_id"]
    return {
        "/documents": "**/api/documents?*",
        f"/documents/{document}": f"**/api/documents/{document}",
        "/sources": "**/api/sources",
        "/system": "**/api/system",
        "/c/somewhere": "**/api/conversations/somewhere",
    }


@pytest.mark.parametrize(("status", "code", "title"), REFUSALS)
def test_each_list_says_why_it_is_not_there(window: Window, site: Site, status: int, code: str, title: str) -> None:
    window.expected = rf"{status}|404"
    page = window.open("/system")
    # A login expires for all; other refusals may concern one thing only.
    page.route("**/api/**" if status == 401 else "**/api/conversations?*", refusal(status, code))
    for path, asked in places(site).items():
        page.route(asked, refusal(status, code))
        page.goto(path)
        told = page.locator("main .problem")
        expect(told).to_contain_text(title)
        expect(told).to_contain_text("In the words of the server.")
        listed = page.locator(".side .problem")
        expect(listed).to_contain_text(title)
        fits = listed.evaluate("(note) => note.scrollWidth <= note.clientWidth")
        assert fits, "the note in the side bar is wider than its place"
        if status == 401:
            expect(page.locator(".banner")).to_contain_text("Sign in again to go on.")
            continue
        page.unroute(asked)
        if path == "/system":  # asks again by itself, so that the button may go before it is pressed
            expect(told).to_have_count(0)
        elif not path.startswith("/c/"):
            told.get_by_role("button", name="Try again").click()
            expect(told).to_have_count(0)
    if status != 401:
        page.unroute("**/api/conversations?*")
        page.locator(".side .problem").get_by_role("button", name="Try again").click()
        expect(page.locator(".side .problem")).to_have_count(0)


def test_more_of_a_list_that_is_refused_is_asked_for_by_hand(window: Window, site: Site) -> None:
    window.expected = "403"
    asked: list[str] = []
    moment = "2026-01-01T12:00:00+00:00"

    def listed(route: Route) -> None:
        asked.append(route.request.url)
        if "after=" in route.request.url and len(asked) < 4:
            refusal(403, "not_allowed")(route)
            return
        rows = [
            {"id": f"{len(asked)}x{row}", "title": f"Row {row}", "turns": 1, "created_at": moment, "updated_at": moment}
            for row in range(50)
        ]
        route.fulfill(json={"conversations": rows, "next": None if "after=" in route.request.url else "x"})

    page = window.open("/system")
    page.route("**/api/conversations?*", listed)
    page.goto("/")
    note = page.locator(".list-problem")
    for count in (2, 3):
        expect(note).to_contain_text("You may not do this.")
        expect(page.get_by_text("Row 1", exact=True)).to_be_visible()
        assert len(asked) == count  # asked once, not in a circle
        note.get_by_role("button", name="Try again").click()
    expect(note).to_have_count(0)


def test_a_question_survives_an_expired_login(window: Window, site: Site) -> None:
    window.expected = "401|404"
    page = window.open()
    page.route("**/api/**", refusal(401, "login"))
    ask(page)
    expect(page.locator("main .problem")).to_contain_text("Your login has expired.")
    page.unroute("**/api/**")  # the login was renewed, as the button's reload has it
    page.locator("main .problem").get_by_role("button", name="Sign in again").click()
    field = page.get_by_label("Your question")
    expect(field).to_have_value(QUESTION)
    expect(page.get_by_text("not here any more")).to_have_count(0)
    field.press("Enter")
    answered(page)
    page.reload()
    answered(page)
    expect(field).to_have_value("")


def test_a_login_that_expires_while_files_are_sent(window: Window) -> None:
    window.expected = "401"
    page = window.open("/documents")
    page.route("**/api/documents?paths=true", refusal(401, "login"))
    note = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"A note."}
    page.set_input_files("input[type=file] >> nth=0", note)  # type: ignore[arg-type]
    row = page.locator(".upload-failed")
    expect(row).to_contain_text("In the words of the server.")
    page.unroute("**/api/documents?paths=true")
    row.get_by_role("button", name="Try again").click()
    expect(page.locator(".upload-done")).to_be_visible()


def test_what_an_explanation_needs_is_refused(window: Window, site: Site) -> None:
    window.expected = "500"
    site.answers("I could not find an answer to this in these documents.")
    site.ask("refusedhits", "Who invented the telephone in Ghent?")
    page = window.open("/system")
    page.route("**/hits", refusal(500, "internal"))
    page.goto("/c/refusedhits")
    expect(page.locator(".nearest .problem")).to_contain_text("Something failed", timeout=30_000)
    page.unroute("**/hits")
    page.locator(".nearest .problem").get_by_role("button", name="Try again").click()
    expect(page.locator(".nearest-item").first).to_be_visible()


def away(page: Page) -> None:
    page.route(re.compile("/api/|/livez"), lambda route: route.abort())


@pytest.mark.parametrize("path", ["/", "/documents", "/sources", "/system"])
def test_the_server_is_down_from_the_beginning(window: Window, path: str) -> None:
    window.expected = "ERR_FAILED"
    context = window.context()
    context.route(re.compile("/api/|/livez"), lambda route: route.abort())
    page = window.open(path, context=context)
    expect(page.locator(".banner")).to_contain_text("The server does not answer.", timeout=30_000)
    context.unroute_all()
    expect(page.locator(".banner")).to_have_count(0)
    expect(page.locator(".problem")).to_have_count(0)
