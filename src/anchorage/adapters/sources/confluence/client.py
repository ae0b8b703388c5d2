"""JSON and files from a Confluence, whichever its API."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import structlog

from anchorage.adapters.sources.bodies import (
    ACCEPT_ENCODING,
    SharedResource,
    Sleep,
    make_tls_context,
    read_bytes,
    read_pieces,
    retry_after,
    save_pieces,
)
from anchorage.errors import AnchorageError, ConfigurationError, NotAllowed, NotFound, Unavailable

T = TypeVar("T")
Read = Callable[[httpx.Response], Awaitable[T]]

_log = structlog.get_logger(__name__)
_RETRIED = frozenset({429, 500, 502, 503, 504})
_BACKOFF = 1.0  # seconds before the first retry where the server names no time
_HOPS = 4  # from the address of an attachment to where its bytes are
_SIGN_IN_PAGE = re.compile(r"(^|/)(log-?in|sign-?in|sso|saml2?|oauth2?|authorize)(\.\w+)?(/|$)", re.IGNORECASE)
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
    download_timeout: float = 600
    retries: int = 4
    max_wait: float = 60

    @property
    def is_cloud(self) -> bool:
        host = httpx.URL(self.base_url).host
        known = host.endswith(".atlassian.net") or host == "api.atlassian.com"
        return self.flavour == "cloud" or (self.flavour == "auto" and known)


class Forbidden(NotAllowed):
    """The user is known, and may not (HTTP 403)."""


class _Bearer(httpx.Auth):
    """A personal access token; no header of the client, so that one request can go without."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


class ConfluenceClient:
    """JSON from a Confluence, with patience for its rate limits. Credentials go to it alone: no redirect takes them elsewhere."""

    def __init__(self, access: ConfluenceAccess, base: str, *, max_bytes: int, sleep: Sleep = asyncio.sleep) -> None:
        self.base = base
        self._access = access
        self._max_bytes = max_bytes
        self._sleep = sleep
        self._shared = SharedResource(self._open_client)
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[httpx.AsyncClient]:
        """Keep connections open until the end of the context."""
        async with self._shared.use() as client:
            yield client

    @asynccontextmanager
    async def _open_client(self) -> AsyncIterator[httpx.AsyncClient]:
        access = self._access
        headers = {"accept": "application/json", "accept-encoding": ACCEPT_ENCODING, "user-agent": "Anchorage"}
        auth: httpx.Auth | None = None
        if access.username:
            auth = httpx.BasicAuth(access.username, access.password or "")
        elif access.password:
            auth = _Bearer(access.password)
        if self._tls is None:
            self._tls = await asyncio.to_thread(make_tls_context)
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

        async def read(response: httpx.Response) -> bytes:
            shown = f"The answer of Confluence for {path}"
            return await read_bytes(response, shown, self._max_bytes, "ANCHORAGE_INGEST__MAX_FILE_BYTES")

        status, headers, body = await self._try_patiently(method, self.base + path, more, read, self._access.timeout)
        return self._read_answer(status, headers, body or b"")

    async def download(self, path: str, target: Path, shown: str) -> int:
        """Save a file's bytes, also from where Confluence redirects to: without the credentials, where that is another server.

        Returns how many there were. Raises what `get` does.
        """

        async def keep(response: httpx.Response) -> int:
            return await save_pieces(read_pieces(response, shown, self._max_bytes), target)

        url, more = httpx.URL(self.base + path), dict[str, Any]()
        for _ in range(_HOPS):
            status, headers, size = await self._try_patiently(
                "GET", str(url), more, keep, self._access.download_timeout
            )
            if size is not None:
                return size
            if not 300 <= status < 400:
                raise self._error_of_status(status, headers)
            here, url = url, url.join(headers.get("location", ""))
            unfit = url.scheme not in ("http", "https") or (here.scheme == "https" and url.scheme == "http")
            if unfit or _SIGN_IN_PAGE.search(url.path):
                raise self._error_of_status(status, headers)
            if (url.scheme, url.host, url.port) != (here.scheme, here.host, here.port):
                more = {"auth": None}
        raise Unavailable(f"{shown} redirects more than {_HOPS} times, and never to a file. Try again later.")

    async def _try_patiently(
        self, method: str, url: str, more: Mapping[str, Any], read: Read[T], seconds: float
    ) -> tuple[int, httpx.Headers, T | None]:
        """Status, headers, and what `read` makes of a successful answer, after as many tries as it takes and may take."""
        for attempt in range(self._access.retries + 1):
            status, headers, body = await self._request_once(method, url, more, read, seconds)
            if status not in _RETRIED:
                return status, headers, body
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

    async def _request_once(
        self, method: str, url: str, more: Mapping[str, Any], read: Read[T], seconds: float
    ) -> tuple[int, httpx.Headers, T | None]:
        setting = "TIMEOUT" if seconds == self._access.timeout else "DOWNLOAD_TIMEOUT"
        try:
            async with (
                asyncio.timeout(seconds),
                self.session() as client,
                client.stream(method, url, **more) as response,
            ):
                body = await read(response) if response.status_code == 200 else None
                return response.status_code, response.headers, body
        except TimeoutError as error:
            raise Unavailable(
                f"Confluence at {self.base} did not answer within {seconds:g} s (ANCHORAGE_CONFLUENCE__{setting})."
            ) from error
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Unavailable(
                f"Confluence at {self.base} cannot be reached ({reason}). Check CONFLUENCE_BASE_URL, and try again later."
            ) from error

    def _read_answer(self, status: int, headers: httpx.Headers, body: bytes) -> Mapping[str, Any]:
        # Data Center answers an unknown user as a stranger, who sees fewer pages or none.
        if self._access.password and headers.get("x-ausername", "").lower() == "anonymous":
            raise NotAllowed(f"Confluence at {self.base} does not know the credentials. {_CREDENTIALS}")
        if status != 200:
            raise self._error_of_status(status, headers)
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

    def _error_of_status(self, status: int, headers: httpx.Headers) -> AnchorageError:
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
