"""A small web site: a real HTTP peer for tests, which misbehaves on demand.

async with web_site() as site:
    site.add_page("/a", "<h1>Hello</h1>")
    site.add_redirect("/old", "/a")
    site.add_endless_page("/drip", b"<p>more</p>", pause=0.01)
    ...  # a client of site.url
    assert site.count("/a") == 1
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from anchorage.testing.serving import serve_app


@dataclass(frozen=True, slots=True)
class SiteRequest:
    """A request as it came; `path` has its query."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False
    pause: float = 0
    cut: bool = False


class WebSite:
    """The ASGI app, its pages and its records. An unknown path is answered with 404."""

    def __init__(self) -> None:
        self.url = ""
        """Without a slash at its end."""
        self.requests: list[SiteRequest] = []
        self.sent = 0
        """Bytes of bodies handed to the network."""
        self._answers: dict[str, _Answer] = {}
        self._scripts: dict[str, deque[_Answer]] = {}
        self._marks: dict[str, str] = {}

    def add_page(
        self,
        path: str,
        body: str | bytes = "",
        media_type: str | None = "text/html; charset=utf-8",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
        cut: bool = False,
    ) -> None:
        """Serve a body at a path; with `once` only for the next request there, with `cut` breaking off before its end."""
        content = body.encode() if isinstance(body, str) else body
        named = {"content-type": media_type} if media_type else {}
        self._add(path, _Answer(status, content, {**named, **(headers or {})}, cut=cut), once=once)

    def answer_unchanged(self, path: str, mark: str) -> None:
        """Answer 304 to those who ask whether the page at a path still has this mark."""
        self._marks[path] = mark

    def add_redirect(self, path: str, to: str, status: int = 302) -> None:
        """Send visitors of a path elsewhere."""
        self._add(path, _Answer(status, b"", {"location": to}))

    def add_endless_page(
        self, path: str, piece: bytes, *, pause: float = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send the same piece for ever, with `pause` seconds between."""
        self._add(
            path, _Answer(200, piece, {"content-type": "text/html", **(headers or {})}, endless=True, pause=pause)
        )

    def _add(self, path: str, answer: _Answer, *, once: bool = False) -> None:
        if once:
            self._scripts.setdefault(path, deque()).append(answer)
        else:
            self._answers[path] = answer
            self._marks.pop(path, None)

    def count(self, path: str) -> int:
        """How many requests came for this path."""
        return sum(request.path == path for request in self.requests)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """The ASGI app."""
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.requests.append(SiteRequest(path, headers))
        script = self._scripts.get(path)
        answer = script.popleft() if script else self._answers.get(path, _Answer(404, b"nothing here"))
        if (mark := self._marks.get(path)) and mark in (headers.get("if-none-match"), headers.get("if-modified-since")):
            answer = _Answer(304)
        sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        if answer.cut and "content-length" not in answer.headers:
            sent.append((b"content-length", str(len(answer.body) + 1000).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        if answer.endless:
            await self._send_endlessly(answer, receive, send)
            return
        self.sent += len(answer.body)
        # An app that returns in mid-answer makes uvicorn close the connection.
        await send({"type": "http.response.body", "body": answer.body, "more_body": answer.cut})

    async def _send_endlessly(self, answer: _Answer, receive: Any, send: Any) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())  # done when the client leaves
        try:
            while not gone.done():
                await send({"type": "http.response.body", "body": answer.body, "more_body": True})
                self.sent += len(answer.body)
                await asyncio.wait({gone}, timeout=answer.pause)
        finally:
            gone.cancel()


@asynccontextmanager
async def web_site() -> AsyncIterator[WebSite]:
    """Run a site on a free port of 127.0.0.1 inside the running loop, until the context ends."""
    site = WebSite()
    async with serve_app(site) as address:
        site.url = address
        yield site
