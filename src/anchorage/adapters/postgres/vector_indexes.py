"""vector_indexes: where the vectors of each index version are, and what is owed to the indexes that are not in Postgres."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from anchorage.adapters.postgres.batch import Statement
from anchorage.adapters.postgres.tables import IndexTables, LiveIndex
from anchorage.errors import AnchorageError, ConfigurationError
from anchorage.model import IndexSpec
from anchorage.ports.vector_index import Point, VectorIndex, VectorServer
from anchorage.telemetry import record_degradation


class VectorColumn(Protocol):
    """A vector index that is a column of the chunks: written with their rows, gone with them, and asked in the batch of a question.

    Its statements take the collection and the readers as $1 and $2, as `tables.MAY_READ` does.
    """

    name: LiteralString
    """Of the column. COPY takes it as bytes, in their binary form."""
    as_reals: LiteralString
    """An expression for the vector of a row, as an array of numbers."""
    score: LiteralString
    """An expression for the cosine of a row of `k` to the question's vector, which is $4."""

    async def add_to(self, connection: AsyncConnection[Any], tables: IndexTables, dimension: int) -> None:
        """Give new chunks the column. Raises `ConfigurationError` for a dimension that it cannot have."""

    def encode(self, vectors: NDArray[np.float32]) -> list[bytes]:
        """Rows for COPY."""

    def parameter(self, vector: NDArray[np.float32]) -> bytes:
        """A question's vector as a parameter."""

    async def prepare(self, connection: AsyncConnection[Any], depth: int) -> None:
        """Make a connection ready for questions of this depth."""

    def nearest_statement(self, tables: IndexTables, depth: int) -> Statement:
        """($3 vector): ids and cosines of the `depth` nearest. The number stands in the statement, so that its plan knows it."""

    def graph_statement(self, tables: IndexTables) -> Statement:
        """Without parameters: whether a graph finds them, which may miss some."""

    def cosines_statement(self, tables: IndexTables) -> Statement:
        """($3 ids, $4 vector): ids and cosines of those that are there."""

    def probe_statement(self, tables: IndexTables, depth: int) -> Statement:
        """($3 vector, $4 ids): the same, looked for from inside the given ones."""

    async def tend(
        self, connection: AsyncConnection[Any], tables: IndexTables, dimension: int, chunks: int, *, settled: bool
    ) -> int:
        """One piece of its upkeep; returns how much was done."""


class VectorIndexes:
    """The vector indexes of an installation, by the names that index specs have for them."""

    def __init__(self, indexes: Mapping[str, VectorIndex]) -> None:
        self._columns = {name: cast(VectorColumn, index) for name, index in indexes.items() if index.transactional}
        self.servers = {name: cast(VectorServer, index) for name, index in indexes.items() if not index.transactional}

    def column(self, spec: IndexSpec) -> VectorColumn | None:
        """The column of the chunks that has the vectors; None where a server has them."""
        found = self._columns.get(spec.vectors)
        if found is None:
            self.server(spec)
        return found

    def column_or_none(self, spec: IndexSpec) -> VectorColumn | None:
        """The same, whatever the settings name."""
        return self._columns.get(spec.vectors)

    def server(self, spec: IndexSpec) -> VectorServer:
        """The server that has the vectors. Raises `ConfigurationError` where the settings name none of that name."""
        found = self.servers.get(spec.vectors)
        if found is None:
            raise ConfigurationError(
                f"A collection has its vectors in {spec.vectors!r}, and the settings name no such vector index. Name it again, or "
                "drop the collection and ingest its documents anew."
            )
        return found

    async def prepare(self, connection: AsyncConnection[Any], depth: int) -> None:
        """Make a connection ready for questions of this depth."""
        for column in self._columns.values():
            await column.prepare(connection, depth)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[VectorWrites]:
        """Around a transaction: what has gone with it from Postgres goes from the servers when it is committed.

        It has gone from every answer by then, so what cannot be removed now is left for upkeep.
        """
        writes = VectorWrites(self)
        yield writes
        try:
            await writes.remove()
        except AnchorageError as error:
            record_degradation("vectors_left", error.message)


class VectorWrites:
    """The vectors' part in a transaction: a server's points are there before it ends, and removed after it is committed."""

    def __init__(self, indexes: VectorIndexes) -> None:
        self._indexes = indexes
        self._points: dict[LiveIndex, list[int]] = defaultdict(list)
        self._spaces: list[LiveIndex] = []

    def column(self, index: LiveIndex) -> VectorColumn | None:
        """The column that the rows of chunks have for their vectors."""
        return self._indexes.column(index.spec)

    async def put(self, index: LiveIndex, points: Sequence[Point]) -> None:
        """Put the points of new chunks; nothing to do where their rows have them."""
        if points and self.column(index) is None:
            await self._indexes.server(index.spec).put(index.space, points)

    def delete(self, index: LiveIndex, chunk_ids: Iterable[int]) -> None:
        """Note that chunks have gone."""
        self._points[index] += chunk_ids

    def drop(self, index: LiveIndex) -> None:
        """Note that an index version has gone."""
        self._spaces.append(index)

    async def remove(self) -> None:
        """Remove what was noted."""
        for index, chunk_ids in self._points.items():
            if chunk_ids and self.column(index) is None:
                await self._indexes.server(index.spec).delete(index.space, chunk_ids)
        for index in self._spaces:
            if self.column(index) is None:
                await self._indexes.server(index.spec).drop(index.tables.id)
