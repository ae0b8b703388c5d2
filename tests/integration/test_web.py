"""Web pages as a source, from a real server: every mode, politeness, limits, and what goes wrong."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from anchorage.adapters.sources.confluence.client import ConfluenceAccess
from anchorage.adapters.sources.confluence.source import ConfluenceSource
from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.memory import WebMemory
from anchorage.adapters.sources.web.robots import Robots
from anchorage.adapters.sources.web.source import WebOptions, WebSource
from anchorage.errors import AnchorageError, BadRequest, DocumentRefused, NotFound, TooLarge, Unavailable
from anchorage.model import SourceItem
from anchorage.ports.source import Source
from anchorage.testing.confluence_server import TOKEN, confluence_server
from anchorage.testing.web_site import WebSite, web_site

from .conftest import World


@pytest.fixture
async def site() -> AsyncIterator[WebSite]:
    async with web_site() as running:
        yield running


async def _here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


class Waiting:
    """A sleep that takes no time, and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def client(time: Waiting | None = None, memory: WebMemory | None = None, **limits: Any) -> WebClient:
    time = time or Waiting()
    given = {"max_bytes": 100_000, "pause": 0, "allow_private": True, **limits}
    return WebClient(WebLimits(**given), resolver=_here, sleep=time.sleep, clock=time.clock, memory=memory)


async def read(source: WebSource, uri: str) -> tuple[SourceItem, bytes]:
    async with source.fetch(uri) as item:
        return item, Path(item.path).read_bytes()


async def listed(source: WebSource) -> list[str]:
    return [entry.uri async for entry in source.list()]


async def ingest(source: WebSource) -> dict[str, str]:
    """What becomes of each page, in the order in which ingestion works: list one, fetch it, list the next."""
    found = {}
    async for entry in source.list():
        try:
            item, data = await read(source, entry.uri)
            assert item.uri == entry.uri and item.size == len(data)
            found[entry.uri] = data.decode()
        except AnchorageError as error:
            found[entry.uri] = error.code
    return found


async def test_a_page(site: WebSite) -> None:
    site.add_page("/guide/start.html", "<h1>Hello</h1>", headers={"etag": '"v1"'})
    source = WebSource(f"{site.url}/guide/start.html#part", client())
    (entry,) = [entry async for entry in source.list()]
    assert (entry.uri, entry.tag) == (f"{site.url}/guide/start.html", 'etag:"v1"')
    item, data = await read(source, entry.uri)
    assert data == b"<h1>Hello</h1>" and item.media_type == "text/html" and item.name == "start.webpage"
    assert item.tag == entry.tag and source.prefix is None
    assert not Path(item.path).exists()


async def test_a_page_is_asked_for_once_by_list_and_fetch(site: WebSite) -> None:
    site.add_page("/a", "A")
    source = WebSource(f"{site.url}/a", client())
    assert await ingest(source) == {f"{site.url}/a": "A"}
    assert site.count("/a") == 1 and site.count("/robots.txt") == 1
    assert site.requests[-1].headers["user-agent"] == "Anchorage"
    await read(source, f"{site.url}/a")
    assert site.count("/a") == 2 and site.count("/robots.txt") == 1


async def test_the_canonical_address_counts_where_it_is_of_the_same_site(site: WebSite) -> None:
    site.add_page("/a?utm=1", '<link rel="canonical" href="/a">')
    site.add_page("/b?x=1", '<link rel=canonical href="https://elsewhere.example/b">')
    site.add_page("/c?x=1", '<link rel=canonical href="/">')
    site.add_redirect("/old", "/a?utm=1", 301)
    assert await listed(WebSource(f"{site.url}/a?utm=1", client())) == [f"{site.url}/a"]
    assert await listed(WebSource(f"{site.url}/old", client())) == [f"{site.url}/a"]
    assert await listed(WebSource(f"{site.url}/b?x=1", client())) == [f"{site.url}/b?x=1"]
    assert await listed(WebSource(f"{site.url}/c?x=1", client())) == [f"{site.url}/c?x=1"]


