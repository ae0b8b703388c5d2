"""Confluence's two HTTP APIs: Cloud's REST v2, and the REST API of Data Center and Server."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

import httpx
import structlog

from anchorage.adapters.sources import confluence_answers as answers
from anchorage.adapters.sources.bodies import ACCEPT_ENCODING, Shared, Sleep, read_bytes, retry_after, tls_context
from anchorage.errors import AnchorageError, ConfigurationError, NotAllowed, NotFound, Unavailable

_log = structlog.get_logger(__name__)
_RETRIED = frozenset({429, 500, 502, 503, 504})
_BACKOFF = 1.0  # seconds before the first retry where the server names no time
_SIGN_IN = ("login", "signin", "sign-in", "sso", "saml", "oauth", "auth")
_CREDENTIALS = "Check CONFLUENCE_USERNAME and CONFLUENCE_PASSWORD; a token may have expired or been withdrawn."


@dataclass(frozen=True, slots=True)
class ConfluenceAccess:
    """Where a Confluence is and who reads it. Without a user name, the password is a personal access token."""

    base_url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    flavour: Literal["auto", "cloud", "datacenter"] = "auto"
    timeout: float = 60
    retries: int = 4
    max_wait: float = 60

    @property
    def is_cloud(self) -> bool:
        host = httpx.URL(self.base_url).host
        known = host.endswith(".atlassian.net") or host == "api.atlassian.com"
        return self.flavour == "cloud" or (self.flavour == "auto" and known)


@dataclass(frozen=True, slots=True)
class PageRef:
    """A page as listings name it."""

    id: str
    version: str | None


@dataclass(frozen=True, slots=True)
class ConfluencePage:
    """A page with its text as HTML, as readers see it."""

    id: str
    version: str | None
    title: str
    html: str
    web_url: str
    labels: tuple[str, ...] = ()
    author: str | None = None
    last_modified: str | None = None


class Forbidden(NotAllowed):
    """The user is known, and may not (HTTP 403)."""


class ConfluenceApi(Protocol):
    """What both APIs can do."""

    def prefix(self, key: str) -> str:
        """What the addresses of a space's pages begin with; a page's id follows, and ends them."""
        ...

    async def space(self, key: str) -> str:
        """The space's id. Raises `NotFound` where there is none that this user may see."""
        ...

    def pages(self, key: str, space: str) -> AsyncIterator[PageRef]:
        """All current pages of a space."""
        ...

    async def page(self, key: str, space: str, page: str) -> ConfluencePage:
        """One page. Raises `NotFound` where it is gone from this space."""
        ...


