"""Answers without a model, as the page shows them: what is quoted as what it is, and its source with headings, lists, tables and code."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.acceptance.conftest import Cli
from tests.browser.conftest import Site, Window, answered, ask, running
from tests.support.axe import violations

GUIDE = """# The harbour guide

## Starting the crane

Start the crane with this command:

```
crane start --dock coal
  --slowly
```

## What is not insured

Not insured are:

- glass
- live animals
- works of art

## Fees

| Ship | Fee |
| --- | --- |
| Barge | 12 euros |
| Steamer | 30 euros |
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server without a language model."""
    cli = Cli(tmp_path_factory.mktemp("plain") / "data")
    with running(cli, "up") as api:
        found = Site(str(api.base_url).rstrip("/"), api, None, cli)  # type: ignore[arg-type]
        found.add("guide.md", GUIDE.encode())
        yield found


@pytest.fixture
def page(browser: Browser, plain: Site) -> Iterator[Page]:
    window = Window(browser, plain.url)
    yield window.open()
    window.close()
    assert not window.complaints


def test_each_kind_of_quotation_is_shown_as_what_it_is(page: Page) -> None:
    ask(page, "How do I start the crane?")
    answered(page)
    card = page.locator(".quotation").first
    expect(card.locator("p")).to_have_text("Start the crane with this command:")
    expect(card.locator("pre")).to_have_text("crane start --dock coal\n  --slowly")
    expect(card).to_contain_text("The harbour guide › Starting the crane")
    expect(page.get_by_text("connect a language model")).to_have_count(1)

    ask(page, "What is not insured?")
    answered(page, 2)
    items = page.locator(".turn").nth(1).locator(".quotation li")
    expect(items).to_have_text(["glass", "live animals", "works of art"])
    expect(page.locator(".quotation mark").first).to_be_visible()

    ask(page, "What is the fee for a steamer?")
    answered(page, 3)
    row = page.locator(".turn").nth(2).locator(".quotation table")
    expect(row.locator("td")).to_have_text(["Steamer", "30 euros"])
    assert violations(page) == []


def test_a_source_keeps_its_headings_lists_tables_and_code(page: Page) -> None:
    ask(page, "What is the fee for a steamer?")
    answered(page)
    page.locator("button.chip").first.click()
    text = page.get_by_role("region", name="Text")
    expect(text.get_by_role("heading", name="Fees")).to_be_visible()
    expect(text.locator(".text-row", has_text="Barge").locator("span")).to_have_text(["Barge", "12 euros"])
    expect(text.locator("pre")).to_have_text("crane start --dock coal\n  --slowly")
    expect(text.locator(".text-list-item").first).to_have_text("glass")
    marked = text.locator("mark")
    expect(marked.first).to_be_visible()
    assert re.sub(r"\W+", " ", " ".join(marked.all_inner_texts())).strip() == "Steamer 30 euros"
