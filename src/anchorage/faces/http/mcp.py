"""MCP over streamable HTTP at /mcp: stateless, answered as JSON, with the principal of the request."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from anchorage.faces.http.connection import while_connected
from anchorage.faces.http.state import principal, services
from anchorage.faces.mcp import load_documents_server
from anchorage.wiring.services import Services


class McpEndpoint:
    """An ASGI app. The SDK is loaded by the first request: it weighs about 30 MB."""

    def __init__(self) -> None:
        self._module: Any = None
        self._server: Any = None
        self._of: Services | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # there are no sessions to end, and no streams to open
            response = Response(status_code=405, headers={"Allow": "POST"})
            await response(scope, receive, send)
            return
        request = Request(scope, receive)
        opened = await services(request)
        scope["state"]["principal"] = await principal(request)
        if self._of is not opened:
            self._module = await asyncio.to_thread(load_documents_server)
            self._server = self._module.documents_server(opened, lambda context: context.request.state.principal)
            self._of = opened
        body = await request.body()
        answered = False

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def watched() -> Message:
            message = await receive()
            return await _never() if answered else message  # the end of the response is no client that left

        await while_connected(watched, self._module.serve_http(self._server, scope, _replaying(body), noted))


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def _replaying(body: bytes) -> Receive:
    """What the SDK receives: the body that was read already, then nothing more; whether the client leaves is watched outside."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await _never()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
