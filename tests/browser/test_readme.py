"""The picture of the README: an answer on a desk, each sentence with its source, and one of them opened at the very words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from integration.test_parsers import pdf

from .conftest import Site, Window, answered, ask

QUESTION = "Who approved the new quay, what does it cost and when does it open?"
APPROVED = "The city council approved the new quay on 12 March 2024 with 31 votes to 6."
COST = "The quay costs 48.2 million euros, of which the region pays 60 percent."
OPENS = "The first ships will moor at the new quay in October 2026."
REPORT = [
    """Harbour report 2024

This chapter tells what is being built.
The new quay lies north of the lock and is 640 metres long.
The quay costs 48.2 million euros, of which the region
pays 60 percent. The rest comes from the port's own funds.
Dredging began in May. 310,000 cubic metres of sand were
moved to the beach at Westende before the winter.

The piles are of steel and stand 24 metres deep.
The first ships will moor at the new quay in October 2026.
Until then the ferries leave from dock 3.""",
    "In 2024 the harbour handled 5.1 million tonnes, two percent more than in 2023.",
]
NARROW = b"[0 0 432 760]"
"""Pages so narrow that they can be read beside the answer."""
MINUTES = f"""# Minutes of the city council

## Item 7: the new quay

{APPROVED} The opposition asked for a study of the noise at night.

## Item 8: the library

The library stays open on Sundays until the end of the year.
"""


def _cited(messages: Sequence[Mapping[str, Any]]) -> str:
    """The three sentences, each with the number of the passage that holds it."""
    passages = re.findall(r'<passage number="(\d+)"[^>]*>\n(.*?)\n</passage>', str(messages[-1]["content"]), re.DOTALL)
    return " ".join(
        f"{sentence} [{next(number for number, text in passages if sentence in ' '.join(text.split()))}]"
        for sentence in (APPROVED, COST, OPENS)
    )


@pytest.fixture
def city(site: Site) -> Iterator[None]:
    """Two documents of a city, for as long as the test lasts."""
    found = [
        site.add("harbour-report-2024.pdf", pdf(REPORT).replace(b"[0 0 612 792]", NARROW), "city"),
        site.add("council-minutes.md", MINUTES.encode(), "city"),
    ]
    yield
    for key in found:
        assert site.api.delete(f"/api/documents/{key}").is_success


@pytest.mark.usefixtures("city")
def test_each_sentence_has_its_source(window: Window, site: Site, request: pytest.FixtureRequest) -> None:
    shots: Path | None = request.config.getoption("--shots")
    site.answers(_cited)
    page = window.open(context=window.context(color_scheme="light", viewport={"width": 1280, "height": 720}))
    page.get_by_label("Where to look").select_option("city")
    ask(page, QUESTION)
    answered(page)
    chips = page.locator(".answer button.chip")
    expect(chips).to_have_count(3)
    page.get_by_role("button", name=re.compile(r"^Source \d+: .*page 1")).first.click()
    expect(page.locator(".pdf-mark").first).to_be_visible()
    if shots:
        page.mouse.move(0, 0)
        page.wait_for_timeout(400)
        page.screenshot(path=shots / "page.png")
