"""Everybody can use it: checked by axe on every screen, by keyboard alone, on a phone, in other languages."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from .conftest import HARBOUR, ROOT, Site, Window, answered, ask

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
MIXED = f"{HARBOUR} [1] The mayor ate nineteen waffles.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```python\nx = 1\n```\n\n- [x] done"


def violations(page: Page) -> list[str]:
    """What axe finds. It runs in the page's debugger, where the page's policy does not stop it."""
    page.evaluate(AXE.read_text("utf-8") + "\n;undefined")
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{item['id']}: {node['html'][:200]} {node['failureSummary']}"
        for item in found["violations"]
        for node in item["nodes"]
    ]


def conversation(site: Site, answer: str, question: str) -> str:
    site.answers(answer)
    key = f"a{uuid4().hex}"
    site.ask(key, question)
    return f"/c/{key}"


def _answer(page: Page, site: Site) -> None:
    page.goto(conversation(site, MIXED, "When was the harbour of Ghent opened?"))
    answered(page)
    expect(page.locator(".hljs-number").first).to_be_visible()


def _sources(page: Page, site: Site) -> None:
    _answer(page, site)
    page.get_by_role("button", name="See explanation").click()
    page.get_by_text("Why this passage").first.click()


def _source(page: Page, site: Site) -> None:
    _answer(page, site)
    page.locator("button.chip").first.click()
    expect(page.locator(".textLayer")).to_be_visible()


def _abstention(page: Page, site: Site) -> None:
    page.goto(
        conversation(site, "I could not find an answer to this in these documents.", "Who invented the zip in Ghent?")
    )
    expect(page.locator(".nearest-item").first).to_be_visible()


def _editing(page: Page, site: Site) -> None:
    _answer(page, site)
    page.get_by_role("button", name="Bad answer").click()
    expect(page.locator(".comment")).to_be_visible()
    page.get_by_role("button", name="Edit the question").click()


def _menu(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_role("button", name="Settings").first.click()
    expect(page.get_by_role("menu")).to_be_visible()


def _failed(page: Page, site: Site) -> None:
    page.goto("/")
    site.answers(status=400, message="boom")
    ask(page)
    expect(page.locator(".failed .problem")).to_be_visible()


def _documents(page: Page, site: Site) -> None:
    page.goto("/documents")
    page.set_input_files(
        "input[type=file] >> nth=0", {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"no pdf"}
    )
    expect(page.locator(".upload-failed")).to_be_visible()
    expect(page.locator(".row").first).to_be_visible()


def _deleting(page: Page, site: Site) -> None:
    page.goto("/documents")
    page.get_by_role("button", name=re.compile("^Delete “")).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _document(page: Page, site: Site) -> None:
    key = site.api.get("/api/documents", params={"q": "horta"}).json()["documents"][0]["document_id"]
    page.goto(f"/documents/{key}")
    expect(page.locator(".text-part").first).to_be_visible()


def _passages(page: Page, site: Site) -> None:
    _document(page, site)
    page.get_by_role("button", name="Passages").click()
    expect(page.locator(".card").first).to_be_visible()


def _registered(page: Page, site: Site) -> None:
    site.api.post("/api/sources", json={"location": "http://127.0.0.1:9/nothing.html"})
    page.goto("/sources")
    expect(page.locator(".source").first).to_be_visible()


def _adding(page: Page, site: Site) -> None:
    page.goto("/sources")
    page.get_by_role("button", name="Add a source").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _system(page: Page, site: Site) -> None:
    page.goto("/system")
    expect(page.locator(".part").nth(6)).to_be_visible()


SCREENS: dict[str, Callable[[Page, Site], None]] = {
    "home": lambda page, site: expect(page.get_by_role("heading", level=1)).to_be_visible(),
    "answer": _answer, "sources": _sources, "source": _source, "abstention": _abstention, "editing": _editing, "menu": _menu,
    "failed": _failed, "documents": _documents, "deleting": _deleting, "document": _document, "passages": _passages,
    "registered": _registered, "adding": _adding, "system": _system,
}  # fmt: skip


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_axe_finds_nothing(window: Window, site: Site, look: str, request: pytest.FixtureRequest) -> None:
    shots: Path | None = request.config.getoption("--shots")
    scheme = "dark" if look == "dark" else "light"
    for name, show in SCREENS.items():
        page = window.open(phone=look == "phone", color_scheme=scheme)
        if look == "phone" and name == "menu":
            page.get_by_role("button", name="Menu", exact=True).click()
        else:
            show(page, site)
        page.mouse.move(0, 0)
        if shots:
            page.wait_for_timeout(400)
            page.screenshot(path=shots / f"{look}-{name}.png")
        assert not violations(page), name
        page.context.close()


def _back_to_a_chip(page: Page) -> None:
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("() => document.activeElement.classList.contains('chip')"):
            return


def test_by_keyboard_alone(window: Window, site: Site) -> None:
    page = window.open()
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type("When was the harbour of Ghent opened?")
    page.keyboard.press("Enter")
    answered(page)
    page.reload()
    answered(page)
    for _ in range(3):  # what is still being loaded may take the place of a chip, and its focus
        page.get_by_label("Your question").focus()
        _back_to_a_chip(page)
        with suppress(AssertionError):
            expect(page.locator(".quote-card")).to_be_visible(timeout=5000)
            break
    expect(page.locator(".quote-card")).to_be_visible()  # focus shows the quote as hovering does
    page.keyboard.press("Enter")
    expect(page.locator(".sources")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("button.chip").first).to_be_focused()
    skip = page.get_by_role("button", name="Skip to the content")
    skip.focus()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    settings = page.get_by_role("button", name="Settings")
    settings.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu")).to_be_visible()
    for name in ("As the system", "Light", "Dark"):
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("menuitemradio", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("html[data-theme=dark]")).to_be_attached()
    page.keyboard.press("Escape")
    expect(settings).to_be_focused()


def test_what_happens_is_read_out(window: Window, site: Site) -> None:
    # Slow enough that each state is seen on a busy machine.
    site.answers(f"{HARBOUR} [1]", first_delay=2, token_delay=0.3)
    page = window.open()
    ask(page)
    log = page.get_by_role("log")
    expect(log).to_contain_text("Searching your documents")
    expect(log).to_contain_text("The answer is being written.")
    expect(log).to_contain_text(f"Answer: {HARBOUR[:-1]}")


def test_on_a_phone(window: Window, site: Site) -> None:
    page = window.open(phone=True)
    ask(page)
    answered(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator("button.chip").first.tap()
    expect(page.locator(".sources")).to_be_visible()
    expect(page.locator(".thread")).to_be_hidden()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Menu", exact=True).click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("button", name=re.compile("^What to do with “")).first.click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_label("Title").fill("Renamed on a phone")
    page.keyboard.press("Enter")
    expect(drawer.get_by_role("link", name="Renamed on a phone")).to_be_visible()
    drawer.get_by_role("link", name="Documents").click()
    expect(page.get_by_role("heading", name="Documents", level=1)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


LANGUAGES = [
    ("de-AT", "de", "Was möchten Sie wissen?"),
    ("fr-CA", "fr", "Que voulez-vous savoir ?"),
    ("ja", "en", "What would you like to know?"),
]


@pytest.mark.parametrize(("locale", "language", "greeting"), LANGUAGES)
def test_in_the_browsers_language(window: Window, locale: str, language: str, greeting: str) -> None:
    page = window.open(locale=locale)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(greeting)
    assert page.evaluate("() => document.documentElement.lang") == language
    page.get_by_role("button", name=re.compile("Settings|Einstellungen|Réglages")).click()
    page.get_by_role("menuitemradio", name="Deutsch").click()
    expect(heading).to_have_text("Was möchten Sie wissen?")
    page.reload()
    expect(heading).to_have_text("Was möchten Sie wissen?")
