"""Middleware of every request: its id, its size limit, its log line and its metrics. Plain ASGI, so that streams are not buffered."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anchorage.faces.http.problems import PROBES, make_refusal, strip_root_path
from anchorage.faces.http.state import ProcessState
from anchorage.telemetry import HTTP_REQUESTS, HTTP_SECONDS

_log = structlog.get_logger(__name__)
_ID = re.compile(r"[\w.:@/-]{1,128}")
DEFERRED_STREAM = "afterwards"
"""The key in a request's state under which a response puts its stream. It is sent when the layers of the request have returned, which it
need not keep in memory."""


class RequestContext:
    """Gives every request an id (the client's `X-Request-Id`, or a new one) and counts it by its route.

    A process that is about to end closes each connection after its response, so that the client's next request goes elsewhere. The client of
    a stream, which may last long, learns it at its beginning: else its next request could meet the connection as it closes.
    """

    def __init__(self, app: ASGIApp, state: ProcessState | None = None) -> None:
        self._app, self._process = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client_id = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = client_id if _ID.fullmatch(client_id) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                HTTP_SECONDS.labels(scope["method"], _get_route_pattern(scope)).observe(time.perf_counter() - started)
                message["headers"] = [
                    *message["headers"], (b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff"),
                ]  # fmt: skip
                if self._process is not None and (
                    self._process.draining or (self._process.lingers and _is_stream(message["headers"]))
                ):
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
                if stream := scope["state"].pop(DEFERRED_STREAM, None):
                    for key in [key for key in scope if key.startswith("fastapi_")]:
                        del scope[key]  # the exit stacks of the request, closed by now
                    await stream()
            finally:
                HTTP_REQUESTS.labels(scope["method"], _get_route_pattern(scope), str(status)).inc()
                if strip_root_path(scope) not in PROBES:
                    milliseconds = round((time.perf_counter() - started) * 1000, 1)
                    _log.info("request", method=scope["method"], path=scope["path"], status=status, ms=milliseconds)


def _is_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)


def _get_route_pattern(scope: Scope) -> str:
    """The route's pattern: it has few values, paths have many."""
    return getattr(scope.get("route"), "path", "other")


class BodyLimit:
    """Refuses bodies beyond a limit, by their declared length or while they are received."""

    def __init__(self, app: ASGIApp, *, limit: int, upload_path: str, upload_limit: int) -> None:
        self._app = app
        self._limit, self._upload_path, self._upload_limit = limit, upload_path, upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        upload = strip_root_path(scope).rstrip("/") == self._upload_path
        limit = self._upload_limit if upload else self._limit
        received, refused = 0, False

        async def refuse() -> None:
            setting = "ANCHORAGE_HTTP__MAX_UPLOAD_BYTES" if upload else "ANCHORAGE_HTTP__MAX_BODY_BYTES"
            too_large = make_refusal(
                scope,
                413,
                "too_large",
                f"The request's body is larger than {limit} bytes ({setting}). Send less at once.",
            )
            await too_large(scope, receive, send)

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await refuse()
            return

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # The application sees a client that left. Whatever it answers, the client gets the refusal.
            return {"type": "http.disconnect"} if received > limit else message

        async def send_unless_refused(message: Message) -> None:
            nonlocal refused
            if received <= limit:
                await send(message)
            elif not refused:
                refused = True
                await refuse()

        await self._app(scope, receive_counted, send_unless_refused)


_OWN_PATHS = {"/api", "/v1", "/mcp", "/docs", "/assets", "/c", "/documents", "/sources", "/system"}


class RootPath:
    """Accepts requests below the root path, whether an ingress stripped it or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        # The server has prepended it already, so a path that was not stripped begins with it twice.
        if root and root not in _OWN_PATHS and f"{scope['path']}/".startswith(f"{root}{root}/"):
            scope = {**scope, "path": scope["path"][len(root) :] if scope["path"] != root * 2 else f"{root}/"}
        await self._app(scope, receive, send)
