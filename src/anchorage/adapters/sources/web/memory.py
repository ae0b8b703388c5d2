"""What a process remembers of the web: when each host may be asked again, its robots.txt, and the pages that it has read."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anchorage.adapters.sources.web.robots import Robots

_HOSTS = 2_000
_PAGES_BYTES = 32 * 1024**2  # of links, packed: some 30,000 pages


@dataclass(frozen=True, slots=True)
class KnownPage:
    """What a listing needs of a page that has not changed: all but its bytes. `conditions` are the headers that ask for a change."""

    conditions: Mapping[str, str]
    tag: str
    media_type: str | None
    canonical: str | None
    packed_links: bytes

    @property
    def links(self) -> list[str]:
        return zlib.decompress(self.packed_links).decode().split("\n") if self.packed_links else []

    @property
    def size(self) -> int:
        return 500 + len(self.packed_links)  # the rest: addresses and objects


class WebMemory:
    """Shared by all clients of a process, so that two sources of one host keep one pause between them."""

    def __init__(self, *, pages_bytes: int = _PAGES_BYTES) -> None:
        self.robots: OrderedDict[str, tuple[float, Robots]] = OrderedDict()
        self.asking: dict[str, asyncio.Lock] = {}
        self._next_turn: dict[str, float] = {}
        self._pages: OrderedDict[str, KnownPage] = OrderedDict()
        self._bytes, self._most_bytes = 0, pages_bytes

    def reserve_turn(self, place: str, now: float, pause: float) -> float:
        """When the host may be asked; the next one may `pause` seconds later."""
        turn = max(now, self._next_turn.get(place, now))
        if len(self._next_turn) >= _HOSTS:
            self._next_turn = {host: time for host, time in self._next_turn.items() if time > now}
        self._next_turn[place] = turn + pause
        return turn

    def keep_robots(self, place: str, read_at: float, rules: Robots) -> None:
        """Remember the rules of a host."""
        self.robots[place] = (read_at, rules)
        while len(self.robots) > _HOSTS:
            oldest, _ = self.robots.popitem(last=False)
            self.asking.pop(oldest, None)

    def find_page(self, url: str) -> KnownPage | None:
        """The page that was read at this address, if it is remembered and its server gave it a mark to ask with."""
        page = self._pages.get(url)
        if page:
            self._pages.move_to_end(url)
        return page

    def keep_page(
        self, url: str, conditions: Mapping[str, str], tag: str, media_type: str | None, canonical: str | None, links: Sequence[str]
    ) -> None:  # fmt: skip
        """Remember a page, and forget those that were not asked for the longest."""
        self.forget_page(url)
        packed = zlib.compress("\n".join(links).encode()) if links else b""
        page = self._pages[url] = KnownPage(conditions, tag, media_type, canonical, packed)
        self._bytes += page.size
        while self._bytes > self._most_bytes:
            self._bytes -= self._pages.popitem(last=False)[1].size

    def forget_page(self, url: str) -> None:
        """Forget a page, if it is known."""
        if page := self._pages.pop(url, None):
            self._bytes -= page.size
