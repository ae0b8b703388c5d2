"""The upkeep port on Postgres: merges segments, tends the column of the vectors, and compares the vector servers with Postgres."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection, IsolationLevel
from psycopg.errors import UndefinedTable

from anchorage.adapters.postgres.catalog.collections import all_indexes
from anchorage.adapters.postgres.catalog.documents import WRITE_TIMEOUT
from anchorage.adapters.postgres.comparison import Comparison, Embed
from anchorage.adapters.postgres.lexical.segments import merge_step, size_of
from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorIndexes
from anchorage.errors import AnchorageError
from anchorage.telemetry import record_degradation

_LOCK, _POLL = 20762, 0.2  # seconds


class PostgresUpkeep:
    """Implements the `Upkeep` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool, vectors: VectorIndexes, comparison: Comparison) -> None:
        self._pool = pool
        self._vectors = vectors
        self._comparison = comparison

    def restore_with(self, embed: Embed) -> None:
        """How vectors that a server has lost are made anew; without it they are only told of."""
        self._comparison.embed = embed

    async def maintain(self, *, settled: bool = False, wait: bool = False) -> int:
        async with connection_for(self._pool, "merging index segments") as connection:
            while not await _is_alone(connection):
                if not wait:
                    return 0
                await asyncio.sleep(_POLL)  # inside the lock's own wait it would keep a vector index from being built
            try:
                return await self._one_piece(connection, settled)
            finally:
                if not connection.closed:
                    await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))

    async def _one_piece(self, connection: AsyncConnection[Any], settled: bool) -> int:
        indexes = await all_indexes(connection)
        if done := await self._merge_segments(connection, indexes) or await self._tend_columns(
            connection, indexes, settled
        ):
            return done
        try:
            return await self._comparison.compare_some(connection, indexes)
        except AnchorageError as error:  # a server is away; questions say so, too
            record_degradation("vector_upkeep", error.message)
            return 0

    async def _merge_segments(self, connection: AsyncConnection[Any], indexes: list[LiveIndex]) -> int:
        merged = 0
        for index in indexes:
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            try:
                with suppress(UndefinedTable):  # dropped since it was listed
                    async with connection.transaction():
                        await connection.execute(WRITE_TIMEOUT)
                        merged += await merge_step(connection, index.tables)
            finally:
                if not connection.closed:
                    await connection.set_isolation_level(None)
        return merged

    async def _tend_columns(self, connection: AsyncConnection[Any], indexes: list[LiveIndex], settled: bool) -> int:
        for index in indexes:
            column = self._vectors.column_or_none(index.spec)
            if column is None:
                continue
            with suppress(UndefinedTable):  # dropped since it was listed
                size, dimension = await size_of(connection, index.tables), index.spec.embedder.dimension
                if done := await column.tend(connection, index.tables, dimension, size, settled=settled):
                    return done
        return 0


async def _is_alone(connection: AsyncConnection[Any]) -> bool:
    """Take the lock of upkeep, unless somebody else has it."""
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))).fetchone()
    return bool(row and row[0])
