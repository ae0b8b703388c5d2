"""search: asks the indexes of collections for a question, by meaning and by words.

Every statement of a step is sent at once, since a round trip costs more than most of what is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable
from psycopg.pq import TransactionStatus

from anchorage.adapters.postgres.batch import PLAN_ONCE, Call, Row, Statement, array, run
from anchorage.adapters.postgres.catalog.collections import (
    index_version,
    live_indexes,
    read_live_indexes,
    select_live_indexes,
    state_of,
)
from anchorage.adapters.postgres.lexical.lexical_search import TermCache, Words
from anchorage.adapters.postgres.lexical.postings import Scores
from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.adapters.postgres.search.fusion import Candidates, mark_positions, rank_candidates
from anchorage.adapters.postgres.search.neighbours import InColumn, Neighbours, OnServer, Unranked
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorIndexes
from anchorage.model import Principal
from anchorage.model.search import Query, Ranking
from anchorage.text.analyser import load_analyser

BEGIN: Call = (Statement(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), ())  # one state of the data throughout
COMMIT: Call = (Statement(b"COMMIT"), ())
_MISSED = 3  # lexical candidates that belong among the neighbours and are not there, before the index is searched again
_MISSED_SHARE = 0.25
_INSIDE = 3
_MOST_EXPECTED = 1000
_Key = tuple[tuple[str, ...], tuple[str, ...] | None]
_FAR = -1.0  # as a cosine: farther than every neighbour that is listed


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Bounds on the work of a question."""

    max_postings: int
    kept_bytes: int = 0
    """What postings that were read lately may take of this process' memory."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one collection is asked by meaning and by words."""

    live: LiveIndex
    neighbours: Neighbours
    words: Words
    by_meaning: bool
    """Whether the question has a vector for it."""

    def calls(self) -> list[Call]:
        """In the order in which `candidates` reads the answers, and in which `drop_tables` locks: chunks first."""
        return [*self.neighbours.calls(), *self.words.calls()]


