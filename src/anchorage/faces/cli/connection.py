"""Where commands do their work: at the server that runs on the data directory, else in this process."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anchorage.errors import AnchorageError
from anchorage.faces.cli.options import settings_for
from anchorage.faces.running import Running, find_running
from anchorage.settings.environment import data_dir, environment_values

if TYPE_CHECKING:  # each loads when it is needed
    from anchorage.api import Api
    from anchorage.client import Client
    from anchorage.faces.python import Anchorage

_PROBE = 2.0  # seconds that a server has to prove itself
_SILENCE = 600.0  # seconds; deleting a collection may take some


@asynccontextmanager
async def open_api(data: Path | None) -> AsyncIterator[Api]:
    """The Python API over the running server; embedded where none runs, or where the environment asks for what it does not have."""
    if server := await find_server(data):
        async with server as client:
            yield client
    else:
        async with open_embedded(data) as anchorage:
            yield anchorage


@asynccontextmanager
async def open_embedded(data: Path | None) -> AsyncIterator[Anchorage]:
    """The Python API in this process."""
    from anchorage.faces.python import Anchorage

    async with Anchorage.over(settings_for(data)) as anchorage:
        yield anchorage


async def find_server(data: Path | None) -> Client | None:
    """A client of the server that runs on the data directory with our settings."""
    found = find_running(data_dir(data))
    if found is None or not found.has_settings_of(environment_values()) or not await _listens(found):
        return None
    from anchorage.client import Client

    client = Client(found.url, timeout=_SILENCE)
    if await _proves_itself(client, found):
        return client
    await client.aclose()
    return None


async def _listens(server: Running) -> bool:
    try:
        async with asyncio.timeout(_PROBE):
            _, writer = await asyncio.open_connection(server.host, server.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _proves_itself(client: Client, server: Running) -> bool:
    """Whether it is that server, and not another one at a port that was free again."""
    challenge = secrets.token_hex(16)
    try:
        async with asyncio.timeout(_PROBE):
            proof = await client.prove(challenge)
    except (AnchorageError, ValueError, TypeError, KeyError, TimeoutError):
        return False
    return hmac.compare_digest(proof.encode(), server.proof(challenge).encode())
