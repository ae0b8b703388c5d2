"""A vector server of its own, and a client of it: so that a process that uses it can be killed, and the server stays."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from anchorage.errors import DatabaseUnavailable
from anchorage.ports.vector_index import Filter, Point, Space, Vector, VectorServer

SCHEME = "memory"


@asynccontextmanager
async def serve_vectors(server: VectorServer) -> AsyncIterator[str]:
    """Serve what this process has; yields the URL for the settings. The bodies are pickles, so it is for tests alone."""

    async def operate(request: web.Request) -> web.Response:
        given, named = pickle.loads(await request.read())  # noqa: S301  of this machine's tests
        return web.Response(body=pickle.dumps(await getattr(server, request.match_info["operation"])(*given, **named)))

    app = web.Application(client_max_size=2**28)
    app.router.add_post("/{operation}", operate)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"{SCHEME}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_served_vectors(url: str, timeout: float) -> AsyncIterator[VectorServer]:
    """The server at a URL, with seconds for each request: what a line in `wiring.stores.VECTOR_SERVERS` names."""
    place = url.replace(f"{SCHEME}://", "http://", 1)
    async with ClientSession(place, timeout=ClientTimeout(timeout)) as client:
        yield ServedVectors(client)


class ServedVectors:
    """Implements `VectorServer`."""

    transactional = False

    def __init__(self, client: ClientSession) -> None:
        self._client = client

    async def put(self, space: Space, points: Sequence[Point]) -> None:
        await self._ask("put", space, points)

    async def delete(self, space: Space, chunk_ids: Sequence[int]) -> None:
        await self._ask("delete", space, chunk_ids)

    async def drop(self, index_id: int) -> None:
        await self._ask("drop", index_id)

    async def nearest(self, space: Space, vector: Vector, k: int, only: Filter) -> Sequence[tuple[int, float]]:
        found: Sequence[tuple[int, float]] = await self._ask("nearest", space, vector, k, only)
        return found

    async def vectors(self, space: Space, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        found: Mapping[int, Vector] = await self._ask("vectors", space, chunk_ids)
        return found

    async def count(self, space: Space) -> int:
        found: int = await self._ask("count", space)
        return found

    async def chunk_ids(self, space: Space, *, after: int, limit: int) -> Sequence[int]:
        found: Sequence[int] = await self._ask("chunk_ids", space, after=after, limit=limit)
        return found

    async def spaces(self) -> Sequence[int]:
        found: Sequence[int] = await self._ask("spaces")
        return found

    async def ping(self) -> None:
        await self._ask("ping")

    async def _ask(self, operation: str, *given: Any, **named: Any) -> Any:
        try:
            async with self._client.post(f"/{operation}", data=pickle.dumps((given, named))) as answer:
                answer.raise_for_status()
                return pickle.loads(await answer.read())  # noqa: S301  likewise
        except (ClientError, TimeoutError) as error:
            raise DatabaseUnavailable(
                f"The vector server did not answer ({operation}). Check ANCHORAGE_VECTORS__URL, and that it runs."
            ) from error
