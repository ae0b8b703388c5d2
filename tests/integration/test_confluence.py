"""Confluence as a source: both APIs, their pages, and credentials that fail at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from anchorage.adapters.sources.confluence import answers
from anchorage.adapters.sources.confluence.client import ConfluenceAccess
from anchorage.adapters.sources.confluence.source import ConfluenceSource
from anchorage.errors import (
    AnchorageError,
    BadRequest,
    ConfigurationError,
    DocumentRefused,
    NotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
)
from anchorage.testing.confluence_server import ConfluenceServer, confluence_server
from anchorage.testing.web_site import web_site

Flavour = Literal["cloud", "datacenter"]
waits: list[float] = []


async def at_once(seconds: float) -> None:
    waits.append(seconds)


@pytest.fixture
async def server() -> AsyncIterator[ConfluenceServer]:
    waits.clear()
    async with confluence_server() as running:
        for number in range(5):
            running.add("DOCS", f"Page {number}", f"<h2>Part</h2><p>Text {number}</p>", ["howto", "draft"])
        running.add("OTHER", "Elsewhere", "<p>Not ours</p>")
        yield running


@pytest.fixture(params=["cloud", "datacenter"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    found: Flavour = request.param
    return found


def source(
    server: ConfluenceServer, flavour: Flavour, location: str = "confluence://DOCS", **more: Any
) -> ConfluenceSource:
    max_bytes, attachments = more.pop("max_bytes", 1_000_000), more.pop("attachments", True)
    given = {"username": "ada@example.org", "password": "secret-token", "timeout": 5, **more}
    return ConfluenceSource(
        location,
        ConfluenceAccess(server.url, flavour=flavour, **given),
        max_bytes=max_bytes,
        attachments=attachments,
        sleep=at_once,
    )


async def listed(opened: ConfluenceSource) -> dict[str, str | None]:
    return {entry.uri: entry.tag async for entry in opened.list()}


async def test_a_space_is_listed_to_its_end(server: ConfluenceServer, flavour: Flavour) -> None:
    opened = source(server, flavour)
    found = await listed(opened)
    place = "/wiki/spaces/DOCS/pages/" if flavour == "cloud" else "/pages/viewpage.action?spaceKey=DOCS&pageId="
    assert list(found) == [f"{server.url}{place}{1000 + number}" for number in range(5)]
    assert set(found.values()) == {"v1"} and opened.uri == "confluence://DOCS"
    assert opened.prefix and all(uri.startswith(opened.prefix) for uri in found)
    server.pages[1].version = 7
    assert list((await listed(opened)).values()) == ["v1", "v7", "v1", "v1", "v1"]


async def test_a_page_comes_with_what_is_known_of_it(server: ConfluenceServer, flavour: Flavour) -> None:
    server.pages[0].title = 'Über "A" & B/\nC \ud800'
    opened = source(server, flavour)
    uri = next(iter(await listed(opened)))
    async with opened.fetch(uri) as item:
        text = Path(item.path).read_text("utf-8")
        assert "<h2>Part</h2><p>Text 0</p>" in text and "<title>Über &quot;A&quot; &amp; B/\nC ?</title>" in text
        assert item.name == 'Über "A" & B C.html' and item.media_type == "text/html" and item.tag == "v1"
        assert item.size == Path(item.path).stat().st_size
        assert item.metadata["title"] == 'Über "A" & B/ C'
        assert item.metadata["labels"] == ["howto", "draft"] and item.metadata["author"] == "Ada Lovelace"
        assert item.metadata["last_modified"] == "2026-01-02T03:04:05Z" and item.metadata["url"] == uri
    assert not Path(item.path).exists()


async def test_a_page_that_is_gone_moved_or_closed(server: ConfluenceServer, flavour: Flavour) -> None:
    opened = source(server, flavour)
    uris = list(await listed(opened))
    server.pages[0].status = "trashed"
    server.pages[1].space = "OTHER"
    server.pages[2].hidden = True
    for number, kind in [(0, NotFound), (1, NotFound), (2, DocumentRefused)]:
        with pytest.raises(kind):
            async with opened.fetch(uris[number]):
                pass
    assert list(await listed(opened)) == uris[3:]  # a hidden page leaves a gap in a page of the list, not its end
    for uri in ("https://elsewhere.example/1000", f"{opened.prefix}1/../../2", f"{opened.prefix}"):
        with pytest.raises(BadRequest):
            async with opened.fetch(uri):
                pass


async def test_wrong_credentials(server: ConfluenceServer, flavour: Flavour) -> None:
    for strangers in (False, True):
        server.strangers = strangers
        opened = source(server, flavour, password="wrong")
        with pytest.raises(NotAllowed, match="CONFLUENCE_PASSWORD") as raised:
            await listed(opened)
        assert "wrong" not in raised.value.message
        with pytest.raises(NotAllowed):
            async with opened.fetch(f"{opened.prefix}1000"):
                pass


@pytest.mark.parametrize("strangers", [False, True])
async def test_credentials_that_expire_while_a_space_is_listed(
    server: ConfluenceServer, flavour: Flavour, strangers: bool
) -> None:
    server.expires_after, server.strangers = 2, strangers  # the space, and the first two pages
    found = []
    with pytest.raises(NotAllowed):
        async for entry in source(server, flavour).list():
            found.append(entry)
    assert len(found) == 2


async def test_who_loses_the_space_is_not_told_that_its_pages_are_gone(
    server: ConfluenceServer, flavour: Flavour
) -> None:
    opened = source(server, flavour)
    uri = next(iter(await listed(opened)))
    server.pages[:] = [page for page in server.pages if page.space != "DOCS"]
    with pytest.raises(NotAllowed, match="no space DOCS"):
        async with opened.fetch(uri):
            pass
    with pytest.raises(NotFound, match="no space DOCS"):
        await listed(opened)


async def test_a_personal_access_token_and_no_credentials(flavour: Flavour) -> None:
    for user, token in [(None, "personal"), (None, None)]:
        async with confluence_server(user=user, token=token) as server:
            server.add("DOCS", "Page", "<p>Text</p>")
            assert len(await listed(source(server, flavour, username=None, password=token))) == 1


async def test_rate_limits_are_honoured_within_bounds(server: ConfluenceServer, flavour: Flavour) -> None:
    busy = (429, {"retry-after": "3"}, b"")
    server.script.extend([busy, (503, {}, b"")])
    assert len(await listed(source(server, flavour))) == 5 and waits == [3, 2]
    server.script.append((429, {"retry-after": "3600"}, b""))
    with pytest.raises(Unavailable, match="3600 s"):
        await listed(source(server, flavour))
    server.script.extend([busy] * 3)
    with pytest.raises(Unavailable, match="429"):
        await listed(source(server, flavour, retries=2))


async def test_attachments_are_documents_of_their_own_with_their_page_as_context(
    server: ConfluenceServer, flavour: Flavour
) -> None:
    page = server.pages[0]
    for number in range(3):  # more than one answer lists
        server.attach(page, f"Über {number} & more.csv", b"name,depth\nharbour,%d" % number, "text/csv")
    server.attach(page, "screen.png", b"png", "image/png")
    opened = source(server, flavour)
    found = await listed(opened)
    files = [uri for uri in found if "preview=" in uri]
    assert len(found) == 8 and len(files) == 3 and found[files[0]] == "2000 v1"
    assert files[1].startswith(f"{opened.prefix}1000") and files[1].endswith(
        "preview=%2F1000%2F2001%2F%C3%9Cber%201%20%26%20more.csv"
    )
    async with opened.fetch(files[1]) as item:
        assert Path(item.path).read_bytes() == b"name,depth\nharbour,1"
        assert (item.name, item.media_type, item.tag) == ("Über 1 & more.csv", "text/csv", found[files[1]])
        assert item.metadata["page_title"] == "Page 0" and item.metadata["page_url"] == f"{opened.prefix}1000"
        assert item.metadata["title"] == "Über 1 & more.csv" and item.metadata["space"] == "DOCS"
    assert not Path(item.path).exists()
    page.files[1].version = 2
    assert (await listed(opened))[files[1]] == "2001 v2"
    gone = page.files.pop(1)
    assert files[1] not in await listed(opened)
    with pytest.raises(NotFound):
        async with opened.fetch(files[1]):
            pass
    page.files.append(gone)
    page.status = "trashed"  # and its files with it
    assert len(await listed(opened)) == 4
    with pytest.raises(NotFound):
        async with opened.fetch(files[1]):
            pass


async def test_attachments_can_be_left_out(server: ConfluenceServer, flavour: Flavour) -> None:
    server.attach(server.pages[0], "plan.txt", b"Plan", "text/plain")
    assert len(await listed(source(server, flavour, attachments=False))) == 5
    assert not any("attachments" in request for request in server.requests)


async def test_an_attachment_kept_elsewhere_is_fetched_without_credentials(
    server: ConfluenceServer, flavour: Flavour
) -> None:
    file = server.attach(server.pages[0], "plan.txt", b"The whole plan", "text/plain")
    async with web_site() as store:
        store.add_page("/media?token=x", b"The whole plan", "text/plain")
        for more in ({}, {"username": None}):  # a password, a token
            server.user = None if more else "ada@example.org"
            file.elsewhere = f"{store.url}/media?token=x"
            opened = source(server, flavour, **more)
            (uri,) = [uri for uri in await listed(opened) if "preview=" in uri]
            async with opened.fetch(uri) as item:
                assert Path(item.path).read_bytes() == b"The whole plan"
            assert "authorization" not in store.requests[-1].headers
        store.add_page("/other", "cut short", "text/plain")
        for place, kind in [
            (f"{store.url}/other", Unavailable), (f"{server.url}/login.action?to=x", NotAllowed), ("ftp://h/x", AnchorageError),
            ("https://[", AnchorageError), (f"{store.url}/gone", NotFound),
            (f"{server.url}/download/attachments/1000/plan.txt", Unavailable),
        ]:  # fmt: skip
            file.elsewhere = place
            with pytest.raises(kind):
                async with opened.fetch(uri):
                    pass


async def test_an_attachment_beyond_the_limit_and_one_with_a_strange_link(
    server: ConfluenceServer, flavour: Flavour
) -> None:
    server.attach(server.pages[0], "big.txt", b"x" * 5_000, "text/plain")
    opened = source(server, flavour, max_bytes=4_000)
    (uri,) = [uri for uri in await listed(opened) if "preview=" in uri]
    with pytest.raises(TooLarge, match="ANCHORAGE_INGEST__MAX_FILE_BYTES"):
        async with opened.fetch(uri):
            pass
    odd_links = ("//[x", "/x\0.txt", "/x\ud800.txt", "/" + "x" * 70_000)  # no address could be made of them
    for link in ("https://elsewhere.example/../x", "/../../admin", "elsewhere", "", *odd_links):
        (file,) = answers.read_attachments({"results": [{"id": "att1", "title": "x", "downloadLink": link}]})
        assert not file.link
    # One strange file is its own matter; a list that cannot be told whole is the space's.
    with pytest.raises(Unavailable):
        answers.read_attachments({"results": [{"id": "../1", "title": "x"}]})
    odd = answers.Attachment("2000", "big.txt", "v1", "text/plain", None, "")
    opened._api.attachments = lambda _: asyncio.sleep(0, [odd])  # type: ignore[assignment, method-assign]
    with pytest.raises(DocumentRefused) as raised:
        async with opened.fetch(uri):
            pass
    assert raised.value.code == "refused"


SIGN_IN = (302, {"location": "https://id.example/login?from=x"}, b"")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(SIGN_IN, NotAllowed), ((301, {"location": "https://wiki.example/"}, b""), ConfigurationError), ((403, {}, b""), NotAllowed),
     ((200, {}, b"<!doctype html><title>Sign in</title>"), ConfigurationError), ((200, {}, b"[]"), ConfigurationError),
     ((200, {}, b"[" * 100_000), ConfigurationError), ((400, {}, b""), ConfigurationError), ((501, {}, b""), Unavailable),
     ((200, {"content-encoding": "gzip"}, b"no"), Unavailable), ((200, {"content-encoding": "br"}, b"no"), DocumentRefused)],
)  # fmt: skip
async def test_answers_that_are_not_those_of_the_api(
    server: ConfluenceServer, flavour: Flavour, answer: Any, kind: type[AnchorageError]
) -> None:
    server.script.append(answer)
    with pytest.raises(kind):
        await listed(source(server, flavour))


@pytest.mark.parametrize(
    "body",
    [b'{"message": "odd"}', b'{"results": 7}', b'{"results": [7]}', b'{"results": [{"title": "no id"}]}',
     b'{"results": [], "_links": {"next": "/rest/api/content"}}', b'{"results": [{"id": "../1"}]}'],
)  # fmt: skip
async def test_a_broken_list_is_not_a_short_one(server: ConfluenceServer, flavour: Flavour, body: bytes) -> None:
    opened = source(server, flavour)
    found = []
    with pytest.raises(Unavailable):
        async for entry in opened.list():
            found.append(entry)
            server.script.append((200, {}, body))
    assert len(found) == 2


async def test_a_list_in_a_circle_ends(server: ConfluenceServer, flavour: Flavour) -> None:
    body = b'{"results": [], "_links": {"next": "/x?cursor=c1&start=0"}}'
    ours = b'{"key": "DOCS", "results": [{"id": "90"}]}'
    server.script.extend([(200, {}, ours), (200, {}, body), (200, {}, body)])
    with pytest.raises(Unavailable, match="circle"):
        await listed(source(server, flavour))


async def test_a_page_without_text_and_one_beyond_the_limit(server: ConfluenceServer, flavour: Flavour) -> None:
    opened = source(server, flavour, max_bytes=2_000)
    uri = next(iter(await listed(opened)))
    server.pages[0].html = "x" * 5_000
    with pytest.raises(TooLarge, match="ANCHORAGE_INGEST__MAX_FILE_BYTES"):
        async with opened.fetch(uri):
            pass
    server.script.append((200, {}, b'{"id": "1000", "status": "current"}'))
    with pytest.raises(DocumentRefused):
        async with opened.fetch(uri):
            pass


async def test_a_confluence_that_is_not_there(server: ConfluenceServer, flavour: Flavour) -> None:
    access = ConfluenceAccess("http://127.0.0.1:9", "ada", "secret", flavour)
    with pytest.raises(Unavailable, match="CONFLUENCE_BASE_URL") as raised:
        await listed(ConfluenceSource("confluence://DOCS", access, max_bytes=1000, sleep=at_once))
    assert "secret" not in raised.value.message and "secret" not in repr(access)


@pytest.mark.parametrize(
    "location", ["confluence://", "confluence://A/B", "confluence://A B", "confluence://A\n", "confluence://é"]
)
def test_locations_without_a_space(server: ConfluenceServer, location: str) -> None:
    with pytest.raises(BadRequest):
        source(server, "cloud", location)


@pytest.mark.parametrize(
    "url", ["", "wiki.example.org", "ftp://h", "https://user:pw@h", "https://h/?x=1", "https://[::1"]
)
def test_wrong_addresses_of_confluence(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CONFLUENCE_BASE_URL") as raised:
        ConfluenceSource("confluence://DOCS", ConfluenceAccess(url), max_bytes=1)
    assert "pw" not in raised.value.message


def test_the_flavour_is_told_by_the_address() -> None:
    for url, prefix in [
        ("https://x.atlassian.net", "https://x.atlassian.net/wiki/spaces/~5b:10/pages/"),
        ("https://x.atlassian.net/wiki/", "https://x.atlassian.net/wiki/spaces/~5b:10/pages/"),
        ("https://wiki.example.org/confluence", "https://wiki.example.org/confluence/pages/viewpage.action?spaceKey=~5b%3A10&pageId="),
    ]:  # fmt: skip
        assert ConfluenceSource("confluence://~5b:10", ConfluenceAccess(url), max_bytes=1).prefix == prefix
