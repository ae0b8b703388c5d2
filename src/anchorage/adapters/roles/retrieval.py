"""Retrieval over HTTP, by the role that only retrieves."""

from __future__ import annotations

import asyncio
import random
import time

from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ConnectionTimeoutError
from pydantic import ValidationError

from anchorage.adapters.roles.failures import make_unreachable_error, parse_failure, strip_login
from anchorage.adapters.roles.trust import vouch_for
from anchorage.errors import AnchorageError, ConfigurationError, NotAllowed, Unavailable
from anchorage.model import Principal
from anchorage.ports.retrieval_role import Found, Retrieval
from anchorage.ports.roles import asked_form, found_form

_ATTEMPTS = 2
_PAUSE = 0.1  # seconds between them: in a rollout, the next connection reaches another pod
_PING_TTL = 2.0  # seconds that a ping's outcome is good for
_PING_TIMEOUT = 1.5
_MAX_ANSWER_BYTES = 64 * 1024**2


class HttpRetrievalRole:
    """Asks `POST {url}/internal/retrieve`. The client is shared and belongs to the caller; `timeout` is in seconds."""

    def __init__(self, client: ClientSession, url: str, token: str, *, timeout: float) -> None:
        self._client, self._url, self._token, self._timeout = client, url.rstrip("/"), token, timeout
        self._shown = strip_login(url)
        self._pinged_at, self._state = -_PING_TTL, ""

    async def find(self, principal: Principal, asked: Retrieval) -> Found:
        """Retrieve. A search changes nothing, so it is retried when no answer came."""
        body = asked_form().dump_json(asked)
        try:
            async with asyncio.timeout(self._timeout):
                for attempt in range(_ATTEMPTS):
                    try:
                        return await self._request_once(principal, body)
                    except Unavailable as error:
                        if attempt == _ATTEMPTS - 1 or type(error) is not Unavailable:
                            raise
                    await asyncio.sleep(random.uniform(0.5, 1.0) * _PAUSE)
        except TimeoutError as error:
            raise Unavailable(
                f"The retrieval role at {self._shown} did not answer within {self._timeout:g} s "
                "(ANCHORAGE_ROLES__RETRIEVAL_TIMEOUT). Ask again; if it stays, run more of it."
            ) from error
        raise AssertionError

    async def _request_once(self, principal: Principal, body: bytes) -> Found:
        headers = {**vouch_for(principal, self._token), "Content-Type": "application/json"}
        try:
            async with self._client.post(
                f"{self._url}/internal/retrieve", data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = await _read_body(response)
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise make_unreachable_error("retrieval", self._shown, "RETRIEVAL_URL", error) from error
        except ClientError as error:
            raise Unavailable(
                f"The retrieval role at {self._shown} broke the connection off before its answer was whole. Ask again."
            ) from error
        if response.status != 200:
            raise self._explain_refusal(response.status, answer)
        try:
            return found_form().validate_json(answer)
        except ValidationError as error:
            raise ConfigurationError(
                f"{self._shown} does not answer as the retrieval role does. Check RETRIEVAL_URL, and run the same release everywhere."
            ) from error

    def _explain_refusal(self, status: int, answer: bytes) -> AnchorageError:
        failure = parse_failure(answer)
        if isinstance(failure, NotAllowed):
            return ConfigurationError(
                f"The retrieval role at {self._shown} does not take this process for one of its installation. Give both the same "
                "ANCHORAGE_ROLES__TOKEN."
            )
        if failure is not None:
            return failure
        if status in (404, 405):
            return ConfigurationError(
                f"{self._shown} is not the retrieval role: it has no /internal/retrieve. Set RETRIEVAL_URL to where "
                "`anchorage serve --only retrieval` answers."
            )
        return Unavailable(
            f"The retrieval role at {self._shown} failed with HTTP {status}. Ask again, and look at its log."
        )

    async def ping(self) -> None:
        """Check that the role answers. Behind a Kubernetes Service, a pod that is ready does. Raises `Unavailable`."""
        if time.monotonic() - self._pinged_at >= _PING_TTL:
            self._state = ""
            try:
                async with asyncio.timeout(_PING_TIMEOUT), self._client.get(f"{self._url}/livez") as response:
                    if response.status != 200:
                        self._state = f"HTTP {response.status}"
            except (ClientError, TimeoutError) as error:
                self._state = str(error) or "no answer in time"
            self._pinged_at = time.monotonic()
        if self._state:
            raise Unavailable(f"The retrieval role at {self._shown} does not answer ({self._state}).")


async def _read_body(response: ClientResponse) -> bytes:
    body = bytearray()
    while piece := await response.content.readany():
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            raise ConfigurationError(
                f"The retrieval role sent an answer of more than {_MAX_ANSWER_BYTES} bytes. Check RETRIEVAL_URL."
            )
    return bytes(body)
