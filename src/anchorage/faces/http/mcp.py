"""MCP over streamable HTTP at /mcp: stateless, answered as JSON, with the principal of the request."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from anchorage.faces.http.connection import run_while_connected
from anchorage.faces.http.state import get_principal, get_services
from anchorage.faces.mcp import load_documents_server
from anchorage.wiring.services import Services


class McpEndpoint:
    """An ASGI app. The SDK is loaded by the first request: it weighs about 30 MB."""

    def __init__(self) -> None:
        self._module: Any = None
        self._server: Any = None
        self._services: Services | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # there are no sessions to end, and no streams to open
            response = Response(status_code=405, headers={"Allow": "POST"})
            await response(scope, receive, send)
            return
        request = Request(scope, receive)
        opened = await get_services(request)
        scope["state"]["principal"] = await get_principal(request)
        if self._services is not opened:
            self._module = await asyncio.to_thread(load_documents_server)
            self._server = self._module.create_documents_server(opened, lambda context: context.request.state.principal)
            self._services = opened
        body = await request.body()
        answered = False

        async def send_and_note_end(message: Message) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def receive_until_end() -> Message:
            message = await receive()
            # After the response, a disconnect does not say that the client left.
            return await _wait_forever() if answered else message

        await run_while_connected(
            receive_until_end, self._module.serve_http(self._server, scope, _replay_body(body), send_and_note_end)
        )


async def _wait_forever() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def _replay_body(body: bytes) -> Receive:
    """A `receive` for the SDK: the body that was read already, then nothing. The caller watches whether the client leaves."""
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await _wait_forever()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
