"""Registered web pages: what a failing site does not name is not gone for that."""

from collections.abc import Sequence

import pytest

from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.source import WebOptions, WebSource
from anchorage.ingest.sync import sync_job
from anchorage.ports.source import Source
from anchorage.testing.web_site import WebSite, web_site

from .conftest import Office

PAGE = "<html><body><main><h1>{0}</h1><p>The quay of {0} is long and old, say the builders of {0}.</p>{1}</main></body></html>"
LIMITS = WebLimits(max_bytes=100_000, pause=0, allow_private=True, retries=0)


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def at_once(_: float) -> None: ...


def source_of(site: WebSite, path: str, mode: str) -> Source:
    return WebSource(f"{site.url}{path}", WebClient(LIMITS, resolver=here, sleep=at_once), WebOptions(mode))  # type: ignore[arg-type]


def town(site: WebSite) -> None:
    """Six pages that only the hub names."""
    site.add_page("/", PAGE.format("Home", "<a href=/hub>hub</a>"))
    site.add_page("/hub", PAGE.format("Hub", " ".join(f"<a href=/p{number}>p</a>" for number in range(6))))
    for number in range(6):
        site.add_page(f"/p{number}", PAGE.format(f"Town{number}", ""))


async def synced(office: Office, *, confirmed: bool = False) -> tuple[str, int | None]:
    """How one sync ended, whatever becomes of the documents that it queues."""
    (source,) = await office.registry.sources(office.world.principal)
    (job,) = await office.queue.add(office.world.principal, [sync_job(source, confirmed=confirmed)])
    await office.until_done(job)
    found = await office.registry.source(office.world.principal, source.id)
    return found.status, found.report.get("deleted")


@pytest.mark.parametrize("trouble", ["busy", "robots", "hub without links"])
async def test_pages_that_a_crawl_does_not_reach_stay_while_they_are_there(office: Office, trouble: str) -> None:
    async with web_site() as site:
        town(site)
        office.wrap = lambda _: source_of(site, "/", "crawl")
        await office.register()
        async with office.working():
            assert await synced(office) == ("synced", 0)
            await office.idle()
            assert len(await office.uris()) == 8
            if trouble == "busy":
                site.add_page("/hub", "busy", status=503)
            elif trouble == "robots":
                site.add_page("/robots.txt", "User-agent: *\nDisallow: /hub\n", "text/plain")
            else:
                site.add_page("/hub", PAGE.format("Hub", ""))
            site.add_page("/p0", "gone", status=410)
            site.add_redirect("/p1", "/", 301)
            assert await synced(office) == ("synced", 2)
            held = {document.uri.removeprefix(site.url) for document in await office.documents()}
    assert held == {"/", "/hub", "/p2", "/p3", "/p4", "/p5"}


async def test_a_page_that_fails_at_its_own_address_stays_under_the_one_it_is_known_by(office: Office) -> None:
    async with web_site() as site:
        site.add_redirect("/guide", "/guide/", 301)
        site.add_page("/guide/", PAGE.format("Ghent", ""))
        office.wrap = lambda _: source_of(site, "/guide", "page")
        await office.register()
        async with office.working():
            assert await synced(office) == ("synced", 0)
            await office.idle()
            for path in ("/guide", "/guide/"):
                site.add_page(path, "busy", status=500)
            assert await synced(office) == ("synced", 0)
            assert f"{site.url}/guide/" in {document.uri for document in await office.documents() if document.version}
            site.add_redirect("/guide", "/guide/", 301)
            site.add_page("/guide/", PAGE.format("Ghent", ""))
            await office.idle()  # what failed was tried again, and leads there
            await synced(office)
            assert [document.uri for document in await office.documents()] == [f"{site.url}/guide/"]
