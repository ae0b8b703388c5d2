"""pgvector: a vector index that is a column of the catalog's chunks. It is scanned exactly until a graph (HNSW) is worth building.

Inserting a row into a living HNSW index costs a thousand times its COPY, and building the index over rows that are there takes a
fraction of inserting them one by one. So it is made when there is something to index, and after a first load, not during it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection, sql

from anchorage.adapters.postgres.batch import Binary, Statement, array, numbers, run
from anchorage.adapters.postgres.pool import Pool, connection_for, ping, translate_errors
from anchorage.adapters.postgres.tables import MAY_READ, IndexTables
from anchorage.errors import ConfigurationError
from anchorage.ports.vector_index import Filter, Space, Vector

_MAX_INDEXED_DIMENSION = 4000  # pgvector's limit for an HNSW index on halfvec
_MAX_IN_ROW = 3800  # dimensions of a vector that fits into a page beside the rest of its chunk
OVERDUE = 1_000_000  # chunks from which the graph is built even while more are coming
_NARROW_ROWS, _NUMBERS = 20_000, 20_000 * 384
CALM = 10.0  # seconds in which a load that is still going on shows
GROWS = 0.01  # a load has come to rest when it added less than this share in that time

_SETTINGS = "SELECT set_config('hnsw.ef_search', %s, false), set_config('hnsw.iterative_scan', 'strict_order', false)"
# A statement of its own: it is planned once, and as a column of the next one it would be planned with each question.
_HAS_GRAPH: LiteralString = """
SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE i.indrelid = '{chunks}'::regclass AND a.amname = 'hnsw')
"""
_ADD: LiteralString = "ALTER TABLE {chunks} ADD COLUMN embedding halfvec(dimension) NOT NULL"
# Else those of 2 kB and more lie outside the table, where a scan fetches each by itself: five times as slow, and the planner does not know.
_IN_ROW: LiteralString = "ALTER TABLE {chunks} ALTER COLUMN embedding SET STORAGE PLAIN"
_NEAREST: LiteralString = f"""
SELECT id, 1 - (embedding <=> $3::halfvec) FROM {{chunks}} WHERE {MAY_READ}
ORDER BY embedding <=> $3::halfvec LIMIT {{depth}}
"""
_COSINES: LiteralString = (
    f"SELECT id, 1 - (embedding <=> $4::halfvec) FROM {{chunks}} WHERE id = ANY($3::bigint[]) AND {MAY_READ}"
)
# HNSW can lose a whole neighbourhood: a small cluster of passages among many others is hard to reach from the top of the
# graph. From passages inside that the lexical index found, it is near.
_PROBE: LiteralString = f"""
SELECT id, 1 - (embedding <=> $3::halfvec) FROM (
    SELECT id, embedding FROM {{chunks}} WHERE {MAY_READ}
    ORDER BY embedding <=> (SELECT avg(embedding) FROM {{chunks}} WHERE id = ANY($4::bigint[])) LIMIT {{depth}}
) AS near
"""
_COLLECTION = "SELECT collection_id FROM anchorage.index_versions WHERE id = $1::bigint"
_VECTORS: LiteralString = "SELECT id, embedding::real[] FROM {chunks} WHERE id = ANY($1::bigint[])"
_INDEXES = """
SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'hnsw' AND i.indrelid = {chunks_name}::regclass
"""
_BUILD: LiteralString = "CREATE INDEX CONCURRENTLY ON {chunks} USING hnsw (embedding halfvec_cosine_ops) WITH (m = 24, ef_construction = 100)"


def worth_it(dimension: int) -> int:
    """Chunks from which the graph is worth building: up to there an exact scan takes about 4 ms, and misses nothing.

    A scan takes some 0.5 ns for each number of a vector: measured with Postgres 18 and pgvector 0.8 for 384 to 3,072 dimensions and 500 to
    20,000 rows, with the vectors in their rows. The graph takes 0.6 to 2 ms, and finds 95 to 99 of the true 100. So it is 20,000 chunks of 384
    dimensions, and as many numbers in all for wider vectors. For narrower ones the rows count, not the numbers.
    """
    return min(_NARROW_ROWS, _NUMBERS // dimension)


class PgvectorIndex:
    """Implements the `VectorIndex` port, and is a `VectorColumn` of the chunks, over a connection pool of a migrated database."""

    transactional = True
    name: LiteralString = "embedding"
    as_reals: LiteralString = "embedding::real[]"
    score: LiteralString = "1 - (k.embedding <=> $4::halfvec)"

    def __init__(self, pool: Pool, *, ef_search: int) -> None:
        self._pool = pool
        self._ef_search = ef_search
        self._set_to: WeakKeyDictionary[AsyncConnection[Any], int] = WeakKeyDictionary()
        self._growing: dict[int, tuple[int, float]] = {}  # size and since when, of what has no graph yet

    async def add_to(self, connection: AsyncConnection[Any], tables: IndexTables, dimension: int) -> None:
        if dimension > _MAX_INDEXED_DIMENSION:
            raise ConfigurationError(
                f"The embedder makes vectors of {dimension} dimensions; the index takes at most {_MAX_INDEXED_DIMENSION}. Choose "
                "another model or a shorter ANCHORAGE_EMBEDDING__DIMENSION."
            )
        await connection.execute(tables.fill(_ADD.replace("dimension", str(dimension))))
        if dimension <= _MAX_IN_ROW:
            await connection.execute(tables.fill(_IN_ROW))

    def encode(self, vectors: NDArray[np.float32]) -> list[bytes]:
        """Each row in the binary form of halfvec: dimension and zero as int16, then float16, big-endian."""
        head = np.array([vectors.shape[1], 0], dtype=">i2").tobytes()
        return [head + row.tobytes() for row in vectors.astype(">f2")]

    def parameter(self, vector: Vector) -> bytes:
        (encoded,) = self.encode(
            vector[np.newaxis]
        )  # as text, a wide one takes longer to write and to read than to compare
        return Binary(encoded)

    async def prepare(self, connection: AsyncConnection[Any], depth: int) -> None:
        ef_search = max(self._ef_search, depth)
        if self._set_to.get(connection) != ef_search:
            await connection.execute(_SETTINGS, (str(ef_search),))
            self._set_to[connection] = ef_search

    def nearest_statement(self, tables: IndexTables, depth: int) -> Statement:
        return tables.statement(_with_depth(_NEAREST, depth))

    def graph_statement(self, tables: IndexTables) -> Statement:
        return tables.statement(_HAS_GRAPH)

    def cosines_statement(self, tables: IndexTables) -> Statement:
        return tables.statement(_COSINES)

    def probe_statement(self, tables: IndexTables, depth: int) -> Statement:
        return tables.statement(_with_depth(_PROBE, depth))

    async def nearest(self, space: Space, vector: Vector, k: int, only: Filter) -> Sequence[tuple[int, float]]:
        tables, asked = IndexTables(space.index_id), self.parameter(vector)
        async with connection_for(self._pool, "looking for neighbours") as connection:
            (found,) = await run(connection, [(Statement(_COLLECTION.encode()), [str(space.index_id).encode()])])
            if not found:
                return []
            may_read = (str(found[0][0]).encode(), array(only.readers))
            if only.chunk_ids is not None:
                call = (tables.statement(_COSINES), (*may_read, numbers(only.chunk_ids), asked))
                (rows,) = await run(connection, [call])
                return sorted(rows, key=lambda row: -row[1])[:k]
            await self.prepare(connection, k)
            (rows,) = await run(connection, [(self.nearest_statement(tables, k), (*may_read, asked))])
            return rows

    async def vectors(self, space: Space, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        async with connection_for(self._pool, "reading vectors") as connection:
            (rows,) = await run(connection, [(IndexTables(space.index_id).statement(_VECTORS), [numbers(chunk_ids)])])
        return {row[0]: np.array(row[1], dtype=np.float32) for row in rows}

    async def count(self, space: Space) -> int:
        async with connection_for(self._pool, "counting vectors") as connection:
            cursor = await connection.execute(IndexTables(space.index_id).fill("SELECT count(*) FROM {chunks}"))
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def ping(self) -> None:
        with translate_errors("asking the vector database"):
            await ping(self._pool)

    async def tend(
        self, connection: AsyncConnection[Any], tables: IndexTables, dimension: int, chunks: int, *, settled: bool
    ) -> int:
        """Build the graph of an index that has grown large enough and has come to rest; returns its chunks then."""
        if await has_graph(connection, tables) or chunks < worth_it(dimension):
            self._growing.pop(tables.id, None)
            return 0
        now = time.monotonic()
        seen, since = self._growing.get(tables.id, (0, now))
        if chunks - seen > GROWS * chunks:
            seen, since = chunks, now
        self._growing[tables.id] = (seen, since)
        if not (settled or chunks >= OVERDUE or now - since >= CALM):
            return 0
        await _build(connection, tables)
        return chunks


def _with_depth(template: LiteralString, depth: int) -> LiteralString:
    return template.replace("{depth}", str(int(depth)))


async def has_graph(connection: AsyncConnection[Any], tables: IndexTables) -> bool:
    """Whether there is a valid one. What a build that was killed has left behind is removed."""
    cursor = await connection.execute(sql.SQL(_INDEXES).format(chunks_name=f"anchorage.chunks_{tables.id}"))
    for name, valid in await cursor.fetchall():
        if valid:
            return True
        await connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier("anchorage", name)))
    return False


async def _build(connection: AsyncConnection[Any], tables: IndexTables) -> None:
    """Build the graph while others read and write. The connection is in autocommit mode."""
    await connection.execute("SET statement_timeout = 0")
    try:
        await connection.execute(tables.fill(_BUILD))
    finally:
        if not connection.closed:
            await connection.execute("RESET statement_timeout")
