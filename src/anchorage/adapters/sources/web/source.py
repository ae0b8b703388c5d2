"""Web pages as a source: one page, a sitemap, a bounded crawl, or the bookmarks that a browser exported."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import httpx
import structlog

from anchorage.adapters.sources.bodies import read_bytes
from anchorage.adapters.sources.names import fit_text
from anchorage.adapters.sources.web.client import WebClient
from anchorage.adapters.sources.web.markup import (
    Bookmark,
    Sitemap,
    decode_markup,
    parse_sitemap,
    read_bookmarks,
    unpack_sitemap,
)
from anchorage.adapters.sources.web.page import HeldPages, WebPage, download_page, tag_of_lastmod
from anchorage.adapters.sources.web.urls import folder_of, is_same_site, normalize_url, origin_of, resolve_link
from anchorage.errors import AnchorageError, BadRequest, NotFound, TooLarge, Unavailable
from anchorage.model import SourceEntry, SourceItem

Mode = Literal["auto", "page", "sitemap", "crawl", "bookmarks"]

_log = structlog.get_logger(__name__)
_SITEMAP = re.compile(r"\.xml(\.gz)?$|sitemap[^/]*\.txt$", re.IGNORECASE)
_LIST_BYTES = 50 * 1024**2  # sitemaps.org: the largest sitemap; bookmarks are far smaller
_SITEMAPS = 1_000  # files of one index
_CRAWLED = 500  # pages, where nothing else is said
_NO_TEXT = ("image/", "text/css", "text/javascript", "application/javascript", "application/json")
_NO_PAGES = re.compile(
    r"\.(css|js|mjs|json|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|mp[34]|webm|ogg|zip|gz|tgz|xz|dmg|exe|iso|rss|atom)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How a location is read. `depth` (links from the start) and `prefix` rule a crawl, `pages` a crawl or a sitemap.

    `auto` is a sitemap where the address ends like one, else a page. Without `prefix`, a crawl stays in the start's folder.
    """

    mode: Mode = "auto"
    depth: int = 2
    pages: int | None = None
    prefix: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise BadRequest(f"Web pages cannot be read as {self.mode!r}. Choose one of {', '.join(get_args(Mode))}.")
        if not 0 <= self.depth <= 50 or (self.pages is not None and self.pages < 1):
            raise BadRequest("A crawl has a depth from 0 to 50 and at least one page.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> WebOptions:
        """From a JSON object. Raises `BadRequest`."""
        known = {field.name: field for field in fields(cls)}
        numbers = [values[name] for name in ("depth", "pages") if values.get(name) is not None]
        texts = [values[name] for name in ("mode", "prefix") if values.get(name) is not None]
        fit = all(type(number) is int for number in numbers) and all(isinstance(text, str) for text in texts)
        if not set(values) <= set(known) or not fit:
            raise BadRequest(f"Options of web pages are {', '.join(known)}; depth and pages are whole numbers.")
        return cls(**values)


class WebSource:
    """Implements the `Source` port. `fetch` takes over what `list` has just downloaded, so a page is asked for once."""

    def __init__(self, location: str, client: WebClient, options: WebOptions | None = None) -> None:
        """Raises `BadRequest` for a location that is no address, or no file of bookmarks."""
        options = options or WebOptions()
        self._file: Path | None = None
        if options.mode == "bookmarks" and not location.startswith(("http://", "https://")):
            self._file = Path(location.removeprefix("file://")).expanduser().absolute()
            if not self._file.is_file():
                raise BadRequest(f"{self._file} is not there, or no file. Check its spelling.")
            self._url = self._file.as_uri()
        else:
            self._url = normalize_url(location)
        self._mode = options.mode
        if self._mode == "auto":
            self._mode = "sitemap" if _SITEMAP.search(self._url.partition("?")[0]) else "page"
        self._options = options
        self._scope = normalize_url(options.prefix) if options.prefix else folder_of(self._url)
        self._client = client
        self._held = HeldPages()
        self._whole = True  # of the last list of bookmarks: no page failed
        self._tags: dict[str, str | None] = {}
        self._bookmarks: dict[str, Bookmark] = {}

    @property
    def uri(self) -> str:
        return self._url

    @property
    def prefix(self) -> str | None:
        """The folder of a crawl or a sitemap (which vouches for what lies below it). What is unlisted there may still live."""
        if self._mode == "crawl":
            return self._scope
        return folder_of(self._url) if self._mode == "sitemap" else None

    @property
    def lists_all(self) -> bool:
        """Of bookmarks only, where each page said which one it is: else what a page is known as, or leads to, is not listed either."""
        return self._mode == "bookmarks" and self._whole

    async def list(self) -> AsyncIterator[SourceEntry]:
        """Pages under their canonical addresses. Raises as the port says."""
        modes = {
            "page": self._list_page,
            "sitemap": self._list_sitemap,
            "crawl": self._list_crawled,
            "bookmarks": self._list_bookmarked,
        }
        listed: set[str] = set()
        self._whole = True
        self.close()
        async with self._client.session():
            async for entry in modes[self._mode]():
                if entry.uri not in listed:
                    listed.add(entry.uri)
                    yield entry

    def close(self) -> None:
        """Let go of the pages that a listing has downloaded and nobody fetched. The source can be used again."""
        self._held.clear()

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        page = self._held.take(uri) or await download_page(self._client, normalize_url(uri))
        bookmark = self._bookmarks.get(uri)
        details = {
            "url": page.url,
            "canonical_url": page.canonical,
            "last_modified": fit_text(page.last_modified or ""),
            "bookmark": fit_text(bookmark.title) if bookmark else None,
            "bookmark_folder": fit_text("/".join(bookmark.folder)) if bookmark else None,
        }
        metadata = {name: value for name, value in details.items() if value}
        try:
            yield SourceItem(
                uri, page.name, str(page.path), page.size, media_type=page.media_type,
                tag=self._tags.get(uri, page.tag), metadata=metadata,
            )  # fmt: skip
        finally:
            page.close()

    async def _list_page(self) -> AsyncIterator[SourceEntry]:
        yield await self._download_entry(self._url)

    async def _download_entry(self, url: str) -> SourceEntry:
        """Download a page and keep it, or the reason why there is none, for its fetch."""
        try:
            page = await download_page(self._client, url, if_changed=True)
        except AnchorageError as error:
            self._held.put(url, error)
            self._whole = self._whole and isinstance(error, NotFound)
            return SourceEntry(url, missing=isinstance(error, NotFound))
        return self._hold(page, page.canonical or page.url)

    def _hold(self, page: WebPage, uri: str) -> SourceEntry:
        if not page.unchanged:
            self._held.put(uri, page)
        return SourceEntry(uri, page.tag)

    async def _list_bookmarked(self) -> AsyncIterator[SourceEntry]:
        if self._file:
            data = await asyncio.to_thread(_read_list, self._file)
        else:
            data = await self._download_list(self._url)
        listed: set[str] = set()
        for bookmark in await asyncio.to_thread(lambda: read_bookmarks(decode_markup(data))):
            url = resolve_link("about:blank", bookmark.url)  # only whole addresses; `javascript:` and the like are none
            if url and url not in listed:
                listed.add(url)
                entry = await self._download_entry(url)
                self._bookmarks[entry.uri] = bookmark
                yield entry

    async def _download_list(self, url: str) -> bytes:
        """A sitemap or a list of bookmarks. Raises `NotFound`, `Unavailable`, `DocumentRefused` and `TooLarge`."""

        async def read(response: httpx.Response, final: str) -> bytes:
            limit = min(_LIST_BYTES, self._client.limits.max_bytes)
            return await read_bytes(response, final, limit, "at most 50 MB, and ANCHORAGE_INGEST__MAX_FILE_BYTES")

        return await self._client.get(url, read)

    async def _list_sitemap(self) -> AsyncIterator[SourceEntry]:
        seen: set[str] = set()
        async for place, link, lastmod in self._read_sitemaps():
            url = resolve_link(place, link)
            if url is None or not is_same_site(url, self._url):
                _log.info("sitemap_entry_skipped", sitemap=place, entry=fit_text(link), reason="not of this site")
                continue
            if url in seen:
                continue
            if self._options.pages is not None and len(seen) >= self._options.pages:
                return
            if len(seen) >= self._client.limits.max_pages:
                raise TooLarge(
                    f"{self._url} names more than {self._client.limits.max_pages} pages (ANCHORAGE_WEB__MAX_PAGES). Name a smaller "
                    "sitemap, or raise the limit."
                )
            seen.add(url)
            self._tags[url] = tag_of_lastmod(lastmod, datetime.now(UTC))
            yield SourceEntry(url, self._tags[url])

    async def _read_sitemaps(self) -> AsyncIterator[tuple[str, str, str | None]]:
        """(sitemap, page, lastmod) of all sitemaps that an index names, and of those that these name."""
        waiting = deque(await self._find_sitemaps())
        visited = set(waiting)
        while waiting:
            place = waiting.popleft()
            found = await asyncio.to_thread(_unpack_and_parse, await self._download_list(place), place)
            for link, lastmod in found.entries:
                if not found.is_index:
                    yield place, link, lastmod
                elif (url := resolve_link(place, link)) and is_same_site(url, self._url) and url not in visited:
                    if len(visited) >= _SITEMAPS:
                        raise TooLarge(
                            f"{self._url} names more than {_SITEMAPS} sitemaps. Name the ones that you want."
                        )
                    visited.add(url)
                    waiting.append(url)

    async def _find_sitemaps(self) -> Sequence[str]:
        """The sitemap that was named, else those that robots.txt names, else the usual place."""
        if _SITEMAP.search(self._url.partition("?")[0]):
            return [self._url]
        named = [resolve_link(self._url, link) for link in (await self._client.robots(self._url)).sitemaps]
        return [link for link in dict.fromkeys(named) if link] or [f"{origin_of(self._url)}/sitemap.xml"]

    async def _list_crawled(self) -> AsyncIterator[SourceEntry]:
        """Breadth first. What robots.txt forbids and what is gone is passed over; of other failures the fetch tells."""
        waiting: deque[tuple[str, int]] = deque([(self._url, 0)])
        seen, asked = {self._url}, 0
        while waiting and asked < (self._options.pages or _CRAWLED):
            url, depth = waiting.popleft()
            asked += 1
            try:
                page = await download_page(self._client, url, if_changed=True)
            except AnchorageError as error:
                if (entry := self._entry_of_failed(url, error)) is not None:
                    yield entry
                continue
            links = page.links if depth < self._options.depth else []
            if url == self._url and not self._options.prefix and is_same_site(page.url, url):
                self._scope = folder_of(page.url)  # sites send their front door elsewhere: to https, to a language
            if self._in_scope(page.url) and (page.is_html or not (page.media_type or "").startswith(_NO_TEXT)):
                named = page.canonical if page.canonical and self._in_scope(page.canonical) else page.url
                seen |= {named, page.url}
                yield self._hold(page, named)
            else:
                page.close()
                links = links if url == self._url else []
            for link in links:
                if link not in seen and self._in_scope(link) and not _NO_PAGES.search(link.partition("?")[0]):
                    seen.add(link)
                    waiting.append((link, depth + 1))

    def _entry_of_failed(self, url: str, error: AnchorageError) -> SourceEntry | None:
        """The entry of a page that a crawl could not download. Raises where it is the start that does not answer."""
        if url == self._url and isinstance(error, NotFound | Unavailable):
            raise error
        if url != self._url and (isinstance(error, NotFound) or getattr(error, "code", "") == "robots"):
            _log.info("page_skipped", url=url, reason=error.message)
            return None
        self._held.put(url, error)
        return SourceEntry(url)

    def _in_scope(self, url: str) -> bool:
        return url.startswith(self._scope)


def _read_list(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LIST_BYTES)
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}.") from error


def _unpack_and_parse(data: bytes, place: str) -> Sitemap:
    return parse_sitemap(unpack_sitemap(data, place), place)