async def test_a_crawl_is_breadth_first_bounded_and_stays_in_its_folder(site: WebSite) -> None:
    site.add_redirect("/docs/", "/docs/en/")
    site.add_page(
        "/docs/en/",
        '<a href="b">b</a><a href="a#x">a</a><a href="/other">o</a><a href="logo.png">l</a><a href="nofile">n</a>',
    )
    site.add_page(
        "/docs/en/a", '<a href="c">c</a><a href="b">b</a><a href="mailto:x@y">m</a><a href="http://[bad">x</a>'
    )
    site.add_page(
        "/docs/en/b", '<base href="/docs/en/deep/"><a href="d">d</a><a href="https://elsewhere.example/docs/en/">e</a>'
    )
    site.add_page("/docs/en/c", '<a href="deeper">c</a>')
    site.add_page("/docs/en/deep/d", "d")
    site.add_page("/docs/en/deeper", "too deep")
    source = WebSource(f"{site.url}/docs/", client(), WebOptions("crawl", depth=2))
    found = await ingest(source)
    assert [uri.removeprefix(f"{site.url}/docs/en/") for uri in found] == ["", "b", "a", "deep/d", "c"]
    assert source.prefix == f"{site.url}/docs/en/"
    assert max(site.count(path) for path in ("/docs/en/a", "/docs/en/b", "/docs/en/c")) == 1
    assert not site.count("/other") and not site.count("/docs/en/logo.png")
    few = WebSource(f"{site.url}/docs/", client(), WebOptions("crawl", pages=2))
    assert len(await listed(few)) == 2
    wide = WebSource(f"{site.url}/docs/", client(), WebOptions("crawl", depth=1, prefix=f"{site.url}/"))
    site.add_page("/other", "outside the folder")
    assert f"{site.url}/other" in await listed(wide)


async def test_a_crawl_tells_of_pages_that_fail(site: WebSite) -> None:
    site.add_page("/", '<a href="/secret">s</a><a href="/private/x">p</a><a href="/ok">o</a><a href="/big">b</a>')
    site.add_page("/robots.txt", "User-agent: *\nDisallow: /private", "text/plain")
    site.add_page("/secret", "sign in", status=401)
    site.add_page("/ok", "fine")
    site.add_endless_page("/big", b"x" * 10_000)
    source = WebSource(f"{site.url}/", client(), WebOptions("crawl"))
    found = await ingest(source)
    assert {uri.removeprefix(site.url): what for uri, what in list(found.items())[1:]} == {
        "/secret": "no_access", "/ok": "fine", "/big": "too_large"
    }  # fmt: skip
    assert not site.count("/private/x") and site.count("/secret") == 1


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (503, Unavailable)])
async def test_a_crawl_whose_start_does_not_answer_is_no_empty_list(
    site: WebSite, status: int, kind: type[Exception]
) -> None:
    site.add_page("/", "down", status=status)
    with pytest.raises(kind):
        await listed(WebSource(f"{site.url}/", client(), WebOptions("crawl")))


def sitemap(*places: tuple[str, str]) -> str:
    rows = "".join(f"<url><loc>{loc}</loc>{f'<lastmod>{mod}</lastmod>' if mod else ''}</url>" for loc, mod in places)
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>'


