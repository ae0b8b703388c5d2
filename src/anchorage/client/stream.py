"""An answer as it is written, whatever happens to the connection: events are numbered, so reading goes on where it broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx

from anchorage.api import AskEvent
from anchorage.client.decode import decode_answer, decode_hit
from anchorage.client.problems import error_named
from anchorage.client.transport import Transport, backoff, may_pass
from anchorage.errors import AnchorageError, BadRequest, NotFound, Unavailable
from anchorage.fastjson import loads

_RESUMES = 8  # failures in a row, without one event between them, after which it is given up: about 20 seconds
_GONE = 204


async def sse_events(pieces: AsyncIterable[bytes]) -> AsyncGenerator[Mapping[str, Any], None]:
    """The JSON objects of server-sent events. Lines end with a line feed, as Anchorage writes them: in JSON it never stands bare."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield loads(line[5:].strip())


class AnswerStream:
    """One question and its answer. The ids are the caller's, so that asking twice is answered once."""

    def __init__(self, transport: Transport, body: Mapping[str, Any]) -> None:
        self._transport, self._body = transport, {**body, "stream": True}
        self._conversation, self._message = str(body["conversation_id"]), str(body["message_id"])
        self._position: int | None = None
        self._failures = 0
        self._begun = False

    async def events(self) -> AsyncGenerator[AskEvent, None]:
        """The events up to the answer. Raises the error that the turn ended with, and `Unavailable` where no server goes on with it."""
        while True:
            after = self._position
            try:
                async with aclosing(self._read(after)) as attempt:
                    async for event in attempt:
                        if event["type"] == "done":
                            return
                        yield self._decode(event)
                reason: Exception = httpx.RemoteProtocolError("it ended early")
            except httpx.TransportError as error:
                reason = error
            except Unavailable as error:
                if not may_pass(error, error.status):
                    raise
                reason = error
            except (NotFound, BadRequest) as error:
                if after is None:
                    raise
                # The log knows nothing of it, or less than we have had. The question has an id: it is answered once.
                self._position, reason = None, error
            await self._wait(reason)

    async def _read(self, after: int | None) -> AsyncGenerator[Mapping[str, Any], None]:
        """The events of one connection: those after the last one that came, or from the beginning."""
        if after is None:
            opening = self._transport.stream("POST", "/api/chat", body=self._body)
        else:
            path = f"/api/chat/{quote(self._conversation, safe='')}/events"
            opening = self._transport.stream("GET", path, params={"after": after})
        async with opening as response:
            if response.status_code == _GONE:
                self._position = None
                return
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise BadRequest(f"{self._transport.server} sent no stream. Check the address.")
            if after is None and self._begun:
                yield {"type": "reset"}  # what comes may have been said already
            async with aclosing(sse_events(response.aiter_raw())) as events:
                async for event in events:
                    self._position, self._failures = event["n"], 0
                    if not (self._begun and event["type"] == "start"):
                        yield event
                    self._begun = True

    async def _wait(self, reason: Exception) -> None:
        self._failures += 1
        most = _RESUMES if self._begun else self._transport.retries
        if self._failures > most:
            if isinstance(reason, AnchorageError):
                raise reason
            raise self._transport.unreachable(reason) from reason
        asked = reason.retry_after if isinstance(reason, Unavailable) else None
        await asyncio.sleep(min(asked, backoff(99)) if asked is not None else backoff(self._failures))

    def _decode(self, event: Mapping[str, Any]) -> AskEvent:
        kind = event["type"]
        if kind == "error":
            raise error_named(event["code"], event["message"])
        return AskEvent(
            kind,
            self._conversation,
            self._message,
            text=event.get("text", ""),
            hits=tuple(map(decode_hit, event["hits"])) if kind == "hits" else (),
            answer=decode_answer(event) if kind == "answer" else None,
        )
