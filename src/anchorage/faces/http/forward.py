"""What this process leaves to the ingest role: the request goes on as it was understood, the answer comes back as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from anchorage.errors import AnchorageError, NotFound
from anchorage.faces.http.connection import while_connected
from anchorage.faces.http.problems import route_path
from anchorage.faces.http.state import principal, services
from anchorage.model import Principal
from anchorage.ports.forwarder import Forwarded, Forwarder, Reply

PLACES = ("/api/documents", "/api/collections", "/api/jobs", "/api/sources")
"""With all that is below them; and /add_text."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_WITH_BODY = ("POST", "PUT", "PATCH")
# Whatever else a client sends stays here: who it is was found out already, and lengths and encodings are the connection's own.
_PASSED_ON = (
    "accept",
    "accept-language",
    "content-type",
    "last-event-id",
    "if-none-match",
    "if-modified-since",
    "range",
)
_KEPT_BACK = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "date", "server", "x-request-id", "x-content-type-options",
}  # fmt: skip
_log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Forward what belongs to the ingest role."""
    below = [f"{place}/{{rest:path}}" for place in PLACES]
    for path in (*PLACES, *below, "/add_text"):
        app.router.routes.append(Route(path, endpoint=_Forward(path), include_in_schema=False))


@dataclass(frozen=True, slots=True)
class _Forward:
    path: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # what metrics name it by
        request = Request(scope, receive)
        opened, who = await services(request), await principal(request)
        if scope["method"] not in _METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(_METHODS)})
        if opened.forwarder is None:
            raise AssertionError("forwarding without a forwarder")
        if scope["method"] not in _WITH_BODY:  # a body that came all the same is read and dropped
            await while_connected(receive, _passed_on(opened.forwarder, who, _understood(request, None), send))
            return
        body = _Body(receive)
        try:
            await _passed_on(opened.forwarder, who, _understood(request, aiter(body)), send)
        except AnchorageError:
            if body.left:
                raise ClientDisconnect from None
            raise


class _Body:
    """A request's body in pieces, and whether its sender left in the middle."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.left = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left = True
                raise ClientDisconnect
            if piece := message.get("body", b""):
                yield piece
            more = message.get("more_body", False)


def _understood(request: Request, body: AsyncIterator[bytes] | None) -> Forwarded:
    path = route_path(request.scope)
    if any(part in (".", "..") for part in path.split("/")):
        raise NotFound(f"There is nothing at {path[:200]}. See /docs for what there is.")
    query = request.scope["query_string"].decode("latin-1")
    headers = {name: value for name in _PASSED_ON if (value := request.headers.get(name)) is not None}
    headers["x-request-id"] = request.scope["state"]["request_id"]
    return Forwarded(
        request.method, quote(path, safe="/:@!$&'()*+,;=~"), quote(query, safe="/:@!$&'()*+,;=~?%"), headers, body
    )


async def _passed_on(forwarder: Forwarder, who: Principal, request: Forwarded, send: Send) -> None:
    begun = False
    try:
        async with AsyncExitStack() as stack:
            reply = await stack.enter_async_context(forwarder.forward(who, request))
            await send({"type": "http.response.start", "status": reply.status, "headers": _headers(reply)})
            begun = True
            async for piece in reply.body:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except AnchorageError as error:
        if not begun:
            raise
        # The status is sent. Without an end to the response the server cuts the connection, and the client knows that it is not whole.
        _log.warning("forwarded_answer_broke_off", code=error.code, reason=error.message)
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    named = {name.strip().lower() for name in reply.headers.get("connection", "").split(",")}
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in reply.headers.items()
        if name not in _KEPT_BACK | named
    ]