async def test_a_sitemap_its_index_and_its_dates(site: WebSite) -> None:
    parts = "".join(f"<sitemap><loc>{site.url}/{name}</loc></sitemap>" for name in ("one.xml", "two.xml.gz", "one.xml"))
    site.add_page("/sitemap.xml", f"<sitemapindex>{parts}</sitemapindex>", "text/xml")
    site.add_page("/one.xml", sitemap((f"{site.url}/a?x=1&amp;y=2", "2024-05-01"), ("https://elsewhere.example/", ""),
                                  (f"{site.url}/b", "2999-01-01"), (f"{site.url}/b", "")), "text/xml")  # fmt: skip
    site.add_page("/two.xml.gz", gzip.compress(sitemap((f"{site.url}/c", "2024-05-01T10:00:00+02:00")).encode()), None)
    source = WebSource(f"{site.url}/sitemap.xml", client())
    entries = [entry async for entry in source.list()]
    assert [(entry.uri.removeprefix(site.url), entry.tag) for entry in entries] == [
        ("/a?x=1&y=2", "lastmod:2024-05-01"), ("/b", None), ("/c", "lastmod:2024-05-01T10:00:00+02:00"),
    ]  # fmt: skip
    assert source.prefix == f"{site.url}/"
    site.add_page("/c", "C", headers={"etag": '"other"'})
    item, _ = await read(source, f"{site.url}/c")
    assert item.tag == entries[2].tag  # a fetch tells what the next listing will say


async def test_robots_txt_names_the_sitemap(site: WebSite) -> None:
    site.add_page("/robots.txt", f"Sitemap: {site.url}/deep/map.xml", "text/plain")
    site.add_page("/deep/map.xml", sitemap((f"{site.url}/a", "")), "text/xml")
    assert await listed(WebSource(f"{site.url}/", client(), WebOptions("sitemap"))) == [f"{site.url}/a"]
    site.add_page("/sitemap.txt", f"{site.url}/p\nnonsense\n{site.url}/q\n", "text/plain")
    assert len(await listed(WebSource(f"{site.url}/sitemap.txt", client()))) == 2


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'


@pytest.mark.parametrize(
    ("body", "kind"),
    [(BOMB, DocumentRefused), ("<html>", DocumentRefused), ("<urlset><url>", DocumentRefused), ("<rss></rss>", DocumentRefused),
     (gzip.compress(b"<urlset/>")[:-9], DocumentRefused), (b"\x1f\x8bnonsense", DocumentRefused),
     (gzip.compress(bytes(60 * 1024**2)), TooLarge), (b"\xff\xfe<\0", DocumentRefused)],
)  # fmt: skip
async def test_a_broken_or_hostile_sitemap_ends_with_a_reason(
    site: WebSite, body: str | bytes, kind: type[Exception]
) -> None:
    site.add_page("/sitemap.xml", body, "text/xml")
    with pytest.raises(kind):
        await listed(WebSource(f"{site.url}/sitemap.xml", client()))


async def test_a_sitemap_is_listed_whole_or_not_at_all(site: WebSite) -> None:
    site.add_page("/sitemap.xml", f"<sitemapindex><sitemap><loc>{site.url}/gone.xml</loc></sitemap></sitemapindex>")
    with pytest.raises(NotFound):
        await listed(WebSource(f"{site.url}/sitemap.xml", client()))
    site.add_page("/sitemap.xml", sitemap(*[(f"{site.url}/{n}", "") for n in range(5)]))
    with pytest.raises(TooLarge, match="ANCHORAGE_WEB__MAX_PAGES"):
        await listed(WebSource(f"{site.url}/sitemap.xml", client(max_pages=4)))
    assert len(await listed(WebSource(f"{site.url}/sitemap.xml", client(), WebOptions(pages=2)))) == 2


BOOKMARKS = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE><H1>Bookmarks</H1>
<DL><p>
    <DT><H3 ADD_DATE="1700000000" PERSONAL_TOOLBAR_FOLDER="true">Work</H3>
    <DL><p>
        <DT><H3>Deep &amp; dark</H3>
        <DL><p>
            <DT><A HREF="{url}/a?x=1&amp;y=2" ADD_DATE="1700000000">A  page</A>
        </DL><p>
        <DT><A HREF="javascript:alert(1)">Script</A>
        <DT><A HREF="place:sort=8">Firefox</A>
        <DT><A HREF="file:///etc/passwd">File</A>
    </DL><p>
    <DT><A HREF="{url}/gone">Gone</A>
    <DT><A HREF="{url}/a?x=1&amp;y=2#again">Twice</A>