class ConfluenceClient:
    """JSON from a Confluence, with patience for its rate limits. Never follows a redirect: credentials stay where they belong."""

    def __init__(self, access: ConfluenceAccess, base: str, *, max_bytes: int, sleep: Sleep = asyncio.sleep) -> None:
        self.base = base
        self._access = access
        self._max_bytes = max_bytes
        self._sleep = sleep
        self._shared = Shared(self._open)
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[httpx.AsyncClient]:
        """Keep connections open until the end of the context."""
        async with self._shared.use() as client:
            yield client

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[httpx.AsyncClient]:
        access = self._access
        headers = {"accept": "application/json", "accept-encoding": ACCEPT_ENCODING, "user-agent": "Anchorage"}
        auth = httpx.BasicAuth(access.username, access.password or "") if access.username else None
        if auth is None and access.password:
            headers["authorization"] = f"Bearer {access.password}"
        if self._tls is None:
            self._tls = await asyncio.to_thread(tls_context)
        # The environment's proxies are welcome here: the address is the owner's own, and no page can change it.
        async with httpx.AsyncClient(
            headers=headers, auth=auth, follow_redirects=False, verify=self._tls, timeout=access.timeout
        ) as client:
            yield client

    async def get(self, path: str, **query: str | int) -> Mapping[str, Any]:
        """A JSON object. Raises `NotFound`, `NotAllowed`, `Unavailable`, `TooLarge`, `ConfigurationError`."""
        return await self.request("GET", path, params=query)

    async def request(self, method: str, path: str, **more: Any) -> Mapping[str, Any]:
        """The same by any method; `more` goes to httpx."""
        for attempt in range(self._access.retries + 1):
            status, headers, body = await self._once(method, path, more)
            if status not in _RETRIED:
                return self._answer(status, headers, body)
            asked = retry_after(httpx.Response(status, headers=headers))
            wait = _BACKOFF * 2**attempt if asked is None else asked
            if attempt == self._access.retries or wait > self._access.max_wait:
                break
            _log.info("confluence_retried", status=status, seconds=wait)
            await self._sleep(wait)
        said = "asks to slow down (HTTP 429)" if status == 429 else f"fails with HTTP {status}"
        raise Unavailable(
            f"Confluence at {self.base} {said}{'' if asked is None else f', for {asked:.0f} s'}. Try again later."
        )

    async def _once(self, method: str, path: str, more: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        setting = "ANCHORAGE_INGEST__MAX_FILE_BYTES"
        try:
            async with (
                asyncio.timeout(self._access.timeout),
                self.session() as client,
                client.stream(method, self.base + path, **more) as response,
            ):
                shown = f"The answer of Confluence for {path}"
                body = (
                    await read_bytes(response, shown, self._max_bytes, setting) if response.status_code == 200 else b""
                )
                return response.status_code, response.headers, body
        except TimeoutError as error:
            raise Unavailable(
                f"Confluence at {self.base} did not answer within {self._access.timeout:g} s (ANCHORAGE_CONFLUENCE__TIMEOUT)."
            ) from error
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Unavailable(
                f"Confluence at {self.base} cannot be reached ({reason}). Check CONFLUENCE_BASE_URL, and try again later."
            ) from error

    def _answer(self, status: int, headers: httpx.Headers, body: bytes) -> Mapping[str, Any]:
        # Data Center answers an unknown user as a stranger, who sees fewer pages or none.
        if self._access.password and headers.get("x-ausername", "").lower() == "anonymous":
            raise NotAllowed(f"Confluence at {self.base} does not know the credentials. {_CREDENTIALS}")
        if status != 200:
            raise self._error(status, headers)
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ConfigurationError(
                f"The server at {self.base} did not answer in the language of Confluence's API. Check CONFLUENCE_BASE_URL and "
                "ANCHORAGE_CONFLUENCE__FLAVOUR."
            )
        return found

    def _error(self, status: int, headers: httpx.Headers) -> AnchorageError:
        if status == 401:
            return NotAllowed(f"Confluence at {self.base} did not accept the credentials (HTTP 401). {_CREDENTIALS}")
        if status == 403:
            return Forbidden(f"This user may not read that in the Confluence at {self.base} (HTTP 403). {_CREDENTIALS}")
        if status in (404, 410):
            return NotFound(f"Confluence at {self.base} has nothing there, or not for this user (HTTP {status}).")
        if 300 <= status < 400:
            target = headers.get("location", "")[:200]
            if any(word in target.lower() for word in _SIGN_IN):
                return NotAllowed(f"Confluence at {self.base} wants a sign-in (HTTP {status}). {_CREDENTIALS}")
            return ConfigurationError(
                f"Confluence at {self.base} redirects to {target!r}. Set CONFLUENCE_BASE_URL to its address there."
            )
        if status >= 500:
            return Unavailable(f"Confluence at {self.base} fails with HTTP {status}. Try again later.")
        return ConfigurationError(
            f"Confluence at {self.base} refused the request (HTTP {status}). Check CONFLUENCE_BASE_URL."
        )


class CloudApi:
    """REST v2 of Confluence Cloud."""

    def __init__(self, client: ConfluenceClient) -> None:
        self._client = client
        self._names: dict[str, str] = {}

    def prefix(self, key: str) -> str:
        return f"{self._client.base}/spaces/{quote(key, safe='~:')}/pages/"

    async def space(self, key: str) -> str:
        found = answers.results(await self._client.get("/api/v2/spaces", keys=key))
        if not found:
            raise NotFound(_no_space(self._client.base, key))
        return str(found[0].get("id"))

    async def pages(self, key: str, space: str) -> AsyncIterator[PageRef]:
        query: dict[str, str | int] = {"limit": 250, "status": "current", "sort": "id"}
        seen = set()
        while True:
            answer = await self._client.get(f"/api/v2/spaces/{quote(space)}/pages", **query)
            for page, version in answers.listed(answer):
                yield PageRef(page, version)
            cursor = answers.following(answer, "cursor")
            if cursor is None:
                return
            if cursor in seen:
                raise Unavailable(f"Confluence at {self._client.base} lists pages in a circle. Try again later.")
            seen.add(cursor)
            query["cursor"] = cursor

    async def page(self, key: str, space: str, page: str) -> ConfluencePage:
        query: dict[str, str] = {"body-format": "view", "include-labels": "true"}
        found = await self._client.get(f"/api/v2/pages/{quote(page)}", **query)
        answers.check_place(found, page, str(found.get("spaceId", space)) == space)
        version = answers.part(found, "version")
        return ConfluencePage(
            page, answers.version(found), answers.text(found, "title") or page, answers.body(found, page), self.prefix(key) + page,
            labels=answers.labels(answers.part(found, "labels")),
            author=await self._name(answers.text(version, "authorId") or answers.text(found, "authorId")),
            last_modified=answers.text(version, "createdAt"),
        )  # fmt: skip

    async def _name(self, account: str | None) -> str | None:
        """A person's name by their account id; the id itself where this user may not look it up."""
        if account and account not in self._names:
            try:
                answer = await self._client.request("POST", "/api/v2/users-bulk", json={"accountIds": [account]})
                self._names[account] = str(answers.results(answer)[0]["displayName"])
            except (NotAllowed, NotFound, ConfigurationError, IndexError, KeyError):
                self._names[account] = account
        return self._names.get(account) if account else None


class DataCenterApi:
    """The REST API of Confluence Data Center and Server."""

    def __init__(self, client: ConfluenceClient) -> None:
        self._client = client

    def prefix(self, key: str) -> str:
        # The id alone finds the page; the key keeps apart the pages of several spaces.
        return f"{self._client.base}/pages/viewpage.action?spaceKey={quote(key, safe='~')}&pageId="

    async def space(self, key: str) -> str:
        try:
            found = await self._client.get(f"/rest/api/space/{quote(key, safe='~')}")
        except NotFound as error:
            raise NotFound(_no_space(self._client.base, key)) from error
        return str(found.get("key") or key)

    async def pages(self, key: str, space: str) -> AsyncIterator[PageRef]:
        start = 0
        while True:
            answer = await self._client.get(
                "/rest/api/content",
                spaceKey=key,
                type="page",
                status="current",
                expand="version",
                start=start,
                limit=100,
            )
            for page, version in answers.listed(answer):
                yield PageRef(page, version)
            # Not the number of results: pages that this user may not see are left out of them.
            following = answers.following(answer, "start")
            if following is None:
                return
            if not following.isdecimal() or int(following) <= start:
                raise Unavailable(f"Confluence at {self._client.base} lists pages in a circle. Try again later.")
            start = int(following)

    async def page(self, key: str, space: str, page: str) -> ConfluencePage:
        expand = "body.view,version,metadata.labels,space"
        found = await self._client.get(f"/rest/api/content/{quote(page)}", expand=expand)
        place = answers.text(answers.part(found, "space"), "key") or space
        answers.check_place(found, page, place.lower() == space.lower())
        version = answers.part(found, "version")
        return ConfluencePage(
            page, answers.version(found), answers.text(found, "title") or page, answers.body(found, page), self.prefix(key) + page,
            labels=answers.labels(answers.part(found, "metadata", "labels")),
            author=answers.text(answers.part(version, "by"), "displayName"),
            last_modified=answers.text(version, "when"),
        )  # fmt: skip


def _no_space(base: str, key: str) -> str:
    return f"Confluence at {base} has no space {key}, or this user may not see it. Check the key and the user's permissions."
