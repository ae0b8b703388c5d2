"""A vector server to which things happen: it is away, or whoever uses it is killed before or after one of its operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from anchorage.errors import DatabaseUnavailable
from anchorage.ports.vector_index import Filter, Point, Space, Vector, VectorServer

Happening = Callable[[str], Awaitable[None]]
"""Is told the name of an operation; raises what happens."""


class Killed(Exception):
    """The process ends here: nothing that follows is done, and nobody handles it."""


async def nothing(operation: str) -> None:
    """All is well."""


async def away(operation: str) -> None:
    """The server does not answer."""
    raise DatabaseUnavailable(f"The vector server did not answer ({operation}). Check that it runs.")


def killed_at(operation: str) -> Happening:
    """The caller is killed at an operation."""

    async def happening(name: str) -> None:
        if name == operation:
            raise Killed

    return happening


class TroubledVectors:
    """Implements `VectorServer` by another one."""

    transactional = False

    def __init__(self, server: VectorServer) -> None:
        self.server = server
        self.before: Happening = nothing
        self.after: Happening = nothing

    def heal(self) -> None:
        """Nothing happens any more."""
        self.before = self.after = nothing

    async def put(self, space: Space, points: Sequence[Point]) -> None:
        await self.before("put")
        await self.server.put(space, points)
        await self.after("put")

    async def delete(self, space: Space, chunk_ids: Sequence[int]) -> None:
        await self.before("delete")
        await self.server.delete(space, chunk_ids)
        await self.after("delete")

    async def drop(self, index_id: int) -> None:
        await self.before("drop")
        await self.server.drop(index_id)
        await self.after("drop")

    async def nearest(self, space: Space, vector: Vector, k: int, only: Filter) -> Sequence[tuple[int, float]]:
        await self.before("nearest")
        return await self.server.nearest(space, vector, k, only)

    async def vectors(self, space: Space, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        await self.before("vectors")
        return await self.server.vectors(space, chunk_ids)

    async def count(self, space: Space) -> int:
        await self.before("count")
        return await self.server.count(space)

    async def chunk_ids(self, space: Space, *, after: int, limit: int) -> Sequence[int]:
        await self.before("chunk_ids")
        return await self.server.chunk_ids(space, after=after, limit=limit)

    async def spaces(self) -> Sequence[int]:
        await self.before("spaces")
        return await self.server.spaces()

    async def ping(self) -> None:
        await self.before("ping")
        await self.server.ping()
