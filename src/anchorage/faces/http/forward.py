"""Forwards requests to the ingest role: the parsed request goes there, and the answer is streamed back."""

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
from anchorage.faces.http.connection import run_while_connected
from anchorage.faces.http.problems import strip_root_path
from anchorage.faces.http.state import get_principal, get_services
from anchorage.model import Principal
from anchorage.ports.forwarder import Forwarded, Forwarder, Reply

PLACES = ("/api/documents", "/api/collections", "/api/jobs", "/api/sources")
"""With all that is below them; and /add_text."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")
# Other headers of a client are not forwarded: its principal is known already, and lengths and encodings belong to the connection.
_REQUEST_HEADERS = (
    "accept",
    "accept-language",
    "content-type",
    "last-event-id",
    "if-none-match",
    "if-modified-since",
    "range",
)
_DROPPED_HEADERS = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "date", "server", "x-request-id", "x-content-type-options",
}  # fmt: skip
_log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Forward what belongs to the ingest role."""
    below = [f"{place}/{{rest:path}}" for place in PLACES]
    for path in (*PLACES, *below, "/add_text"):
        app.router.routes.append(Route(path, endpoint=_ForwardEndpoint(path), include_in_schema=False))


@dataclass(frozen=True, slots=True)
class _ForwardEndpoint:
    path: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # metrics name the request by it
        request = Request(scope, receive)
        opened, who = await get_services(request), await get_principal(request)
        if scope["method"] not in _METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(_METHODS)})
        if opened.forwarder is None:
            raise AssertionError("forwarding without a forwarder")
        if scope["method"] not in _METHODS_WITH_BODY:  # a body is read and dropped
            await run_while_connected(receive, _pass_on(opened.forwarder, who, _build_request(request, None), send))
            return
        body = _Body(receive)
        try:
            await _pass_on(opened.forwarder, who, _build_request(request, aiter(body)), send)
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


def _build_request(request: Request, body: AsyncIterator[bytes] | None) -> Forwarded:
    path = strip_root_path(request.scope)
    if any(part in (".", "..") for part in path.split("/")):
        raise NotFound(f"There is nothing at {path[:200]}. See /docs for what there is.")
    query = request.scope["query_string"].decode("latin-1")
    headers = {name: value for name in _REQUEST_HEADERS if (value := request.headers.get(name)) is not None}
    headers["x-request-id"] = request.scope["state"]["request_id"]
    return Forwarded(
        request.method, quote(path, safe="/:@!$&'()*+,;=~"), quote(query, safe="/:@!$&'()*+,;=~?%"), headers, body
    )


async def _pass_on(forwarder: Forwarder, who: Principal, request: Forwarded, send: Send) -> None:
    begun = False
    try:
        async with AsyncExitStack() as stack:
            reply = await stack.enter_async_context(forwarder.forward(who, request))
            await send({"type": "http.response.start", "status": reply.status, "headers": _select_headers(reply)})
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


def _select_headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    named = {name.strip().lower() for name in reply.headers.get("connection", "").split(",")}
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in reply.headers.items()
        if name not in _DROPPED_HEADERS | named
    ]
