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
    encode,
    not_json,
    read_whole,
    status_failed,
    timed_out,
    transport_failed,
)
from anchorage.adapters.models.pace import Pace
from anchorage.fastjson import loads


@dataclass(frozen=True, slots=True)
class JsonCall:
    """`POST {endpoint}/{path}` with all that its errors should name. The client is shared and belongs to the caller."""

    client: ClientSession = field(repr=False)
    endpoint: Endpoint
    path: str
    model: str
    timeout: float
    timeout_setting: str
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    pace: Pace | None = None
    """Keeps to the rate limits that the server tells, where given."""
    longest_wait: float | None = None
    """Seconds that this call may be held back for that."""

    async def once(self, payload: Mapping[str, Any], what: str, *, tokens: int = 0) -> Any:
        """The answer's JSON; `what` names it in an error, `tokens` is about what it costs. Raises `CallFailed` and `NoRoom`."""
        body = encode(payload)
        if self.pace is None:
            return await self._send(body, what)
        async with self.pace.turn(tokens, self.longest_wait):
            return await self._send(body, what)

    async def _send(self, body: bytes, what: str) -> Any:
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
                said = await read_whole(response, self.endpoint)
        except ClientError as error:  # before TimeoutError, which some of these are too
            raise transport_failed(self.endpoint, error) from error
        except TimeoutError as error:
            raise timed_out(self.endpoint, self.timeout, what, self.timeout_setting) from error
        if self.pace is not None:
            self.pace.learn(response.headers)
        if response.status != 200:
            raise status_failed(self.endpoint, self.model, self.path, response.status, response.headers, said)
        try:
            return loads(said)
        except ValueError as error:
            raise not_json(self.endpoint, said) from error

    async def pause_after(self, failed: CallFailed, attempt: int) -> None:
        """Wait before the next attempt (0 was the first); raises the failure's error when there is to be none."""
        pause = self.retry.pause(attempt, failed.wait) if failed.retry else None
        if pause is None:
            raise failed.error from (failed.__cause__ or failed)
        await asyncio.sleep(pause)
