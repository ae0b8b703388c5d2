"""Everybody can use it: checked by axe on every screen, by keyboard alone, on a phone, in other languages."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from tests.support.axe import violations

from anchorage.chat.state import ABSTENTION

from .conftest import HARBOUR, ROOT, Site, Window, answered, ask

MIXED = f"{HARBOUR} [1] The mayor ate nineteen waffles.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```python\nx = 1\n```\n\n- [x] done"


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


@pytest.mark.parametrize("look", ["light", *(pytest.param(look, marks=pytest.mark.slow) for look in ("dark", "phone"))])
def test_axe_finds_nothing(window: Window, site: Site, look: str, request: pytest.FixtureRequest) -> None:
    shots: Path | None = request.config.getoption("--shots")
    context = window.context(phone=look == "phone", color_scheme="dark" if look == "dark" else "light")
    for name, show in SCREENS.items():
        page = window.open(context=context)
        if look == "phone" and name == "menu":
            page.get_by_role("button", name="Menu", exact=True).click()
        else:
            show(page, site)
        page.mouse.move(0, 0)
        if shots:
            page.wait_for_timeout(400)
            page.screenshot(path=shots / f"{look}-{name}.png")
        # In the dark, the same elements have other colours.
        assert not violations(page, ["color-contrast"] if look == "dark" else None), name
        page.close()


@pytest.mark.slow
def test_at_a_zoom_of_400_percent(window: Window, site: Site, request: pytest.FixtureRequest) -> None:
    """1280 by 1024 pixels, of which 320 by 256 are left: nothing has to be scrolled sideways, and everything can be reached."""
    shots: Path | None = request.config.getoption("--shots")
    context = window.context(viewport={"width": 320, "height": 256}, device_scale_factor=4)
    for name, show in SCREENS.items():
        if name == "menu":
            continue
        page = window.open(context=context)
        show(page, site)
        if shots:
            page.wait_for_timeout(400)
            page.screenshot(path=shots / f"zoom-{name}.png")
        wide = page.evaluate(
            "() => [document.documentElement, ...document.querySelectorAll('main, .sources, .dialog, .thread-scroll, .greeting')]"
            ".filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.className || one.tagName)"
        )
        assert not wide, name
        page.close()
    site.answers()
    page = window.open(context=context)
    ask(page)
    answered(page)
    page.locator("button.chip").first.scroll_into_view_if_needed()
    expect(page.locator("button.chip").first).to_be_in_viewport()
    page.get_by_label("Your question").scroll_into_view_if_needed()
    expect(page.get_by_label("Your question")).to_be_in_viewport()


def test_in_forced_colours(window: Window, site: Site, request: pytest.FixtureRequest) -> None:
    """What a background alone tells is gone there: chips, notes and what is chosen have a line instead."""
    shots: Path | None = request.config.getoption("--shots")
    page = window.open(forced_colors="active")
    _answer(page, site)
    for what in (".chip", ".unsupported-note", ".question-text"):
        assert _style(page, what, "borderTopStyle") == "solid", what
    assert _style(page, ".list-item.active", "outlineStyle") == "solid"
    page.locator("button.chip").first.click()
    expect(page.locator(".pdf-mark").first).to_be_visible()
    assert _style(page, ".pdf-mark", "borderTopStyle") == "solid"
    if shots:
        page.screenshot(path=shots / "forced-colours.png")


def _style(page: Page, selector: str, name: str) -> str:
    return str(page.locator(selector).first.evaluate(f"(one) => getComputedStyle(one).{name}"))


_STOP = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect();
    return {
        tag: one.tagName,
        name: one.ariaLabel || one.labels?.[0]?.innerText || one.innerText || '',
        seen: box.width > 0 && box.top < innerHeight && box.bottom > 0,
        ring: getComputedStyle(one).outlineStyle !== 'none' || !!one.closest('.composer-box, .search, .field'),
    };
}"""


