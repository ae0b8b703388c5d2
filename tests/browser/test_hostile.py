"""Nothing that an answer, a document or a title holds runs in the page, loads anything, or leads anywhere by itself."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, Request, expect

from support.hostile import PAYLOADS

from .conftest import HARBOUR, Site, Window, answered, ask


def guarded(page: Page, site: Site) -> list[str]:
    """The addresses beyond the server that the page asks for, from now on."""
    outside: list[str] = []

    def seen(request: Request) -> None:
        if not request.url.startswith((site.url, "data:", "blob:")):
            outside.append(request.url)

    page.context.on("request", seen)
    return outside


def harmless(page: Page) -> None:
    assert page.evaluate("() => window.hacked") is None
    inside = page.locator("main")
    forbidden = (
        "script, iframe, object, embed, form[action], base, link, meta, [onerror], [onload], [onfocus], [style*='url(']"
    )
    assert inside.locator(forbidden).count() == 0
    assert inside.locator("img, video, audio, svg script, svg a, math a").count() == 0
    # All in one look: a list that is drawn window by window may take a link away between two.
    for address in inside.locator("a[href]").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))"):
        assert "script:" not in address.lower() and not address.startswith("data:"), address


def test_there_are_enough() -> None:
    assert len(set(PAYLOADS)) >= 50


@pytest.mark.parametrize("unguarded", [False, True], ids=["answers", "answers-as-they-are"])
def test_hostile_answers(window: Window, site: Site, unguarded: bool) -> None:
    """As the server makes them inert; and as they are, as if it did not."""
    conversation = f"h{uuid4().hex}"
    for index, payload in enumerate(PAYLOADS):
        site.answers(f"{HARBOUR} [1]\n\n{payload}")
        site.ask(conversation, f"Question {index}?")
    page = window.open("/system")
    outside = guarded(page, site)
    if unguarded:
        found = site.api.get(f"/api/conversations/{conversation}").json()
        for turn, payload in zip(found["turns"], PAYLOADS, strict=True):
            turn |= {"answer": f"{HARBOUR} [1]\n\n{payload}", "question": payload}
        found["title"] = PAYLOADS[0]
        page.route(f"**/api/conversations/{conversation}", lambda route: route.fulfill(json=found))
    page.goto(f"/c/{conversation}")
    answered(page)
    for turn in range(len(PAYLOADS), 0, -4):
        scroller = page.locator(".thread-scroll")
        scroller.evaluate(f"(list) => {{ list.scrollTop = list.scrollHeight * {turn / len(PAYLOADS)} }}")
        expect(page.locator(".turn .markdown").first).to_be_attached()
        harmless(page)
    assert not outside


@pytest.mark.slow
def test_hostile_streams(window: Window, site: Site) -> None:
    page = window.open()
    outside = guarded(page, site)
    for payload in PAYLOADS[::6]:
        site.answers(f"{HARBOUR} [1]\n\n{payload}", token_delay=0.01)
        page.goto("/")
        ask(page, payload.replace("\n", " "))
        answered(page)
        harmless(page)
    assert not outside


def test_hostile_documents(window: Window, site: Site) -> None:
    text = "\n\n".join(PAYLOADS)
    name = "<img src=x onerror=window.hacked=true>.txt"
    key = site.add(name, f"{text}\n\nThe hostile harbour is here.".encode(), "hostile")
    site.add("page.html", f"<title>{PAYLOADS[5]}</title><p>The hostile page.</p>{text}".encode(), "hostile")
    page = window.open("/documents")
    outside = guarded(page, site)
    page.get_by_label("Collection").nth(1).select_option("hostile")
    expect(page.locator(".row")).to_have_count(2)
    harmless(page)
    page.goto(f"/documents/{key}")
    expect(page.locator(".text-part").first).to_be_visible()
    harmless(page)
    page.get_by_role("button", name="Passages").click()
    expect(page.locator(".card-text").first).to_be_visible()
    harmless(page)
    assert not outside
    content = site.api.get(f"/api/documents/{key}/content")
    assert (
        content.headers["content-disposition"].startswith("attachment")
        and "sandbox" in content.headers["content-security-policy"]
    )
