"""neighbours: how the chunks of one index that are nearest to a question are found: by a column of theirs, by a server, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol

from psycopg import AsyncConnection

from anchorage.adapters.postgres.batch import Call, Row, numbers, run
from anchorage.adapters.postgres.tables import MAY_READ, LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorColumn
from anchorage.errors import DatabaseUnavailable
from anchorage.ports.vector_index import Filter, Vector, VectorServer
from anchorage.telemetry import DENSE_PROBES, record_degradation

_NOTHING: LiteralString = "SELECT NULL FROM {chunks} LIMIT 0"
_ALIVE: LiteralString = f"SELECT id FROM {{chunks}} WHERE id = ANY($3::bigint[]) AND {MAY_READ}"
_HITS: LiteralString = f"""
SELECT k.id, d.id::text, d.version, d.uri, d.title, k.span_start, k.span_end, k.text, k.page, k.heading_path, %s
FROM {{chunks}} k JOIN anchorage.documents d ON d.id = k.document_id
WHERE k.id = ANY($3::bigint[]) AND d.version IS NOT NULL AND {MAY_READ}
"""
_HITS_UNSCORED: LiteralString = _HITS.replace("%s", "NULL::float8")
_MOST_ASKED = 16  # times as many neighbours as are wanted, where a server has many that Postgres does not know

Access = tuple[bytes, bytes]
"""The collection and the readers, for `MAY_READ`."""
Cosines = dict[int, float]


class Neighbours(Protocol):
    """The neighbours of a question in one index. All of it runs in one transaction of the question."""

    @property
    def ranked(self) -> bool:
        """Whether chunks are ranked by their distance at all."""

    def calls(self) -> list[Call]:
        """What goes out first. It touches the chunks, in the order in which `drop_tables` locks."""

    async def found(self, connection: AsyncConnection[Any], answers: Sequence[Sequence[Row]]) -> tuple[Cosines, bool]:
        """The nearest live chunks, from the answers to `calls`, and whether these are the nearest for certain."""

    async def alive(self, connection: AsyncConnection[Any], chunk_ids: Sequence[int]) -> Cosines:
        """The cosines of those of these chunks that are live and may be read."""

    async def probe(self, connection: AsyncConnection[Any], inside: Sequence[int]) -> Cosines:
        """More of the nearest, looked for from among chunks that are near and were missed."""

    def passages(self, chunk_ids: Sequence[int]) -> Call:
        """Asks for chunks as hits; the last column is the cosine, or null where it is known already."""


@dataclass(frozen=True, slots=True)
class Unranked:
    """Where the question has no vector: by words alone."""

    index: LiveIndex
    access: Access
    ranked = False

    def calls(self) -> list[Call]:
        return [(self.index.tables.statement(_NOTHING), ())]

    async def found(self, connection: AsyncConnection[Any], answers: Sequence[Sequence[Row]]) -> tuple[Cosines, bool]:
        return {}, False

    async def alive(self, connection: AsyncConnection[Any], chunk_ids: Sequence[int]) -> Cosines:
        return dict.fromkeys(await _alive(connection, self.index, self.access, chunk_ids), 0.0)

    async def probe(self, connection: AsyncConnection[Any], inside: Sequence[int]) -> Cosines:
        return {}

    def passages(self, chunk_ids: Sequence[int]) -> Call:
        return self.index.tables.statement(_HITS_UNSCORED), (*self.access, numbers(chunk_ids))


@dataclass(frozen=True, slots=True)
class InColumn:
    """Where the chunks have a column for it: asked in the same batch as the words."""

    index: LiveIndex
    access: Access
    column: VectorColumn
    vector: bytes
    depth: int
    ranked = True

    def calls(self) -> list[Call]:
        tables = self.index.tables
        nearest = self.column.nearest_statement(tables, self.depth), (*self.access, self.vector)
        return [nearest, (self.column.graph_statement(tables), ())]

    async def found(self, connection: AsyncConnection[Any], answers: Sequence[Sequence[Row]]) -> tuple[Cosines, bool]:
        near, ((graph,),) = answers
        return dict(near), not graph

    async def alive(self, connection: AsyncConnection[Any], chunk_ids: Sequence[int]) -> Cosines:
        values = (*self.access, numbers(chunk_ids), self.vector)
        (rows,) = await run(connection, [(self.column.cosines_statement(self.index.tables), values)])
        return dict(rows)

    async def probe(self, connection: AsyncConnection[Any], inside: Sequence[int]) -> Cosines:
        DENSE_PROBES.inc()
        values = (*self.access, self.vector, numbers(inside))
        statement = self.column.probe_statement(self.index.tables, self.depth)
        (rows,) = await run(connection, [(statement, values)])
        return dict(rows)

    def passages(self, chunk_ids: Sequence[int]) -> Call:
        hits: LiteralString = _HITS.replace("%s", self.column.score)
        return self.index.tables.statement(hits), (*self.access, numbers(chunk_ids), self.vector)


@dataclass(slots=True)
class OnServer:
    """Where a server has the vectors: it is asked when Postgres has said that the collection may be read, and then what it found is looked
    up there. A server that is away leaves the words.
    """

    index: LiveIndex
    access: Access
    server: VectorServer
    vector: Vector
    readers: Sequence[str]
    depth: int
    ranked: bool = True

    def calls(self) -> list[Call]:
        return [(self.index.tables.statement(_NOTHING), ())]

    async def found(self, connection: AsyncConnection[Any], answers: Sequence[Sequence[Row]]) -> tuple[Cosines, bool]:
        """Points that Postgres does not know take the places of others, so more are asked for until enough are live."""
        live: Cosines = {}
        wanted = self.depth
        while True:
            near = await self._ask(wanted, Filter(self.readers))
            known = set(await _alive(connection, self.index, self.access, [chunk_id for chunk_id, _ in near]))
            live = {chunk_id: cosine for chunk_id, cosine in near if chunk_id in known}
            if len(live) >= self.depth or len(near) < wanted or wanted >= _MOST_ASKED * self.depth:
                return dict(list(live.items())[: self.depth]), False
            wanted *= 4

    async def alive(self, connection: AsyncConnection[Any], chunk_ids: Sequence[int]) -> Cosines:
        """A chunk whose point the server has lost, or which has gone there already, is known by its words alone."""
        known = await _alive(connection, self.index, self.access, chunk_ids)
        near = dict(await self._ask(len(known), Filter(self.readers, known))) if known and self.ranked else {}
        return {chunk_id: near.get(chunk_id, 0.0) for chunk_id in known}

    async def probe(self, connection: AsyncConnection[Any], inside: Sequence[int]) -> Cosines:
        return {}  # its graph is its own affair

    def passages(self, chunk_ids: Sequence[int]) -> Call:
        return self.index.tables.statement(_HITS_UNSCORED), (*self.access, numbers(chunk_ids))

    async def _ask(self, number: int, only: Filter) -> Sequence[tuple[int, float]]:
        try:
            return await self.server.nearest(self.index.space, self.vector, number, only)
        except DatabaseUnavailable as error:
            record_degradation("vectors_away", error.message)
            self.ranked = False
            return ()


async def _alive(
    connection: AsyncConnection[Any], index: LiveIndex, access: Access, chunk_ids: Sequence[int]
) -> list[int]:
    if not chunk_ids:
        return []
    (rows,) = await run(connection, [(index.tables.statement(_ALIVE), (*access, numbers(chunk_ids)))])
    return [row[0] for row in rows]
