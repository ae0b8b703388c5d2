"""A polite and bounded HTTP client for pages: robots.txt, pauses, redirects, deadlines, limits and the private-address guard."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
import structlog

from anchorage.adapters.sources.bodies import (
    ACCEPT_ENCODING,
    SharedResource,
    Sleep,
    make_tls_context,
    read_pieces,
    retry_after,
)
from anchorage.adapters.sources.web.guard import GuardedBackend, GuardedTransport, Resolve, resolve
from anchorage.adapters.sources.web.memory import WebMemory
from anchorage.adapters.sources.web.robots import Robots, parse_robots
from anchorage.adapters.sources.web.urls import origin_of, resolve_link
from anchorage.errors import AnchorageError, DocumentRefused, NotFound, Unavailable

_log = structlog.get_logger(__name__)
T = TypeVar("T")
Consume = Callable[[httpx.Response, str], Awaitable[T]]
"""Takes a successful answer, whose body is unread, and the address that it came from in the end."""
Conditions = Callable[[str], Mapping[str, str]]
"""Headers for an address that ask for an answer only if it has changed; then `Consume` may get a 304."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRIED = frozenset({429, 500, 502, 503, 504})
_ROBOTS_LIMIT = 512 * 1024  # RFC 9309, 2.5: at least 500 KiB
_ROBOTS_REDIRECTS = 5  # RFC 9309, 2.3.1.2
_ROBOTS_AGE = 24 * 3600.0  # seconds; RFC 9309, 2.4
_BACKOFF = 1.0  # seconds before the first retry where the server names no time


@dataclass(frozen=True, slots=True)
class WebLimits:
    """What reading the web may take; times in seconds."""

    max_bytes: int
    user_agent: str = "Anchorage"
    allow_private: bool = False
    connect_timeout: float = 10
    page_timeout: float = 60
    max_redirects: int = 10
    pause: float = 1
    max_wait: float = 30
    retries: int = 2
    max_pages: int = 50_000


@dataclass(slots=True)
class _Budget:
    """Seconds left for one address with its redirects; pauses out of politeness do not count."""

    left: float


def _no_conditions(_: str) -> Mapping[str, str]:
    return {}


class _RetryLater(Exception):
    """The answer asks for another try, after `wait` seconds where it says so."""

    def __init__(self, reason: str, wait: float | None) -> None:
        super().__init__(reason)
        self.wait = wait


