"""What a source reads of pages and lists itself: links, canonical addresses, bookmarks, sitemaps.

Texts are read in the sandbox; here run only the standard library's scanners, on a bounded beginning, and never on entities.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.parsers import expat

from anchorage.errors import DocumentRefused, TooLarge

SCANNED = 2 * 1024**2  # bytes of a page that are looked through for links
_UNPACKED_LIMIT = 50 * 1024**2  # sitemaps.org: the largest sitemap
_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of a bookmarks file; `folder` is its path of folders."""

    url: str
    title: str = ""
    folder: tuple[str, ...] = ()


@dataclass(slots=True)
class PageLinks:
    """The addresses that a page names, as it spells them."""

    links: list[str] = field(default_factory=list)
    canonical: str | None = None
    base: str | None = None


@dataclass(slots=True)
class Sitemap:
    """A sitemap: (address, lastmod) of pages, or of further sitemaps where `is_index`."""

    is_index: bool = False
    entries: list[tuple[str, str | None]] = field(default_factory=list)


def decode_markup(data: bytes, charset: str | None = None) -> str:
    """Markup as text, good enough for addresses."""
    declared = _CHARSET.search(data[:4096])
    for encoding in (charset, declared.group(1).decode("ascii") if declared else None, "utf-8"):
        try:
            if encoding:
                return data.decode(encoding)
        except (LookupError, ValueError):
            continue
    return data.decode("utf-8", "replace")


class _LinkScanner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = PageLinks()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = next((value for name, value in attrs if name == "href" and value), None)
        if href is None:
            return
        if tag in ("a", "area"):
            self.found.links.append(href)
        elif tag == "base" and self.found.base is None:
            self.found.base = href
        elif tag == "link" and self.found.canonical is None:
            relations = next((value or "" for name, value in attrs if name == "rel"), "")
            if "canonical" in relations.lower().split():
                self.found.canonical = href


def find_page_links(markup: str) -> PageLinks:
    """The links of a page, in its order."""
    scanner = _LinkScanner()
    scanner.feed(markup)
    return scanner.found


class _BookmarkScanner(HTMLParser):
    """Netscape's format: <DT><H3>folder</H3><DL>...</DL>, <DT><A HREF=...>title</A>; hardly any tag is ever closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Bookmark] = []
        self._folders: list[str] = []
        self._heading = ""
        self._text: list[str] | None = None
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "dl":
            self._folders.append(self._heading)
            self._heading = ""
        elif tag in ("a", "h3"):
            self._text = []
            self._href = next((value for name, value in attrs if name == "href"), None) if tag == "a" else None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._text or ()).split())
        if tag == "dl" and self._folders:
            self._folders.pop()
        elif tag == "h3":
            self._heading, self._text = text, None
        elif tag == "a" and self._text is not None:
            if self._href:
                self.found.append(Bookmark(self._href, text, tuple(name for name in self._folders if name)))
            self._text = None


def read_bookmarks(markup: str) -> Sequence[Bookmark]:
    """The bookmarks of an exported file, in its order."""
    scanner = _BookmarkScanner()
    scanner.feed(markup)
    return scanner.found


def unpack_sitemap(data: bytes, shown: str, limit: int = _UNPACKED_LIMIT) -> bytes:
    """A sitemap without its gzip, if it has one. Raises `TooLarge` and `DocumentRefused`."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacker = zlib.decompressobj(31)
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise DocumentRefused("corrupt", f"{shown} is damaged: it cannot be unpacked.") from error
    if len(unpacked) > limit:
        raise TooLarge(f"{shown} unpacks to more than {limit} bytes, the most that a sitemap may have.")
    if not unpacker.eof:
        raise DocumentRefused("corrupt", f"{shown} is damaged: it was cut off before its end.")
    return unpacked


def parse_sitemap(data: bytes, shown: str) -> Sitemap:
    """Read a sitemap or a sitemap index (sitemaps.org), or its plain form with one address a line.

    Raises `DocumentRefused` for what is neither, and for XML that declares entities.
    """
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = [line.strip() for line in data.decode("utf-8-sig", "replace").splitlines()]
        entries: list[tuple[str, str | None]] = [
            (line, None) for line in lines if line.startswith(("http://", "https://"))
        ]
        if not entries:
            raise DocumentRefused("corrupt", f"{shown} is no sitemap: it is neither XML nor a list of addresses.")
        return Sitemap(entries=entries)
    scanner = _SitemapScanner()
    parser = expat.ParserCreate()
    parser.StartElementHandler = scanner.start
    parser.EndElementHandler = scanner.end
    parser.CharacterDataHandler = scanner.text
    parser.EntityDeclHandler = scanner.entity
    try:
        parser.Parse(data.lstrip(), True)
    except (expat.ExpatError, ValueError) as error:
        raise DocumentRefused("corrupt", f"{shown} is no sitemap that can be read: {error}.") from error
    if scanner.root not in ("urlset", "sitemapindex"):
        raise DocumentRefused("corrupt", f"{shown} is no sitemap: it begins with <{scanner.root[:40]}>.")
    return scanner.found


class _SitemapScanner:
    def __init__(self) -> None:
        self.found = Sitemap()
        self.root = ""
        self._path: list[str] = []
        self._values: dict[str, str] = {}

    def start(self, name: str, attributes: object) -> None:
        name = name.rpartition(":")[2]
        if not self.root:
            self.root = name
            self.found.is_index = name == "sitemapindex"
        self._path.append(name)
        if len(self._path) == 2:
            self._values = {}

    def text(self, data: str) -> None:
        if len(self._path) == 3:
            self._values[self._path[-1]] = self._values.get(self._path[-1], "") + data

    def end(self, name: str) -> None:
        self._path.pop()
        if len(self._path) == 1 and (place := self._values.get("loc", "").strip()):
            self.found.entries.append((place, self._values.get("lastmod", "").strip() or None))

    def entity(self, *_: object) -> None:
        raise ValueError("it declares entities")
