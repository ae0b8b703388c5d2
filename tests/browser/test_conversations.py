"""Conversations in the browser: found, renamed, deleted, and many."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import expect

from anchorage.settings import load_settings
from anchorage.wiring.databases import open_databases

from .conftest import HARBOUR, Site, Window, answered, ask, conversation_of


def test_a_conversation_is_found_renamed_continued_and_deleted(window: Window, site: Site) -> None:
    first = f"c{uuid4().hex}"
    site.ask(first, "Which zebra opened the harbour of Ghent?")
    page = window.open()
    page.get_by_label("Search conversations").fill("zebra")
    row = page.get_by_role("navigation", name="Conversations").get_by_role("link")
    expect(row).to_have_count(1)
    row.click()
    page.wait_for_url(f"**/c/{first}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("zebra")
    page.get_by_role("button", name="What to do with this conversation").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_label("Title").fill("Harbours <b>and</b> zebras")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbours <b>and</b> zebras")
    expect(row).to_have_text("Harbours <b>and</b> zebras")
    ask(page, "And the docks?")
    answered(page, 2)
    assert conversation_of(page) == first
    assert len(site.api.get(f"/api/conversations/{first}").json()["turns"]) == 2
    page.locator(".list-item.active").hover()
    page.get_by_role("button", name="What to do with “Harbours <b>and</b> zebras”").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url(lambda url: not url.endswith(first))
    assert site.api.get(f"/api/conversations/{first}").status_code == 404


def test_a_link_to_what_is_gone_says_so(window: Window) -> None:
    window.expected = "404"
    page = window.open("/c/nosuchconversation")
    expect(page.get_by_text("not here any more")).to_be_visible()
    ask(page)
    answered(page)


@pytest.mark.slow
def test_ten_thousand_conversations_and_five_hundred_messages(window: Window, site: Site) -> None:
    with ThreadPoolExecutor(1) as other:  # in this thread, the browser has the event loop
        other.submit(asyncio.run, _fill(site)).result()
    page = window.open("/c/long")
    answered(page)
    expect(page.locator(".answer").last).to_contain_text("number 500")
    assert page.locator(".turn").count() < 30
    rows = page.locator(".list-row")
    expect(rows.first).to_be_visible()
    assert rows.count() < 80
    for _ in range(60):
        page.locator(".list-scroll").evaluate("(list) => { list.scrollTop = list.scrollHeight }")
        page.wait_for_timeout(50)
        if page.get_by_text("Many 9999", exact=True).count():
            break
    expect(page.get_by_text("Many 9999", exact=True)).to_be_visible()
    assert rows.count() < 80
    page.get_by_label("Search conversations").fill("Many 4321")
    expect(rows.get_by_role("link")).to_have_count(1)
    page.locator(".thread-scroll").evaluate("(list) => { list.scrollTop = 0 }")
    expect(page.locator(".question-text").first).to_have_text("Question 1")


async def _fill(site: Site) -> None:
    """Conversations as years of use leave them."""
    async with open_databases(load_settings(data={"dir": site.cli.data})) as urls:
        connection = await psycopg.AsyncConnection.connect(urls.state, autocommit=True)
        async with connection:
            make = (
                "INSERT INTO anchorage.conversations (id, owner, title, turns, head, created_at, updated_at) "
                "SELECT 'many' || n, 'local', 'Many ' || n, 1, 1, now() - n * interval '1 hour', now() - n * interval '1 hour' "
                "FROM generate_series(1, 9999) n"
            )
            turns = (
                "INSERT INTO anchorage.turns (conversation_id, number, message_id, question, answer, abstained, citations, trace, unsupported, "
                "stopped, parent) SELECT %s, n, 'm' || n, 'Question ' || n, %s || n || '.', false, '[]', '{}', '[]', false, n - 1 "
                "FROM generate_series(1, %s) n"
            )
            await connection.execute(make)
            await connection.execute(
                "INSERT INTO anchorage.conversations (id, owner, title, turns, head) VALUES ('long', 'local', 'Long', 500, 500)"
            )
            await connection.execute(turns, ("long", f"{HARBOUR} This is **answer** number ", 500))
