"""What sources hold that nobody would wish for: links in circles, odd names, files from the future, servers that drip."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from anchorage.adapters.sources.confluence.client import ConfluenceAccess
from anchorage.adapters.sources.confluence.source import ConfluenceSource
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.source import WebSource
from anchorage.errors import Unavailable
from anchorage.model import Outcome
from anchorage.testing.confluence_server import TOKEN, confluence_server
from anchorage.testing.web_site import web_site
from support.asking import retrieve

from .conftest import World


async def ingest(world: World, folder: Path) -> dict[str, Outcome]:
    found = world.ingester.ingest_source("c", LocalSource(folder, max_bytes=10**6))
    return {outcome.uri.rsplit("/", 1)[-1]: outcome async for outcome in found}


async def test_links_in_circles_end_with_a_reason(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("The harbour of Ghent.")
    (folder / "deep" / "up").symlink_to(folder)  # a folder within itself
    (folder / "itself.txt").symlink_to(folder / "itself.txt")
    (folder / "one.txt").symlink_to(folder / "other.txt")
    (folder / "other.txt").symlink_to(folder / "one.txt")
    found = await ingest(world, folder)
    assert sorted(found) == ["a.txt", "itself.txt", "one.txt", "other.txt"]
    assert found["a.txt"].status.value == "indexed"
    for name in ("itself.txt", "one.txt", "other.txt"):
        failure = found[name].error
        assert failure and failure.code == "unreadable" and "symbolic links" in failure.message


async def test_names_with_newlines_and_bad_unicode_reach_answers(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    names = [b"new\nline\r.txt", b"tab\t\x1b[31m.txt", b"\xff\xfe bytes.txt", "\u202egnp.txt".encode(), b"%00%0a.txt"]
    for number, name in enumerate(names):
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_text(f"Harbour number {number} has a crane.")
    assert Counter(outcome.status.value for outcome in (await ingest(world, folder)).values()) == {"indexed": 5}
    ranking, _ = await retrieve(world.chat, world.principal, "harbour crane", ["c"])
    assert len({hit.uri for hit in ranking.hits}) == 5
    assert not any(ord(char) < 32 or ord(char) > 126 for hit in ranking.hits for char in hit.uri)
    assert Counter(outcome.status.value for outcome in (await ingest(world, folder)).values()) == {"unchanged": 5}


async def test_files_from_the_future_are_read_until_it_has_come(world: World, tmp_path: Path) -> None:
    """A clock that is ahead must not hide a change: the times of such a file say nothing."""
    folder = tmp_path / "docs"
    folder.mkdir()
    path = folder / "a.txt"
    then = time.time() + 365 * 86_400

    async def written(text: str) -> str:
        path.write_text(text)
        os.utime(path, (then, then))
        (outcome,) = (await ingest(world, folder)).values()
        return outcome.status.value

    assert [await written("Old text."), await written("Old text."), await written("New text.")] == [
        "indexed", "unchanged", "indexed",
    ]  # fmt: skip
    (entry,) = [entry async for entry in LocalSource(folder, max_bytes=10**6).list()]
    assert entry.tag is None
    os.utime(path, (0, 0))  # and one from long ago is no older than its change
    assert [entry.tag async for entry in LocalSource(folder, max_bytes=10**6).list()] == [None]


async def test_a_page_that_was_changed_in_the_future_is_always_read() -> None:
    async with web_site() as site:
        site.add_page("/a", "A", headers={"last-modified": "Fri, 01 Jan 2999 00:00:00 GMT"})
        source = WebSource(f"{site.url}/a", WebClient(WebLimits(1000, pause=0, allow_private=True)))
        assert [entry.tag async for entry in source.list()] == [None]
        source.close()


async def test_a_confluence_that_drips_ends_at_its_deadline() -> None:
    async with web_site() as site, confluence_server() as real:
        page = real.add("DOCS", "Page", "<p>Text</p>")
        real.attach(page, "plan.txt", b"x" * 1000, "text/plain").elsewhere = f"{site.url}/drip"
        for path in ("/wiki/api/v2/spaces?keys=DOCS", "/drip"):
            site.add_endless_page(path, b" ", pause=0.01, headers={"content-type": "application/json"})
        for url in (site.url, real.url):
            access = ConfluenceAccess(url, "ada@example.org", TOKEN, "cloud", timeout=20, download_timeout=0.5)
            if url == site.url:
                access = ConfluenceAccess(url, "ada@example.org", TOKEN, "cloud", timeout=0.5)
            source = ConfluenceSource("confluence://DOCS", access, max_bytes=10**6)
            with pytest.raises(Unavailable, match="_TIMEOUT"):
                async for entry in source.list():
                    async with source.fetch(entry.uri):
                        pass
