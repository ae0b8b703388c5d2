"""Streams of events, to clients who may leave and come back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import structlog
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from anchorage.chat.streaming.events import format_sent_event
from anchorage.errors import AnchorageError
from anchorage.faces.http.connection import run_while_connected
from anchorage.faces.http.middleware import DEFERRED_STREAM
from anchorage.ports.streams import Line
from anchorage.telemetry import STREAMS

_log = structlog.get_logger(__name__)


class EventStream(Response):
    """Logged events as server-sent events; a comment tells of silence, so that proxies keep the connection."""

    media_type = "text/event-stream"

    def __init__(self, first: Sequence[Line], rest: AsyncGenerator[Sequence[Line], None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._first, self._rest = first, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][DEFERRED_STREAM] = partial(self._stream, receive, send)

    async def _stream(self, receive: Receive, send: Send) -> None:
        STREAMS.inc()
        try:
            async with aclosing(self._rest):
                await run_while_connected(receive, self._send_lines(send))
        except ClientDisconnect:
            pass  # the client may come back for the rest
        except AnchorageError as error:
            # The status is sent already. A stream without `done` makes the client come back, and then it gets the error.
            _log.warning("stream_broken", code=error.code, reason=error.message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            STREAMS.dec()

    async def _send_lines(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": _encode_frames(self._first), "more_body": True})
        self._first = ()
        async for lines in self._rest:
            await send({"type": "http.response.body", "body": _encode_frames(lines), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _encode_frames(lines: Sequence[Line]) -> bytes:
    if not lines:
        return KEEPALIVE_COMMENT
    frames = []
    for n, logged in lines:
        kind, data = format_sent_event(n, logged)
        frames.append(f"event: {kind}\ndata: {data}\nid: {n}\n\n")
    return "".join(frames).encode()
