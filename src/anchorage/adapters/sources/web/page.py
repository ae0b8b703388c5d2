"""Downloading one page: its bytes on disk, its kind, its tag, its canonical address and its links."""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import mkdtemp

import httpx

from anchorage.adapters.sources.bodies import read_pieces, save_pieces, translate_disk_errors
from anchorage.adapters.sources.web.client import WebClient
from anchorage.adapters.sources.web.markup import SCANNED, decode_markup, find_page_links
from anchorage.adapters.sources.web.memory import KnownPage
from anchorage.adapters.sources.web.urls import file_name, is_same_site, resolve_link
from anchorage.errors import AnchorageError, DocumentRefused

_HTML = ("text/html", "application/xhtml+xml")
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "text/csv": ".csv",
    "text/markdown": ".md",
}
_NEVER_TEXT = ("audio/", "video/", "font/")
_HELD, _HELD_BYTES = (
    600,
    256 * 1024**2,
)  # pages and their bytes on disk: a group of a listing, and the pages of small sites
_STRONG = timedelta(seconds=60)  # RFC 9110, 8.8.2.2: a younger Last-Modified may hide another change
_LINKS = 5_000  # of one page


@dataclass(slots=True, weakref_slot=True, eq=False)
class WebPage:
    """A downloaded page; `url` is where it was found after redirects, `links` are those of HTML, as addresses of their own.

    One that is `unchanged` since it was read before has no file. Its folder goes when it is closed, or else with the object.
    """

    url: str
    folder: str
    path: Path
    name: str
    size: int
    media_type: str | None
    tag: str | None
    last_modified: str | None = None
    canonical: str | None = None
    links: list[str] = field(default_factory=list)
    unchanged: bool = False

    @property
    def is_html(self) -> bool:
        return self.media_type in _HTML

    def close(self) -> None:
        """Remove the file."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __post_init__(self) -> None:
        if self.folder:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


async def download_page(client: WebClient, url: str, *, if_changed: bool = False) -> WebPage:
    """Fetch a page into a temporary file, which the caller closes. Raises what `WebClient.get` does, and `TooLarge`.

    With `if_changed`, one that this process has read before is asked for on the condition that it changed (RFC 9110, 13).
    """
    with translate_disk_errors(url):
        folder = mkdtemp(prefix=f"anchorage-web-{os.getpid()}-")
        try:
            page = await _download_into(client, url, folder, if_changed=if_changed)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if page.unchanged:
        shutil.rmtree(folder, ignore_errors=True)
    return page


async def _download_into(client: WebClient, url: str, folder: str, *, if_changed: bool) -> WebPage:
    memory = client.memory
    path = Path(folder, "page")

    async def keep(response: httpx.Response, final: str) -> WebPage:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower() or None
        if media_type and media_type.startswith(_NEVER_TEXT):
            raise DocumentRefused("unsupported_format", f"{url} is {media_type}, which holds no text that can be read.")
        size = await save_pieces(read_pieces(response, url, client.limits.max_bytes), path)
        if media_type is None and await asyncio.to_thread(_looks_like_html, path):
            media_type = "text/html"
        suffix = ".webpage" if media_type in _HTML else _SUFFIXES.get(media_type or "", "")
        name = file_name(final, suffix)
        if media_type == "text/plain" and "." not in name:
            name += ".txt"
        return WebPage(
            final, folder, path, name, size, media_type, _trusted_tag(response), response.headers.get("last-modified")
        )

    charset: list[str | None] = []
    marks: dict[str, str] = {}
    asked: dict[str, KnownPage] = {}  # the memory itself may have moved on when the answer comes

    def conditions(place: str) -> Mapping[str, str]:
        known = memory.find_page(place) if if_changed else None
        if known:
            asked[place] = known
        return known.conditions if known else {}

    async def receive(response: httpx.Response, final: str) -> WebPage:
        if response.status_code == 304 and (known := asked.get(final)):
            return WebPage(
                final, "", Path(), "", 0, known.media_type, known.tag, canonical=known.canonical, links=known.links, unchanged=True
            )  # fmt: skip
        marks.update(_condition_headers(response))
        charset.append(response.charset_encoding)
        return await keep(response, final)

    page = await client.get(url, receive, conditions)
    if page.unchanged:
        return page
    if page.is_html:
        await asyncio.to_thread(_scan_links, page, charset[-1])
    if page.tag and marks:
        memory.keep_page(page.url, marks, page.tag, page.media_type, page.canonical, page.links)
    else:
        memory.forget_page(page.url)
    return page


def _looks_like_html(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def _scan_links(page: WebPage, charset: str | None) -> None:
    """Find links and the canonical address; write down the encoding that only the HTTP header names."""
    with page.path.open("rb") as file:
        head = file.read(SCANNED)
    found = find_page_links(decode_markup(head, charset))
    base = resolve_link(page.url, found.base) if found.base else None
    addresses = (resolve_link(base or page.url, link) for link in found.links[:_LINKS])
    page.links = list(dict.fromkeys(address for address in addresses if address))
    page.canonical = _find_canonical(page.url, base, found.canonical)
    if charset and not head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        _mark_encoding(page, charset)


def _find_canonical(url: str, base: str | None, link: str | None) -> str | None:
    """The address that the page gives itself, where it can be believed."""
    address = resolve_link(base or url, link) if link else None
    if address is None or not is_same_site(address, url):
        return None
    # A template that names the front page on every page would make one document of a whole site.
    front = httpx.URL(address).raw_path == b"/" and httpx.URL(url).raw_path != b"/"
    return None if front else address


def _mark_encoding(page: WebPage, charset: str) -> None:
    """Rewrite a page as UTF-8 with a mark: the parser sees only the file, and the header's word goes before the page's own."""
    try:
        name = codecs.lookup(charset).name
        data = page.path.read_bytes()
        if name in ("utf-8", "ascii"):
            return
        text = data.decode(name)
    except (LookupError, UnicodeError):
        return
    page.path.write_bytes(codecs.BOM_UTF8 + text.encode("utf-8", "replace"))
    page.size = page.path.stat().st_size


def _trusted_tag(response: httpx.Response) -> str | None:
    """A strong ETag, or a Last-Modified that was old enough when it was sent; None where neither can be trusted."""
    etag: str = response.headers.get("etag", "").strip()
    if len(etag) > 2 and etag.startswith('"'):
        return f"etag:{etag[:200]}"
    try:
        modified = parsedate_to_datetime(response.headers["last-modified"])
        sent = parsedate_to_datetime(response.headers["date"])
        old_enough = sent - modified >= _STRONG
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return f"modified:{modified.isoformat()}" if old_enough else None


def _condition_headers(response: httpx.Response) -> dict[str, str]:
    """The headers that ask whether this answer still holds (RFC 9110, 13.1)."""
    headers = {"if-none-match": "etag", "if-modified-since": "last-modified"}
    return {asking: response.headers[given] for asking, given in headers.items() if response.headers.get(given)}


def tag_of_lastmod(value: str | None, now: datetime) -> str | None:
    """A sitemap's lastmod (W3C datetime) as a tag; None for one so young that the page may change under it again."""
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if len(value) <= 10:
        found += timedelta(days=1)  # any moment of that day
    found = found if found.tzinfo else found.replace(tzinfo=UTC) + timedelta(hours=12)
    return f"lastmod:{value}" if now - found >= _STRONG else None


class HeldPages:
    """Pages, or the reasons why there are none, that a listing has fetched already: the next fetch of each takes it over."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, WebPage | AnchorageError] = OrderedDict()

    def put(self, uri: str, page: WebPage | AnchorageError) -> None:
        self._close_page(self._kept.pop(uri, None))
        self._kept[uri] = page
        while len(self._kept) > _HELD or (self._bytes() > _HELD_BYTES and len(self._kept) > 1):
            self._close_page(self._kept.popitem(last=False)[1])

    def _bytes(self) -> int:
        return sum(page.size for page in self._kept.values() if isinstance(page, WebPage))

    def take(self, uri: str) -> WebPage | None:
        """The page, now the caller's to close. Raises the reason where there is one."""
        found = self._kept.pop(uri, None)
        if isinstance(found, AnchorageError):
            raise found
        return found

    def clear(self) -> None:
        while self._kept:
            self._close_page(self._kept.popitem()[1])

    @staticmethod
    def _close_page(page: WebPage | AnchorageError | None) -> None:
        if isinstance(page, WebPage):
            page.close()