</DL><p>"""


async def test_bookmarks_of_a_browser(site: WebSite, tmp_path: Path) -> None:
    (tmp_path / "bookmarks.html").write_text(BOOKMARKS.format(url=site.url))
    site.add_page("/a?x=1&y=2", "A")
    source = WebSource(str(tmp_path / "bookmarks.html"), client(), WebOptions("bookmarks"))
    assert source.uri == (tmp_path / "bookmarks.html").as_uri()
    assert await ingest(source) == {f"{site.url}/a?x=1&y=2": "A", f"{site.url}/gone": "not_found"}
    item, _ = await read(source, f"{site.url}/a?x=1&y=2")
    assert item.metadata["bookmark"] == "A page" and item.metadata["bookmark_folder"] == "Work/Deep & dark"
    site.add_page("/exported.html", BOOKMARKS.format(url=site.url))
    assert len(await listed(WebSource(f"{site.url}/exported.html", client(), WebOptions("bookmarks")))) == 2
    with pytest.raises(BadRequest):
        WebSource(str(tmp_path / "none.html"), client(), WebOptions("bookmarks"))


@pytest.mark.parametrize(
    ("body", "status", "allowed"),
    [("User-agent: *\nDisallow: /", 200, False), ("User-agent: *\nDisallow: /\nAllow: /a$", 200, True),
     ("User-agent: anchorage\nDisallow: /a\n\nUser-agent: *\nAllow: /", 200, False),
     ("User-agent: other\nDisallow: /", 200, True), ("gone", 404, True), ("who are you", 403, True), ("\xff\0<html>", 200, True)],
)  # fmt: skip
async def test_robots_txt(site: WebSite, body: str, status: int, allowed: bool) -> None:
    site.add_page("/robots.txt", body, "text/plain", status=status)
    site.add_page("/a", "A")
    found = await ingest(WebSource(f"{site.url}/a", client()))
    assert found == {f"{site.url}/a": "A" if allowed else "robots"}
    assert site.count("/a") == (1 if allowed else 0)


async def test_a_robots_txt_that_does_not_answer_forbids_for_now(site: WebSite) -> None:
    site.add_page("/robots.txt", "", status=500)
    site.add_page("/a", "A")
    with pytest.raises(Unavailable, match=r"robots\.txt"):
        await read(WebSource(f"{site.url}/a", client()), f"{site.url}/a")
    assert not site.count("/a")


async def test_an_endless_robots_txt_is_read_to_its_limit(site: WebSite) -> None:
    site.add_endless_page("/robots.txt", b"User-agent: *\nDisallow: /secret\n" * 100)
    site.add_page("/a", "A")
    source = WebSource(f"{site.url}/a", client())
    assert (await read(source, f"{site.url}/a"))[1] == b"A"
    with pytest.raises(DocumentRefused):
        await read(source, f"{site.url}/secret")
    assert site.sent < 20 * 1024**2


async def test_a_redirect_to_where_robots_may_not_go_is_not_followed(site: WebSite) -> None:
    site.add_page("/robots.txt", "User-agent: *\nDisallow: /secret", "text/plain")
    site.add_redirect("/a", "/secret")
    with pytest.raises(DocumentRefused) as raised:
        await read(WebSource(f"{site.url}/a", client()), f"{site.url}/a")
    assert raised.value.code == "robots" and not site.count("/secret")


async def test_requests_to_a_host_keep_their_distance(site: WebSite) -> None:
    for name in "abc":
        site.add_page(f"/{name}", name)
    time = Waiting()
    source = WebSource(f"{site.url}/a", client(time, pause=2))
    for name in "abc":
        await read(source, f"{site.url}/{name}")
    assert time.waits == [2, 2, 2]  # after robots.txt, a and b
    site.add_page("/robots.txt", "User-agent: *\nCrawl-delay: 7", "text/plain")
    time = Waiting()
    source = WebSource(f"{site.url}/a", client(time, pause=0, max_wait=5))
    for name in "abc":
        await read(source, f"{site.url}/{name}")
    assert time.waits == [5, 5]  # no longer than we are willing to


async def test_sources_of_one_host_share_its_pause_and_its_rules(site: WebSite) -> None:
    for name in "abc":
        site.add_page(f"/{name}", name)
    time, memory = Waiting(), WebMemory()
    for name in "abc":
        await read(WebSource(f"{site.url}/{name}", client(time, memory, pause=2)), f"{site.url}/{name}")
    assert time.waits == [2, 2, 2] and site.count("/robots.txt") == 1


async def test_an_unchanged_page_is_not_sent_again(site: WebSite) -> None:
    marks: dict[str, dict[str, str]] = {
        "/docs/": {"etag": '"one"'},
        "/docs/a": {"last-modified": "Wed, 21 Oct 2015 07:28:00 GMT"},
        "/docs/b": {"etag": 'W/"weak"'},  # no mark that can be trusted: always read
    }
    bodies = {"/docs/": '<a href="a">a</a><a href="b">b</a>' + "x" * 5_000, "/docs/a": "A" * 5_000, "/docs/b": "B"}
    for path, body in bodies.items():
        site.add_page(path, body, headers=marks[path])
    memory = WebMemory()

    def again() -> WebSource:
        return WebSource(f"{site.url}/docs/", client(memory=memory), WebOptions("crawl"))

    first = [entry async for entry in again().list()]
    site.answer_unchanged("/docs/", '"one"')
    site.answer_unchanged("/docs/a", "Wed, 21 Oct 2015 07:28:00 GMT")
    sent = site.sent
    source = again()
    assert [entry async for entry in source.list()] == first and site.sent == sent + 1
    assert site.count("/docs/b") == 2 and len(first) == 3 and first[2].tag is None
    assert (await read(source, first[1].uri))[1] == b"A" * 5_000  # whoever lacks it gets it whole
    site.add_page("/docs/", '<a href="a">a</a>', headers={"etag": '"two"'})
    assert [entry.tag for entry in [entry async for entry in again().list()]] == ['etag:"two"', first[1].tag]


async def test_a_page_that_forgot_its_mark_is_read_again(site: WebSite) -> None:
    site.add_page("/a", "A", headers={"etag": '"one"'})
    memory = WebMemory()
    source = WebSource(f"{site.url}/a", client(memory=memory))
    await ingest(source)
    site.add_page("/a", "B")
    assert await ingest(source) == {f"{site.url}/a": "B"}
    assert "if-none-match" in site.requests[-1].headers
    await ingest(source)
    assert "if-none-match" not in site.requests[-1].headers


async def test_a_page_that_is_forgotten_while_it_is_asked_for_is_no_empty_one(site: WebSite) -> None:
    class Forgetful(WebMemory):
        def turn(self, place: str, now: float, pause: float) -> float:
            for url in list(self._pages):  # as when many others are read at the same time
                self.forget(url)
            return super().turn(place, now, pause)

    site.add_page("/docs/", '<a href="a">a</a>', headers={"etag": '"one"'})
    site.add_page("/docs/a", "A", headers={"etag": '"two"'})
    memory = Forgetful()

    async def crawled() -> tuple[list[str], str]:
        source = WebSource(f"{site.url}/docs/", client(memory=memory), WebOptions("crawl"))
        uris = await listed(source)
        return uris, (await read(source, uris[-1]))[1].decode()

    before = await crawled()
    memory.keep_page(
        f"{site.url}/docs/", {"if-none-match": '"one"'}, 'etag:"one"', "text/html", None, [f"{site.url}/docs/a"]
    )
    site.answer_unchanged("/docs/", '"one"')
    assert await crawled() == before and len(before[0]) == 2


def test_the_memory_of_the_web_is_bounded() -> None:
    memory = WebMemory(pages_bytes=100_000)
    links = [f"https://example.org/{number}" for number in range(50)]
    for number in range(1_500):
        memory.keep_page(f"https://example.org/{number}", {"if-none-match": '"1"'}, "etag:1", None, None, links)
        memory.reserve_turn(f"https://{number}.example.org", number, 0.5)
    assert memory.find_page("https://example.org/0") is None
    known = memory.find_page("https://example.org/1499")
    assert known and known.links == links
    for number in range(2_500):
        memory.reserve_turn(f"https://{number}.example.org", 10_000 + number, 0.5)
        memory.keep_robots(f"https://{number}.example.org", number, Robots.allow_all())
    assert len(memory._next_turn) <= 2_000 and len(memory.robots) == 2_000


async def test_a_busy_server_is_waited_for_within_bounds(site: WebSite) -> None:
    site.add_page("/a", "busy", status=429, headers={"retry-after": "7"}, once=True)
    site.add_page("/a", "busy", status=503, once=True)
    site.add_page("/a", "A")
    time = Waiting()
    assert (await read(WebSource(f"{site.url}/a", client(time)), f"{site.url}/a"))[1] == b"A"
    assert time.waits == [7, 2]
    site.add_page("/b", "busy", status=429, headers={"retry-after": "3600"})
    with pytest.raises(Unavailable, match="3600 s"):
        await read(WebSource(f"{site.url}/b", client()), f"{site.url}/b")
    assert site.count("/b") == 1
    site.add_page("/c", "broken", status=500, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})
    with pytest.raises(Unavailable, match="HTTP 500"):
        await read(WebSource(f"{site.url}/c", client()), f"{site.url}/c")
    assert site.count("/c") == 3


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(404, NotFound, "not_found"), (410, NotFound, "not_found"), (401, DocumentRefused, "no_access"),
     (403, DocumentRefused, "no_access"), (418, DocumentRefused, "refused"), (204, DocumentRefused, "refused"),
     (304, DocumentRefused, "refused"), (501, Unavailable, "unavailable")],
)  # fmt: skip
async def test_what_a_status_means(site: WebSite, status: int, kind: type[AnchorageError], code: str) -> None:
    site.add_page("/a", b"", status=status)
    with pytest.raises(kind) as raised:
        await read(WebSource(f"{site.url}/a", client()), f"{site.url}/a")
    assert raised.value.code == code and f"{site.url}/a" in raised.value.message


async def test_redirects_are_followed_within_bounds(site: WebSite) -> None:
    for number in range(5):
        site.add_redirect(f"/{number}", f"/{number + 1}", (301, 302, 303, 307, 308)[number])
    site.add_page("/5", "there")
    item, data = await read(WebSource(f"{site.url}/0", client()), f"{site.url}/0")
    assert data == b"there" and item.metadata["url"] == f"{site.url}/5" and item.uri == f"{site.url}/0"
    with pytest.raises(DocumentRefused, match="more than 3 times"):
        await read(WebSource(f"{site.url}/0", client(max_redirects=3)), f"{site.url}/0")


@pytest.mark.parametrize("target", ["/loop", "/loop2", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://[::1", "http://u:p@h/",
                                    "javascript:alert(1)", "gopher://127.0.0.1:25/_HELO"])  # fmt: skip
async def test_redirects_that_lead_nowhere(site: WebSite, target: str) -> None:
    site.add_redirect("/loop", target)
    site.add_redirect("/loop2", "/loop")
    with pytest.raises(DocumentRefused) as raised:
        await read(WebSource(f"{site.url}/loop", client()), f"{site.url}/loop")
    assert raised.value.code == "redirects"


async def test_a_page_of_a_gigabyte_is_refused_early(site: WebSite) -> None:
    site.add_endless_page("/endless", bytes(65536))
    site.add_page("/told", b"x", headers={"content-length": str(10**9)}, cut=True)
    for path in ("/endless", "/told"):
        with pytest.raises(TooLarge, match="ANCHORAGE_INGEST__MAX_FILE_BYTES"):
            await read(WebSource(site.url + path, client()), site.url + path)
    assert site.sent < 20 * 1024**2


async def test_packed_pages_are_unpacked_within_the_limit(site: WebSite) -> None:
    packed = {"content-encoding": "gzip"}
    site.add_page("/good", gzip.compress(b"<p>Good</p>" * 1000), headers=packed)
    site.add_page("/bomb", gzip.compress(bytes(50 * 1024**2)), headers=packed)
    site.add_page("/cut", gzip.compress(b"good" * 1000)[:-10], headers=packed)
    site.add_page("/bad", b"not packed at all", headers=packed)
    site.add_page("/odd", b"zstd", headers={"content-encoding": "zstd"})
    source = WebSource(site.url, client())
    assert (await read(source, f"{site.url}/good"))[1] == b"<p>Good</p>" * 1000
    assert site.requests[-1].headers["accept-encoding"] == "gzip"
    for path, kind in [("/bomb", TooLarge), ("/cut", Unavailable), ("/bad", Unavailable), ("/odd", DocumentRefused)]:
        with pytest.raises(kind):
            await read(source, site.url + path)


async def test_a_dripping_page_ends_at_its_deadline(site: WebSite) -> None:
    site.add_endless_page("/drip", b"x", pause=0.01)
    real = WebClient(WebLimits(10**6, pause=0, allow_private=True, page_timeout=0.3), resolver=_here)
    with pytest.raises(Unavailable, match="ANCHORAGE_WEB__PAGE_TIMEOUT"):
        await read(WebSource(f"{site.url}/drip", real), f"{site.url}/drip")


async def test_answers_that_break_off_or_are_no_http(site: WebSite) -> None:
    site.add_page("/cut", "half", cut=True)

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    for handler in (nonsense, rude):
        async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(Unavailable):
                await read(WebSource(url, client()), url)
    with pytest.raises(Unavailable):  # nobody listens there any more
        await read(WebSource(url, client()), url)
    with pytest.raises(Unavailable):
        await read(WebSource(f"{site.url}/cut", client()), f"{site.url}/cut")


async def test_an_encoding_that_only_the_header_tells(site: WebSite) -> None:
    text = "<p>Zażółć gęślą jaźń</p>"
    site.add_page("/pl", text.encode("iso-8859-2"), "text/html; charset=ISO-8859-2")
    site.add_page("/wrong", "<p>caf\u00e9</p>".encode("latin-1"), "text/html; charset=no-such-thing")
    site.add_page("/lie", b"\xff\xfe\xfd", "text/html; charset=utf-8")
    source = WebSource(site.url, client())
    assert (await read(source, f"{site.url}/pl"))[1].decode("utf-8-sig") == text
    for path, raw in [("/wrong", b"<p>caf\xe9</p>"), ("/lie", b"\xff\xfe\xfd")]:
        assert (await read(source, site.url + path))[1] == raw


async def test_names_and_kinds(site: WebSite) -> None:
    source = WebSource(site.url, client())
    for path, media_type, name in [
        ("/a.pdf", "application/pdf", "a.pdf"), ("/get?id=7", "application/pdf", "get-53ef5c2f.pdf"), ("/x.php", "text/html", "x.webpage"),
        ("/notes", "text/plain", "notes.txt"), ("/a.md", "text/plain", "a.md"), ("/", "text/html", "127.0.0.1.webpage"),
        ("/new%0Aline%FF%E2%80%AE", "text/html", "new line"), ("/" + "x" * 300, "text/html", "x" * 100 + ".webpage"),
        ("/..%2F..%2Fetc%2Fpasswd", "text/html", "passwd.webpage"), ("/untold", None, "untold.webpage"),
    ]:  # fmt: skip
        site.add_page(path, "<!doctype html><p>text", media_type)
        item, _ = await read(source, site.url + path)
        assert (
            item.name.startswith(name[:4])
            and "\n" not in item.name
            and "/" not in item.name
            and "\u202e" not in item.name
        )
        if "%" not in path and "?" not in path:
            assert item.name == name
    site.add_page("/film", b"", "video/mp4")
    with pytest.raises(DocumentRefused) as raised:
        await read(source, f"{site.url}/film")
    assert raised.value.code == "unsupported_format"


@pytest.mark.parametrize(
    "location",
    ["http://", "http:///x", "ftp://example.org/", "http://user:pass@example.org/", "http://[::1/", "http://exa mple.org/", "http://0177.0.0.1/",
     "http://example.org:99999/", "http://" + "a" * 3000 + "/", "http://example.org/\ud800", "", "example.org", "http://a\\@b/"],
)  # fmt: skip
def test_locations_that_are_no_page(location: str) -> None:
    with pytest.raises(BadRequest) as raised:
        WebSource(location, client())
    assert "user:pass" not in raised.value.message


@pytest.mark.parametrize(
    ("location", "normal"),
    [("HTTP://Example.ORG:80/a/../b%7Ec?q#f", "http://example.org/b~c?q"), ("https://example.org:443", "https://example.org/"),
     ("https://example.org./", "https://example.org/"), ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
     ("https://example.org/a\nb", "https://example.org/ab"), ("http://example.org:8080/%e2", "http://example.org:8080/%E2")],
)  # fmt: skip
def test_one_spelling_of_an_address(location: str, normal: str) -> None:
    assert WebSource(location, client()).uri == normal


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "all"},
        {"depth": -1},
        {"pages": 0},
        {"speed": 1},
        {"depth": "2"},
        {"pages": True},
        {"prefix": 7},
        {"mode": []},
    ],
)
def test_wrong_options(values: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        WebOptions.of(values)
    assert WebOptions.of({"mode": "crawl", "depth": 3, "pages": None}) == WebOptions("crawl", 3)


async def statuses(world: World, source: Source) -> dict[str, str]:
    """What an ingest makes of each document, by the end of its address."""
    found = world.ingester.ingest_source("c", source)
    return {outcome.uri.rsplit("/", 1)[-1]: outcome.status.value async for outcome in found}


async def test_a_crawl_reaches_the_index_and_follows_the_site(world: World, site: WebSite) -> None:
    site.add_page("/docs/", '<h1>Ports</h1><a href="a">a</a><a href="b">b</a>')
    site.add_page("/docs/a", "<p>The harbour of Ghent opened in 1827.</p>")
    site.add_page("/docs/b", "<p>Bread is made of flour.</p>")
    options = WebOptions("crawl")

    async def again() -> dict[str, str]:
        return await statuses(world, WebSource(f"{site.url}/docs/", client(), options))

    assert await again() == {"": "indexed", "a": "indexed", "b": "indexed"}
    assert max(site.count(path) for path in ("/docs/", "/docs/a", "/docs/b")) == 1
    assert await again() == {"": "unchanged", "a": "unchanged", "b": "unchanged"}
    site.add_page("/docs/", '<h1>Ports</h1><a href="a">a</a>')  # b is linked no more, but there
    site.add_page("/docs/a", "<p>The harbour of Antwerp opened in 1811.</p>")
    assert await again() == {"": "indexed", "a": "indexed"}
    site.add_page("/docs/b", "gone", status=404)
    site.add_page("/docs/a", "down", status=500)
    assert await again() == {"": "unchanged", "a": "failed", "b": "deleted"}


async def test_a_confluence_space_reaches_the_index(world: World) -> None:
    async with confluence_server() as server:
        pages = [server.add("DOCS", f"Page {number}", f"<p>Harbour {number}</p>") for number in range(3)]

        async def again() -> list[str]:
            access = ConfluenceAccess(server.url, "ada@example.org", TOKEN, "cloud")
            source = ConfluenceSource("confluence://DOCS", access, max_bytes=10_000)
            return list((await statuses(world, source)).values())

        assert await again() == ["indexed"] * 3
        pages[1].status = "trashed"
        assert await again() == ["unchanged", "unchanged", "deleted"]
