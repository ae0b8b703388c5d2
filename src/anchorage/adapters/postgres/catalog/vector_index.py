"""The vector index of a collection: made when there is something to index, and after a first load, not during it.

Inserting a row into a living HNSW index costs a thousand times its COPY, and building the index over rows that are there takes a
fraction of inserting them one by one. Until it is there, questions are answered by an exact scan.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, sql

from anchorage.adapters.postgres.catalog.tables import IndexTables

WORTH_IT = 20_000  # chunks up to which the exact scan is as fast
OVERDUE = 1_000_000  # chunks from which it is built even while more are coming
CALM = 10.0  # seconds in which a load that is still going on shows
GROWS = 0.01  # a load has come to rest when it added less than this share in that time
_EXISTS = """
SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'hnsw' AND i.indrelid = {chunks_name}::regclass
"""


async def size_without_index(connection: AsyncConnection[Any], tables: IndexTables) -> int:
    """How many chunks there are, when they have no vector index; else 0."""
    cursor = await connection.execute(sql.SQL(_EXISTS).format(chunks_name=f"anchorage.chunks_{tables.id}"))
    for name, valid in await cursor.fetchall():
        if valid:
            return 0
        # What a build that was killed has left behind.
        await connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier("anchorage", name)))
    cursor = await connection.execute(tables.fill("SELECT coalesce(sum(chunks), 0)::bigint FROM {segments}"))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def build(connection: AsyncConnection[Any], tables: IndexTables) -> None:
    """Build the index while others read and write. The connection is in autocommit mode."""
    await connection.execute("SET statement_timeout = 0")
    try:
        await connection.execute(
            tables.fill(
                "CREATE INDEX CONCURRENTLY ON {chunks} USING hnsw (embedding halfvec_cosine_ops) WITH (m = 24, ef_construction = 100)"
            )
        )
    finally:
        if not connection.closed:
            await connection.execute("RESET statement_timeout")
