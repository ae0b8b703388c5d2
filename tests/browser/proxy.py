"""A proxy as it may stand before the server: it buffers, cuts streams, strips a prefix."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from anchorage.testing.serving import serve_app

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Proxy:
    """An ASGI app that passes requests on."""

    def __init__(self, target: str, prefix: str) -> None:
        self._target, self._prefix = target.rstrip("/"), prefix
        self.url = ""
        self.buffering = False
        self.cut_streams_after: int | None = None
        """Pieces of a stream, of which this many are passed on."""
        self.cuts = 0
        self.ended = asyncio.Event()
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self._client = self._client or httpx.AsyncClient(timeout=None)
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"].removeprefix(self._prefix)
        query = scope["query_string"].decode()
        headers = [
            (name.decode(), value.decode("latin-1")) for name, value in scope["headers"] if name not in (b"connection",)
        ]
        request = self._client.build_request(
            scope["method"], f"{self._target}{path}{'?' if query else ''}{query}", headers=headers, content=body
        )
        gone = asyncio.ensure_future(receive())
        try:
            response = await self._client.send(request, stream=True)
            passing = asyncio.ensure_future(self._pass_on(response, send))
            await asyncio.wait({passing, gone}, return_when=asyncio.FIRST_COMPLETED)
            passing.cancel()
            await asyncio.wait({passing})
            await response.aclose()
            if not passing.cancelled():
                passing.result()
        finally:
            gone.cancel()

    async def _pass_on(self, response: httpx.Response, send: Any) -> None:
        stream = "text/event-stream" in response.headers.get("content-type", "")
        kept = [(name, value) for name, value in response.headers.raw if name.lower().decode() not in _HOP]
        pieces = self._pieces(response, stream)
        first = await anext(pieces, b"")
        await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self, response: httpx.Response, stream: bool) -> AsyncIterator[bytes]:
        if stream and self.buffering:
            yield b"".join([piece async for piece in response.aiter_raw()])
            return
        count = 0
        async for piece in response.aiter_raw():
            count += 1
            if (
                stream
                and self.cut_streams_after is not None
                and count > self.cut_streams_after
                and b"event: done" not in piece
            ):
                self.cuts += 1
                return  # ends without a `done`
            yield piece

    async def run(self, ready: threading.Event) -> None:
        async with serve_app(self) as self.url:  # type: ignore[arg-type]
            ready.set()
            await self.ended.wait()
        if self._client:
            await self._client.aclose()


@contextmanager
def proxy(target: str, *, prefix: str = "") -> Iterator[Proxy]:
    """A running proxy before the target, in a thread of its own."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    running = Proxy(target, prefix)
    thread = threading.Thread(target=loop.run_until_complete, args=[running.run(ready)])
    thread.start()
    assert ready.wait(30)
    yield running
    loop.call_soon_threadsafe(running.ended.set)
    thread.join(30)
    loop.close()
