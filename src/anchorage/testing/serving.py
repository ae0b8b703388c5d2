"""Runs an ASGI app as a real HTTP server inside the running event loop, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


class _LoopServer(uvicorn.Server):
    """A uvicorn that lives in a loop of somebody else's, whose signals it leaves alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serve_app(app: Any, *, http: Any = "auto") -> AsyncIterator[str]:
    """Serve on a free port of 127.0.0.1 until the context ends; gives the address, without a slash at its end."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: see faces/http/server.py
    listener.bind(("127.0.0.1", 0))
    server = _LoopServer(
        uvicorn.Config(app, http=http, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5)
    )
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
