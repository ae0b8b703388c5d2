"""One call of a model server that answers with one JSON document: embeddings, rerank scores, moderation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import (
    CallFailed,
    RetryPolicy,
    encode_body,
    make_format_error,
    make_status_error,
    make_timeout_error,
    make_transport_error,
    read_body,
)
from anchorage.adapters.models.pace import RateLimiter
from anchorage.fastjson import loads


@dataclass(frozen=True, slots=True)
class JsonCall:
    """Calls `POST {endpoint}/{path}`, and holds what its error messages name. The caller owns the client, which others use too."""

    client: ClientSession = field(repr=False)
    endpoint: Endpoint
    path: str
    model: str
    timeout: float
    timeout_setting: str
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    pace: RateLimiter | None = None
    """Keeps the calls within the rate limits that the server announces. None: no limit is kept."""
    longest_wait: float | None = None
    """Seconds that this call may wait for the rate limit."""

    async def request_once(self, payload: Mapping[str, Any], what: str, *, tokens: int = 0) -> Any:
        """Send one request and return the JSON of its answer. Raises `CallFailed` and `NoRoom`.

        `what` names the answer in an error message; `tokens` is about how many tokens the request costs.
        """
        body = encode_body(payload)
        if self.pace is None:
            return await self._post(body, what)
        async with self.pace.reserve(tokens, self.longest_wait):
            return await self._post(body, what)

    async def _post(self, body: bytes, what: str) -> Any:
        headers = {**self.endpoint.headers, "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self.timeout),
                self.client.post(
                    self.endpoint.url(self.path),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    proxy=self.endpoint.proxy,
                ) as response,
            ):
                answer = await read_body(response, self.endpoint)
        except ClientError as error:  # before TimeoutError, which some of these are too
            raise make_transport_error(self.endpoint, error) from error
        except TimeoutError as error:
            raise make_timeout_error(self.endpoint, self.timeout, what, self.timeout_setting) from error
        if self.pace is not None:
            self.pace.learn_limits(response.headers)
        if response.status != 200:
            raise make_status_error(self.endpoint, self.model, self.path, response.status, response.headers, answer)
        try:
            return loads(answer)
        except ValueError as error:
            raise make_format_error(self.endpoint, answer) from error

    async def back_off(self, failed: CallFailed, attempt: int) -> None:
        """Wait before the next attempt (0 was the first). Raises the failure's error when no further attempt is allowed."""
        pause = self.retry.compute_backoff(attempt, failed.wait) if failed.retry else None
        if pause is None:
            raise failed.error from (failed.__cause__ or failed)
        await asyncio.sleep(pause)