class PostgresSearch:
    """Implements the `Search` port over a connection pool of a migrated database, and remembers which indexes were found where."""

    def __init__(self, pool: Pool, vectors: VectorIndexes, limits: SearchLimits) -> None:
        self._pool = pool
        self._vectors = vectors
        self._limits = limits
        self._expected: dict[_Key, list[LiveIndex]] = {}  # the live indexes that questions found last
        self._terms = TermCache(limits.kept_bytes)

    async def search(
        self, principal: Principal, query: Query, names: Sequence[str] | None, *, index_id: int | None = None
    ) -> Ranking:
        async with self._searching(query.depth) as connection:
            try:
                return await self._ranking(connection, principal, query, names, index_id)
            except UndefinedTable:
                # An index that the last question found has gone; what is there now is found without it.
                self._expected.pop(_key(principal, names), None)
                await connection.rollback()
                return await self._ranking(connection, principal, query, names, index_id)

    async def state(self, principal: Principal, names: Sequence[str] | None) -> str:
        async with connection_for(self._pool, "reading the state of the collections") as connection:
            return await state_of(connection, await live_indexes(connection, principal, names))

    async def _ranking(
        self, connection: AsyncConnection[Any], principal: Principal, query: Query, names: Sequence[str] | None,
        index_id: int | None, *, careful: bool = False,
    ) -> Ranking:  # fmt: skip
        """In two round trips, or three where neighbours are found by a graph: what is asked of the indexes goes out with the
        question which they are, for those that they were last time.
        """
        key = _key(principal, names)
        expected = [] if index_id is not None else self._expected.get(key, [])
        guess = [self._asked(principal, live, query) for live in expected if live.spec.embedder in query.vectors]
        asks = [item.calls() for item in guess]
        first = [BEGIN, PLAN_ONCE, select_live_indexes(principal, names)]
        _, _, visible, *answers = await run(connection, [*first, *chain.from_iterable(asks)])
        if index_id is None:
            indexes = read_live_indexes(names, visible)
        else:
            indexes = [await index_version(connection, principal, index_id)]
        embedders = dict.fromkeys(index.spec.embedder for index in indexes)
        if needs := tuple(spec for spec in embedders if spec not in query.vectors):
            return Ranking((), needs=needs)
        if indexes != [item.live for item in guess]:
            guess = [self._asked(principal, live, query) for live in indexes]
            asks = [item.calls() for item in guess]
            answers = await run(connection, list(chain.from_iterable(asks)))
            if index_id is None:
                self._expect(key, indexes)
        parts = []
        for item, calls in zip(guess, asks, strict=True):
            told, answers = answers[: len(calls)], answers[len(calls) :]
            parts.append(await candidates(connection, item, told, query.depth, careful=careful))
        away = tuple(
            dict.fromkeys(item.live.spec.embedder for item in guess if item.neighbours.ranked != item.by_meaning)
        )
        found = rank_candidates(parts, query)
        if found is None:
            return Ranking((), by_words=away)
        *passages, _ = await run(connection, [*found.calls(), COMMIT])
        ranking = found.read(passages)
        if ranking is None:
            return await self._ranking(connection, principal, query, names, index_id, careful=True)
        return replace(ranking, by_words=away) if away else ranking

    def _asked(self, principal: Principal, live: LiveIndex, query: Query) -> Asked:
        """What a collection is asked for a question."""
        terms = Counter(load_analyser(live.spec.analyser).extract_question_terms(query.text))
        words = Words(self._terms, live.tables, terms, self._limits.max_postings)
        return Asked(
            live, self._neighbours(principal, live, query), words, query.vectors[live.spec.embedder] is not None
        )

    def _neighbours(self, principal: Principal, live: LiveIndex, query: Query) -> Neighbours:
        vector = query.vectors[live.spec.embedder]
        access = str(live.collection_id).encode(), array(principal.readers)
        if vector is None:
            return Unranked(live, access)
        if (column := self._vectors.column(live.spec)) is not None:
            return InColumn(live, access, column, column.parameter(vector), query.depth)
        return OnServer(live, access, self._vectors.server(live.spec), vector, principal.readers, query.depth)

    def _expect(self, key: _Key, indexes: list[LiveIndex]) -> None:
        """Remember what was found there; what was remembered first goes first."""
        self._expected.pop(key, None)
        self._expected[key] = indexes
        if len(self._expected) > _MOST_EXPECTED:
            self._expected.pop(next(iter(self._expected)))

    @asynccontextmanager
    async def _searching(self, depth: int) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection for a transaction of `batch.run`, which is ended when it was left open."""
        async with connection_for(self._pool, "searching") as connection:
            await self._vectors.prepare(connection, depth)
            try:
                yield connection
            finally:
                if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                    await connection.rollback()


def _key(principal: Principal, names: Sequence[str] | None) -> _Key:
    return tuple(principal.readers), None if names is None else tuple(names)


async def candidates(
    connection: AsyncConnection[Any], asked: Asked, answers: Sequence[Sequence[Row]], depth: int, *,
    careful: bool,
) -> Candidates:  # fmt: skip
    """The best chunks of one collection by each of the two scores, from the answers to what it was asked.

    `careful`: no posting is taken to be alive without a look.
    """
    neighbours = asked.neighbours
    found, certain = await neighbours.found(connection, answers[: len(answers) - asked.words.asked])
    told = await asked.words.found(connection, answers[len(answers) - asked.words.asked :])
    scores, near = told.scores, set(found)
    exact, taken = certain and not careful, False
    if exact and len(near) < depth:  # these are all chunks that there are
        lexical = [chunk_id for chunk_id in scores.best(len(scores))[0].tolist() if chunk_id in near][:depth]
    elif exact and told.physical == told.chunks:  # the others are farther, however far; and no posting seems to be dead
        taken = True
        lexical = scores.best(depth)[0].tolist()
        for chunk_id in lexical:
            found.setdefault(chunk_id, _FAR)
    else:
        lexical = await _alive(connection, asked, scores, depth, found)
        if neighbours.ranked and (inside := _missed(found, near, lexical, depth)):
            found.update(await neighbours.probe(connection, inside))
    ids = np.array(sorted(found), dtype=np.int64)
    dense = np.array([found[i] for i in ids.tolist()], dtype=np.float32)
    in_dense = mark_positions(np.argsort(-dense, kind="stable")[: depth if neighbours.ranked else 0], len(ids))
    in_lexical = mark_positions(np.searchsorted(ids, lexical), len(ids))
    return Candidates(
        asked.live, neighbours, ids, dense, scores.of(ids), in_dense, in_lexical, told.asked, lexical if taken else ()
    )  # fmt: skip


def _missed(found: Mapping[int, float], near: set[int], lexical: Sequence[int], depth: int) -> list[int]:
    """The lexical candidates, nearest first, that the vector index should have returned and did not, where they are many."""
    if len(near) < depth:
        return []
    worst = min(found[chunk_id] for chunk_id in near)
    expected = [chunk_id for chunk_id in lexical if found[chunk_id] > worst]
    missed = sorted((chunk_id for chunk_id in expected if chunk_id not in near), key=lambda i: -found[i])
    return missed[:_INSIDE] if len(missed) >= max(_MISSED, _MISSED_SHARE * len(expected)) else []


async def _alive(
    connection: AsyncConnection[Any], asked: Asked, scores: Scores, depth: int, found: dict[int, float]
) -> list[int]:
    """The best `depth` live chunks by lexical score; `found` gets their dense scores.

    Postings of deleted chunks stay until a merge, so more are asked for until enough are found or none is left.
    """
    tried, alive = 0, list[int]()
    while tried < len(scores) and len(alive) < depth:
        batch = scores.best(depth if tried == 0 else tried * 4)[0][tried:].tolist()
        tried += len(batch)
        present = await asked.neighbours.alive(connection, batch)
        found.update(present)
        alive.extend(chunk_id for chunk_id in batch if chunk_id in present)
    return alive[:depth]