def test_the_focus_goes_where_the_eye_goes(window: Window, site: Site) -> None:
    """Tab by Tab through a conversation: each stop has a name and is seen, and their order is that of the page."""
    page = window.open()
    page.goto(conversation(site, f"{HARBOUR} [1]", "When was the harbour of Ghent opened?"))
    answered(page)
    expect(page.locator("button.chip").first).to_be_visible()
    page.locator(".skip").focus()
    expect(page.locator(".skip")).to_be_in_viewport()  # it slides in
    stops: list[str] = []
    for _ in range(300):  # other conversations have theirs
        stop = page.evaluate(_STOP)
        if stop["tag"] == "BODY" or (stops and stop["name"] == stops[0]):
            break
        assert stop["name"].strip() and stop["seen"] and stop["ring"], stop
        stops.append(stop["name"].strip())
        page.keyboard.press("Tab")
    wanted = [
        "Skip to the content", "Anchorage", "Settings", "New conversation", "Search conversations", "Documents", "Synced sources",
        "System", "What to do with this conversation", "Questions and answers", "Edit the question", "Source", "See explanation",
        "Copy the answer", "Answer anew", "Good answer", "Bad answer", "Your question", "Where to look",
    ]  # fmt: skip
    places = [next((at for at, name in enumerate(stops) if name.startswith(each)), -1) for each in wanted]
    assert -1 not in places and places == sorted(places), (stops, places)


def test_nothing_moves_for_those_who_want_it_still(window: Window, site: Site) -> None:
    site.answers(HARBOUR, first_delay=3)
    page = window.open()
    ask(page)
    expect(page.locator(".dots i").first).to_be_visible()
    moving = (
        "() => document.getAnimations().filter((one) => one.effect.getComputedTiming().activeDuration > 50"
        " && one.effect.getComputedTiming().iterations === 1 || one.effect.getComputedTiming().duration > 50).length"
    )
    assert page.evaluate(moving) == 0
    answered(page)


def _back_to_a_chip(page: Page) -> None:
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("() => document.activeElement.classList.contains('chip')"):
            return


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_screen_reader_is_told_what_things_are(window: Window, site: Site) -> None:
    page = window.open()
    page.goto(conversation(site, MIXED, "When was the harbour of Ghent opened?"))
    answered(page)
    expect(page.locator("body")).to_match_aria_snapshot("""
- button "Skip to the content"
- complementary "Conversations and places":
  - link "Anchorage"
  - button "Settings"
  - link "New conversation"
  - searchbox "Search conversations"
  - navigation "Conversations"
  - navigation "Places"
- main:
  - heading "When was the harbour of Ghent opened?" [level=1]
  - button "What to do with this conversation"
  - region "Questions and answers":
    - article:
      - heading "When was the harbour of Ghent opened?" [level=2]
      - paragraph:
        - button /Source \\d+/
        - mark: /The mayor ate nineteen waffles/
      - region "Table"
      - group "Sources"
      - group "With this answer"
  - textbox "Your question"
  - combobox "Where to look"
  - button "Send" [disabled]
""")


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


SAID = {
    "de": ("Ihre Dokumente sagen es nicht", "In diesen Dokumenten habe ich keine Antwort darauf gefunden.", "Die Datei ist beschädigt"),
    "fr": ("Vos documents ne le disent pas", "Je n’ai pas trouvé de réponse à cette question", "Le fichier est endommagé"),
}  # fmt: skip


@pytest.mark.parametrize("language", SAID)
def test_what_the_server_says_is_said_in_the_readers_language(window: Window, site: Site, language: str) -> None:
    heading, sentence, reason = SAID[language]
    page = window.open(locale=language)
    page.goto(conversation(site, ABSTENTION, "Who invented the zip in Ghent?"))
    told = page.locator(".abstention")
    expect(told).to_contain_text(heading)
    expect(told).to_contain_text(sentence)
    expect(told).not_to_contain_text(ABSTENTION)
    page.goto("/documents")
    broken = {"name": "kaputt.pdf", "mimeType": "application/pdf", "buffer": b"no pdf"}
    page.set_input_files("input[type=file] >> nth=0", broken)  # type: ignore[arg-type]
    expect(page.locator(".upload-failed")).to_contain_text(reason)


def test_the_page_knows_the_servers_sentence() -> None:
    assert f"'abstained.sentence': '{ABSTENTION}'" in (ROOT / "web/src/i18n/en.ts").read_text("utf-8")
