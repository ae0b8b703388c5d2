"""mcp: a server for MCP clients that start it themselves, on stdin and stdout."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from anchorage.errors import BadRequest
from anchorage.faces.cli.options import Data, settings_for

_SERVERS = ("documents",)


def mcp(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Which server: `documents` (search, ask, list_documents).")
    ],
    data: Data = None,
) -> None:
    """Run an MCP server on stdin and stdout, for clients such as editors and desktop assistants."""
    if name not in _SERVERS:
        raise BadRequest(f"There is no MCP server {name!r}. There is: {', '.join(_SERVERS)}.")
    settings = settings_for(data)

    async def run() -> None:
        from anchorage.faces.mcp import load_documents_server
        from anchorage.wiring.services import open_services

        server = load_documents_server()
        async with open_services(settings) as services:
            await server.serve_stdio(services)

    # A thread waits for the next line of stdin, and nothing wakes it: what ends this process by a signal ends it at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(run())
