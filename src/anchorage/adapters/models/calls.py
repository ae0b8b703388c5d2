"""One call of a model server that answers with one JSON document: embeddings, rerank scores, moderation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from anchorage.adapters.models.http import (
    CallFailed,
    Endpoint,
    RetryPolicy,
    encode,
    not_json,
    status_failed,
    timed_out,
    transport_failed,
)
from anchorage.adapters.models.pace import Pace


@dataclass(frozen=True, slots=True)
class JsonCall:
    """`POST {endpoint}/{path}` with all that its errors should name. The client is shared and belongs to the caller."""

    client: httpx.AsyncClient = field(repr=False)
    endpoint: Endpoint
    path: str
    model: str
    timeout: float
    timeout_setting: str
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    pace: Pace | None = None
    """Keeps to the rate limits that the server tells, where given."""

    async def once(self, payload: Mapping[str, Any], what: str, *, tokens: int = 0) -> Any:
        """The answer's JSON; `what` names it in an error, `tokens` is about what it costs. Raises `CallFailed`."""
        body = encode(payload)
        if self.pace is None:
            return await self._send(body, what)
        async with self.pace.turn(tokens):
            return await self._send(body, what)

    async def _send(self, body: bytes, what: str) -> Any:
        headers = {**self.endpoint.headers, "Content-Type": "application/json"}
        try:
            async with asyncio.timeout(self.timeout):
                response = await self.client.post(self.endpoint.url(self.path), content=body, headers=headers)
        except TimeoutError as error:
            raise timed_out(self.endpoint, self.timeout, what, self.timeout_setting) from error
        except httpx.HTTPError as error:
            raise transport_failed(self.endpoint, error) from error
        if self.pace is not None:
            self.pace.learn(response.headers)
        if response.status_code != 200:
            raise status_failed(
                self.endpoint, self.model, self.path, response.status_code, response.headers, response.content
            )
        try:
            return json.loads(response.content)
        except ValueError as error:
            raise not_json(self.endpoint, response.content) from error

    async def pause_after(self, failed: CallFailed, attempt: int) -> None:
        """Wait before the next attempt (0 was the first); raises the failure's error when there is to be none."""
        pause = self.retry.pause(attempt, failed.wait) if failed.retry else None
        if pause is None:
            raise failed.error from (failed.__cause__ or failed)
        await asyncio.sleep(pause)
