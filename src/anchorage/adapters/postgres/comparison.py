"""comparison: what the vector servers have against what Postgres has, mended page by page.

Postgres is the truth. A point that it does not know was left by a process that died, and is removed; a chunk without its point, which a
server has lost, is embedded anew.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable

from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorIndexes
from anchorage.errors import AnchorageError
from anchorage.model import EmbedderSpec
from anchorage.ports.vector_index import Point
from anchorage.telemetry import VECTORS_MENDED, record_degradation

Embed = Callable[[EmbedderSpec, Sequence[str]], Awaitable[NDArray[np.float32]]]
"""Makes vectors of texts, as they were made when these were indexed."""

_PAGE = 10_000  # ids that are compared at once
_EMBEDDED = 256  # chunks that are embedded anew at once
# A transaction that is not seen to have ended may be about to show what it has put: `_ENDED` tells when all of them have.
# This one's own number is larger than those of all that have begun to write.
_BEGUN = "SELECT pg_current_xact_id()::text::numeric"
_ENDED = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric >= %s"
_KNOWN = "SELECT id FROM {chunks} WHERE id > %s AND (%s::bigint IS NULL OR id <= %s) ORDER BY id LIMIT %s"
_STILL = "SELECT id FROM {chunks} WHERE id = ANY(%s)"
_TEXTS = "SELECT id, document_id::text, header, text FROM {chunks} WHERE id = ANY(%s) ORDER BY id"


@dataclass(slots=True)
class _Place:
    """How far the comparison of an index has come."""

    due: float
    """Monotonic seconds at which the next one begins."""
    after: int = 0


@dataclass(frozen=True, slots=True)
class _Suspects:
    """Points that Postgres did not know, and a transaction that began after they were seen."""

    index: LiveIndex
    chunk_ids: Sequence[int]
    begun: int


class Comparison:
    """Compares all that servers hold once in `every` seconds, in bounded pages. One process at a time does it."""

    def __init__(self, vectors: VectorIndexes, *, every: float) -> None:
        self._vectors, self._every = vectors, every
        self.embed: Embed | None = None
        self._places: dict[int, _Place] = {}
        self._suspects: list[_Suspects] = []
        self._spaces_due = time.monotonic() + every

    async def compare_some(self, connection: AsyncConnection[Any], indexes: Sequence[LiveIndex]) -> int:
        """One page of one index; returns how many points were mended, or 1 when there is more to compare."""
        elsewhere = {index.tables.id: index for index in indexes if index.spec.vectors in self._vectors.servers}
        self._places = {key: place for key, place in self._places.items() if key in elsewhere}
        mended = await self._remove_foreign(connection) + await self._drop_spaces(connection)
        for index_id, index in elsewhere.items():
            place = self._places.setdefault(index_id, _Place(time.monotonic() + self._every))
            if time.monotonic() < place.due:
                continue
            try:
                found, after = await self._page(connection, index, place.after)
            except UndefinedTable:  # dropped since it was listed
                continue
            except AnchorageError as error:  # a server or an embedder is away, and the others' may not be
                record_degradation("vector_upkeep", error.message)
                place.due = time.monotonic() + self._every
                continue
            place.after = after or 0
            if after is None:
                place.due = time.monotonic() + self._every
            mended += found
            if mended or after is not None:
                return max(mended, 1)
        return mended

    async def _page(self, connection: AsyncConnection[Any], index: LiveIndex, after: int) -> tuple[int, int | None]:
        """Compare a page; returns how much was mended, and the id behind which the next one begins, None at the end."""
        server = self._vectors.server(index.spec)
        there = list(await server.chunk_ids(index.space, after=after, limit=_PAGE))
        begun = await _number(connection, _BEGUN)
        # Behind the last point there may be chunks whose points are lost: a page ends where the shorter of both does.
        upto = there[-1] if len(there) == _PAGE else None
        cursor = await connection.execute(index.tables.fill(_KNOWN), (after, upto, upto, _PAGE))
        known = [row[0] for row in await cursor.fetchall()]
        if len(known) == _PAGE:
            upto = known[-1]
            there = [chunk_id for chunk_id in there if chunk_id <= upto]
        waiting = {chunk_id for item in self._suspects if item.index == index for chunk_id in item.chunk_ids}
        if foreign := sorted(set(there) - set(known) - waiting):
            self._suspects.append(_Suspects(index, foreign, begun))
        mended = await self._remove_foreign(connection)
        lost = sorted(set(known) - set(there))
        for start in range(0, len(lost), _EMBEDDED):
            if restored := await self._restore(connection, index, lost[start : start + _EMBEDDED]):
                # Embedding takes its time, so that is a piece of its own: the rest of the page comes with the next one.
                return mended + restored, after
        return mended, upto

    async def _remove_foreign(self, connection: AsyncConnection[Any]) -> int:
        """Remove the suspects whose writers have ended, and which Postgres still does not know: it never will."""
        removed, waiting = 0, list[_Suspects]()
        for item in self._suspects:
            row = await (await connection.execute(_ENDED, (item.begun,))).fetchone()
            if not (row and row[0]):
                waiting.append(item)
                continue
            try:
                cursor = await connection.execute(item.index.tables.fill(_STILL), (list(item.chunk_ids),))
            except UndefinedTable:  # dropped, and its space with it
                continue
            known = {row[0] for row in await cursor.fetchall()}
            if foreign := [chunk_id for chunk_id in item.chunk_ids if chunk_id not in known]:
                await self._vectors.server(item.index.spec).delete(item.index.space, foreign)
                VECTORS_MENDED.labels("foreign").inc(len(foreign))
                removed += len(foreign)
        self._suspects = waiting
        return removed

    async def _restore(self, connection: AsyncConnection[Any], index: LiveIndex, lost: Sequence[int]) -> int:
        """Embed chunks anew that have no point; returns how many those are."""
        server = self._vectors.server(index.spec)
        there = await server.vectors(index.space, lost)  # they may have come since the page was read
        cursor = await connection.execute(
            index.tables.fill(_TEXTS), ([chunk_id for chunk_id in lost if chunk_id not in there],)
        )
        rows = await cursor.fetchall()
        if not rows:
            return 0
        if self.embed is None:
            record_degradation(
                "vectors_lost", f"Passages of {index.collection!r} have lost their vectors; a worker makes them anew."
            )
            return 0
        texts = [f"{header}\n{text}" if header else text for _, _, header, text in rows]
        vectors = await self.embed(index.spec.embedder, texts)
        points = [Point(row[0], row[1], vector) for row, vector in zip(rows, vectors, strict=True)]
        await server.put(index.space, points)
        VECTORS_MENDED.labels("lost").inc(len(points))
        return len(points)

    async def _drop_spaces(self, connection: AsyncConnection[Any]) -> int:
        """Drop the spaces of index versions that have gone. A space is made by a writer that has seen its version."""
        if time.monotonic() < self._spaces_due:
            return 0
        self._spaces_due = time.monotonic() + self._every
        dropped = 0
        for server in self._vectors.servers.values():
            if not (spaces := list(await server.spaces())):
                continue
            cursor = await connection.execute("SELECT id FROM anchorage.index_versions WHERE id = ANY(%s)", (spaces,))
            known = {row[0] for row in await cursor.fetchall()}
            for index_id in set(spaces) - known:
                await server.drop(index_id)
                VECTORS_MENDED.labels("space").inc()
                dropped += 1
        return dropped


async def _number(connection: AsyncConnection[Any], statement: str) -> int:
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return int(row[0])