class WebClient:
    """Fetches pages. One for a source; connections live while `session` is open somewhere."""

    def __init__(
        self,
        limits: WebLimits,
        *,
        resolver: Resolve = resolve,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        backend: GuardedBackend | None = None,
        memory: WebMemory | None = None,
    ) -> None:
        self.limits = limits
        self.memory = memory or WebMemory()
        self._backend = backend or GuardedBackend(allow_private=limits.allow_private, resolver=resolver)
        self._sleep = sleep
        self._clock = clock
        self._shared = SharedResource(self._open_transport)
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[GuardedTransport]:
        """Keep connections open until the end of the context."""
        async with self._shared.use() as transport:
            yield transport

    @asynccontextmanager
    async def _open_transport(self) -> AsyncIterator[GuardedTransport]:
        if self._tls is None:
            self._tls = await asyncio.to_thread(make_tls_context)
        async with GuardedTransport(self._backend, self._tls) as transport:
            yield transport

    @asynccontextmanager
    async def _send(self, url: str, conditions: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """One request and its answer. No httpx client in between: it would follow, judge and remember on its own."""
        headers = {
            "user-agent": self.limits.user_agent,
            "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "accept-encoding": ACCEPT_ENCODING,
            **conditions,
        }
        timeout = httpx.Timeout(self.limits.page_timeout, connect=self.limits.connect_timeout)
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": timeout.as_dict()})
        async with self.session() as transport:
            response = await transport.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()

    async def get(self, url: str, consume: Consume[T], conditions: Conditions = _no_conditions) -> T:
        """Follow an address to its answer and hand that to `consume`.

        Raises `NotFound` (404, 410), `DocumentRefused` (robots, redirects, private_address, no_access, refused), `Unavailable`,
        and what `consume` raises.
        """
        return await self._follow(url, consume, self.limits.max_redirects, conditions, robots=True)

    async def robots(self, url: str) -> Robots:
        """The rules of the address's host (RFC 9309). Raises `Unavailable` where they cannot be read now."""
        place = origin_of(url)
        async with self.memory.asking.setdefault(place, asyncio.Lock()):
            known = self.memory.robots.get(place)
            if known and self._clock() - known[0] < _ROBOTS_AGE:
                return known[1]
            asked_at, rules = self._clock(), await self._fetch_robots(place)
            self.memory.keep_robots(place, asked_at, rules)
            return rules

    async def _fetch_robots(self, place: str) -> Robots:
        try:
            return await self._follow(
                f"{place}/robots.txt", self._read_robots, _ROBOTS_REDIRECTS, _no_conditions, robots=False
            )
        except Unavailable as error:
            raise Unavailable(
                f"{place}/robots.txt does not answer, so nothing may be read there now: {error.message}"
            ) from error
        except DocumentRefused as error:
            if error.code == "private_address":
                raise
            return Robots.allow_all()  # RFC 9309, 2.3.1.3: what cannot be had forbids nothing
        except NotFound:
            return Robots.allow_all()

    async def _read_robots(self, response: httpx.Response, _: str) -> Robots:
        data = b""
        async for piece in read_pieces(response, "robots.txt", 1 << 62):
            data += piece
            if len(data) >= _ROBOTS_LIMIT:
                data = data[: data.rfind(b"\n", 0, _ROBOTS_LIMIT) + 1]
                break
        return await asyncio.to_thread(parse_robots, data, self.limits.user_agent)

    async def _follow(
        self, url: str, consume: Consume[T], redirects: int, conditions: Conditions, *, robots: bool
    ) -> T:
        asked, seen, budget = url, {url}, _Budget(self.limits.page_timeout)
        while True:
            delay = 0.0
            if robots:
                rules = await self.robots(url)
                delay = min(rules.delay, self.limits.max_wait)
                if not rules.allows(url):
                    raise DocumentRefused("robots", f"{url} is not read, because the site's robots.txt forbids it.")
            hop = await self._try_patiently(url, consume, delay, budget, conditions(url))
            if not isinstance(hop, _Redirect):
                return hop
            url = self._resolve_redirect(asked, url, hop.location)
            if url in seen or len(seen) > redirects:
                raise DocumentRefused(
                    "redirects",
                    f"{asked} redirects {'in a circle' if url in seen else f'more than {redirects} times'}, and never to a page. "
                    "Check the address in a browser (ANCHORAGE_WEB__MAX_REDIRECTS).",
                )
            seen.add(url)

    def _resolve_redirect(self, asked: str, url: str, location: str) -> str:
        target = resolve_link(url, location)
        if target is None:
            raise DocumentRefused("redirects", f"{asked} redirects to {location[:200]!r}, which is no page of the web.")
        return target

    async def _try_patiently(
        self, url: str, consume: Consume[T], delay: float, budget: _Budget, conditions: Mapping[str, str]
    ) -> T | _Redirect:
        """One address, tried again while the server asks for patience and the bounds allow it."""
        for attempt in range(self.limits.retries + 1):
            await self._await_turn(url, delay)
            try:
                return await self._request_once(url, consume, budget, conditions)
            except _RetryLater as error:
                wait = _BACKOFF * 2**attempt if error.wait is None else error.wait
                reason = error
                if attempt == self.limits.retries or wait > self.limits.max_wait:
                    break
                _log.info("page_retried", url=url, reason=str(error), seconds=wait)
                await self._sleep(wait)
        when = "" if reason.wait is None else f" It asks to wait {reason.wait:.0f} s."
        raise Unavailable(f"{url} {reason}.{when} Try again later.")

    async def _await_turn(self, url: str, delay: float) -> None:
        """Wait until the host has had its pause since the last request."""
        now = self._clock()
        turn = self.memory.reserve_turn(origin_of(url), now, max(self.limits.pause, delay))
        if turn > now:
            await self._sleep(turn - now)

    async def _request_once(
        self, url: str, consume: Consume[T], budget: _Budget, conditions: Mapping[str, str]
    ) -> T | _Redirect:
        started = self._clock()
        try:
            async with asyncio.timeout(max(0.0, budget.left)), self._send(url, conditions) as response:
                if response.status_code == 304 and conditions:
                    return await consume(response, url)
                return await self._judge_answer(url, response, consume)
        except TimeoutError as error:
            raise Unavailable(
                f"{url} did not arrive within {self.limits.page_timeout:g} s (ANCHORAGE_WEB__PAGE_TIMEOUT). Try again later."
            ) from error
        except (httpx.RemoteProtocolError, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"{url} answered with what is not HTTP, or broke off ({error}). Try again later."
            ) from error
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Unavailable(f"{url} cannot be reached ({reason}). Check the address, and try again later.") from error
        finally:
            budget.left -= self._clock() - started

    async def _judge_answer(self, url: str, response: httpx.Response, consume: Consume[T]) -> T | _Redirect:
        status = response.status_code
        if status in _REDIRECTS and "location" in response.headers:
            return _Redirect(response.headers["location"])
        if status in _RETRIED:
            raise _RetryLater(f"answers with HTTP {status}", retry_after(response))
        if status == 200:
            return await consume(response, url)
        raise _error_of_status(url, status)


@dataclass(frozen=True, slots=True)
class _Redirect:
    location: str


def _error_of_status(url: str, status: int) -> AnchorageError:
    if status in (404, 410):
        return NotFound(f"{url} is gone (HTTP {status}).")
    if status in (401, 403, 407, 451):
        return DocumentRefused(
            "no_access", f"{url} may not be read without signing in (HTTP {status}). Save the page and ingest the file."
        )
    if status >= 500:
        return Unavailable(f"{url} answers with HTTP {status}. Try again later.")
    return DocumentRefused("refused", f"{url} answers with HTTP {status} and no page. Check it in a browser.")
