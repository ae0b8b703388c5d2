"""Forwards requests to the role that takes uploads, jobs and sources.

No bytes of a request are copied: the client library writes a new one from the parsed method, path, query and a few headers.
So nothing goes through that two servers might read differently (lengths, encodings, a body where none belongs).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
)
from yarl import URL

from anchorage.adapters.roles.failures import make_unreachable_error, strip_login
from anchorage.adapters.roles.trust import vouch_for
from anchorage.errors import Unavailable
from anchorage.model import Principal
from anchorage.ports.forwarder import Forwarded, Reply

_RETRY_PAUSE = 0.2  # seconds before a second attempt to connect: in a rollout, it reaches another pod


class HttpForwarder:
    """Implements the `Forwarder` port. The caller owns the client. A request ends after `silence` seconds without data."""

    def __init__(
        self, client: ClientSession, url: str, token: str, *, connect_timeout: float = 2, silence: float = 300
    ) -> None:
        self._client, self._url, self._token = client, URL(url.rstrip("/")), token
        self._shown = strip_login(url)
        self._silence = silence
        self._timeout = ClientTimeout(total=None, connect=connect_timeout, sock_read=silence)

    @asynccontextmanager
    async def forward(self, principal: Principal, request: Forwarded) -> AsyncIterator[Reply]:
        """Send the request as the principal's, and stream the reply."""
        async with AsyncExitStack() as stack:
            response = await self._send_request(stack, principal, request)
            yield Reply(
                response.status, {k.lower(): v for k, v in response.headers.items()}, self._read_pieces(response)
            )

    async def _send_request(self, stack: AsyncExitStack, principal: Principal, request: Forwarded) -> ClientResponse:
        url = self._url.with_path(self._url.raw_path.rstrip("/") + request.path, encoded=True)
        url = URL(f"{url}?{request.query}", encoded=True) if request.query else url
        headers = {**request.headers, **vouch_for(principal, self._token), "Accept-Encoding": "identity"}
        for may_retry in (True, False):
            try:
                return await stack.enter_async_context(
                    self._client.request(
                        request.method, url, headers=headers, data=request.body, allow_redirects=False, timeout=self._timeout,
                    )
                )  # fmt: skip
            except (ClientConnectorError, ConnectionTimeoutError) as error:  # nothing was sent yet
                if not may_retry:
                    raise make_unreachable_error("ingest", self._shown, "INGEST_URL", error) from error
                await asyncio.sleep(_RETRY_PAUSE)
            except TimeoutError as error:
                raise self._make_silence_error() from error
            except ClientError as error:
                raise Unavailable(
                    f"The connection to the ingest role at {self._shown} broke off before it answered. Look at whether the request was "
                    "done, and send it again if not."
                ) from error
        raise AssertionError

    async def _read_pieces(self, response: ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_any():
                yield piece
        except TimeoutError as error:
            raise self._make_silence_error() from error
        except ClientError as error:
            raise Unavailable(
                f"The answer of the ingest role at {self._shown} broke off in the middle. Ask again."
            ) from error

    def _make_silence_error(self) -> Unavailable:
        return Unavailable(
            f"The ingest role at {self._shown} said nothing for {self._silence:g} s (ANCHORAGE_ROLES__SILENCE). Try again; if it stays, "
            "look at its log."
        )
