"""Requests to one server: JSON in, JSON out, its errors as ours, and another attempt where one may help."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from anchorage.client.problems import error_of
from anchorage.errors import AnchorageError, BadRequest, Unavailable
from anchorage.fastjson import loads

_CONNECT = 5.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 4.0
_MOST_PATIENT = 15.0  # seconds of Retry-After that are waited for
_GATEWAY = {502, 503, 504}
Params = Mapping[str, str | int | bool | None]


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, and not the same for all clients."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (failures - 1)) * random.uniform(0.75, 1.25)


class Transport:
    """One server, by a pool of connections that open when they are needed."""

    def __init__(
        self, base_url: str, api_key: str | None, *, timeout: float, retries: int, headers: Mapping[str, str],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:  # fmt: skip
        place = urlsplit(base_url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise BadRequest(f"{base_url[:80]!r} is no address of a server. Write it as http://HOST:PORT.")
        if not base_url.isascii() or (api_key is not None and not (api_key.isascii() and api_key.isprintable())):
            raise BadRequest("The address or the key holds a character that no header can carry. Copy it again.")
        self.server = f"{place.scheme}://{place.netloc.rpartition('@')[2]}{place.path.rstrip('/')}"
        self.retries = retries
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={**headers, **({"Authorization": f"Bearer {api_key}"} if api_key else {})},
            timeout=httpx.Timeout(timeout, connect=_CONNECT),
            # Nobody's proxy leads to this machine. Without TLS no list of authorities need be read, which takes longer than a request.
            trust_env=not _is_here(place.hostname),
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if place.scheme == "http" else True,
            transport=transport,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def json(
        self, method: str, path: str, *, params: Params | None = None, body: Any = None, repeatable: bool | None = None
    ) -> Any:
        """What a route answers with, decoded. See `send`."""
        return loads((await self.send(method, path, params=params, body=body, repeatable=repeatable)).content)

    async def send(
        self, method: str, path: str, *, params: Params | None = None, body: Any = None, files: Any = None,
        repeatable: bool | None = None,
    ) -> httpx.Response:  # fmt: skip
        """One request, tried again while the server cannot be reached; a `repeatable` one, as GET is, also where it broke off.

        Raises the server's error, and `Unavailable` where none was to be had.
        """
        repeatable = method == "GET" if repeatable is None else repeatable
        failures = 0
        while True:
            try:
                response = await self._http.request(
                    method, path, params=_drop_missing(params), json=body, files=files() if files else None
                )
            except httpx.TransportError as error:
                failures += 1
                if failures > self.retries or not (repeatable or _is_unsent(error)):
                    raise self.unreachable(error) from error
                await asyncio.sleep(backoff(failures))
                continue
            if response.is_success:
                return response
            refused = error_of(response.status_code, response.headers, response.content, self.server)
            failures += 1
            if failures > self.retries or not (repeatable and may_pass(refused, response.status_code)):
                raise refused
            await asyncio.sleep(_pause(refused, failures))

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, params: Params | None = None, body: Any = None
    ) -> AsyncIterator[httpx.Response]:
        """One attempt at a response that comes piece by piece. Raises the server's error, and what httpx raises."""
        request = self._http.stream(
            method, path, params=_drop_missing(params), json=body,
            headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
        )  # fmt: skip
        async with request as response:
            if not response.is_success:
                raise error_of(response.status_code, response.headers, await response.aread(), self.server)
            yield response

    def unreachable(self, error: Exception) -> Unavailable:
        """What to say when no answer came."""
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unavailable(
                f"No server answers at {self.server} ({_reason(error)}). Start it with `anchorage up`, or check the address."
            )
        return Unavailable(
            f"The connection to {self.server} broke before its answer was whole ({_reason(error)}). See whether the server runs, and try again."
        )


def may_pass(error: AnchorageError, status: int) -> bool:
    """Whether the same request may well be answered in a moment: somebody is starting or draining, or was not found by a gateway.

    What the server has tried itself, such as a model that is away, is not tried again here.
    """
    return isinstance(error, Unavailable) and error.code == Unavailable.code and status in _GATEWAY


def _pause(error: AnchorageError, failures: int) -> float:
    asked = error.retry_after if isinstance(error, Unavailable) else None
    return backoff(failures) if asked is None else min(asked, _MOST_PATIENT)


def _is_unsent(error: httpx.TransportError) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _drop_missing(params: Params | None) -> dict[str, str | int | bool] | None:
    return {name: value for name, value in params.items() if value is not None} if params else None


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
