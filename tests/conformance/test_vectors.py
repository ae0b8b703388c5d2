"""Vector indexes against the suites of their port."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.tables import IndexTables
from anchorage.adapters.vectors.pgvector import PgvectorIndex
from anchorage.ports.vector_index import Point, Space, VectorIndex, VectorServer
from anchorage.testing.conformance.vector_index import (
    DIMENSION,
    DOCUMENT,
    VectorIndexConformance,
    VectorServerConformance,
)
from anchorage.testing.memory_vectors import MemoryVectors
from anchorage.testing.troubled_vectors import TroubledVectors
from anchorage.testing.vector_server import open_served_vectors, serve_vectors


class TestPgvector(VectorIndexConformance):
    """Its points are rows of Anna's collection."""

    @pytest.fixture
    def index(self, pool: Pool) -> VectorIndex:
        return PgvectorIndex(pool, ef_search=120)

    @pytest.fixture
    async def space(self, pool: Pool, index: PgvectorIndex) -> Space:
        self._pool = pool
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "WITH c AS (INSERT INTO anchorage.collections (name, owner, readers) VALUES ('c', 'anna', '{user:anna}') RETURNING id), "
                "d AS (INSERT INTO anchorage.documents (id, collection_id, uri, title, status) SELECT %s, id, 'u', '', 'indexed' FROM c) "
                "INSERT INTO anchorage.index_versions (collection_id, spec, live) SELECT id, '{}', true FROM c RETURNING id",
                (UUID(DOCUMENT),),
            )
            (index_id,) = await cursor.fetchone() or (0,)
            tables = IndexTables(index_id)
            await connection.execute(tables.fill("CREATE TABLE {chunks} (id bigint PRIMARY KEY)"))
            await index.add_to(connection, tables, DIMENSION)
        return Space(index_id, DIMENSION)

    async def put(self, index: VectorIndex, space: Space, given: Sequence[Point]) -> None:
        assert isinstance(index, PgvectorIndex)
        tables = IndexTables(space.index_id)
        async with (
            self._pool.connection() as connection,
            connection.cursor() as cursor,
            cursor.copy(tables.fill("COPY {chunks} FROM STDIN (FORMAT BINARY)")) as copy,
        ):
            copy.set_types(["int8", "bytea"])
            for point in given:
                await copy.write_row((point.chunk_id, index.encode(point.vector[None])[0]))

    async def delete(self, index: VectorIndex, space: Space, chunk_ids: Sequence[int]) -> None:
        async with self._pool.connection() as connection:
            statement = IndexTables(space.index_id).fill("DELETE FROM {chunks} WHERE id = ANY(%s)")
            await connection.execute(statement, (list(chunk_ids),))


class TestMemoryVectors(VectorServerConformance):
    @pytest.fixture
    def index(self) -> VectorServer:
        return MemoryVectors()

    @pytest.fixture
    def space(self) -> Space:
        return Space(7, DIMENSION)


class TestTroubledVectors(TestMemoryVectors):
    @pytest.fixture
    def index(self) -> VectorServer:
        return TroubledVectors(MemoryVectors())


class TestServedVectors(TestMemoryVectors):
    @pytest.fixture
    async def index(self) -> AsyncIterator[VectorServer]:  # type: ignore[override]
        async with serve_vectors(MemoryVectors()) as url, open_served_vectors(url, 5) as opened:
            yield opened
