"""Hybrid search in Postgres: dense neighbours and BM25, fused by a convex combination of normalised scores.

Each list's scores are min-max normalised over its best `depth`, and a chunk that is in one list only gets its true score
in the other, floored at 0 (Bruch, Gai and Ingber 2022, "An Analysis of Fusion Functions for Hybrid Retrieval").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import tuple_row

from anchorage.adapters.stores.pgvector.lexical import POSTINGS, score_rows
from anchorage.adapters.stores.pgvector.postings import Scores
from anchorage.adapters.stores.pgvector.tables import LiveIndex
from anchorage.model import Hit, Principal
from anchorage.ports.store import Query, Ranking
from anchorage.telemetry import DENSE_PROBES
from anchorage.text.analyser import analyser_named

SETTINGS = "SELECT set_config('hnsw.ef_search', %s, false), set_config('hnsw.iterative_scan', 'strict_order', false)"

# The access check is a one-time filter here: it decides once per query whether the index is read at all, so that
# a filter never costs recall.
_MAY_READ = "EXISTS (SELECT FROM anchorage.collections WHERE id = %(collection)s AND readers && %(readers)s)"
_DENSE = f"""
SELECT id, 1 - (embedding <=> %(vector)s::halfvec) FROM {{chunks}} WHERE {_MAY_READ}
ORDER BY embedding <=> %(vector)s::halfvec LIMIT %(depth)s
"""
_ALIVE = f"SELECT id, 0::float8 FROM {{chunks}} WHERE id = ANY(%(ids)s::bigint[]) AND {_MAY_READ}"
_DENSE_OF = f"""
SELECT id, 1 - (embedding <=> %(vector)s::halfvec) FROM {{chunks}}
WHERE id = ANY(%(ids)s::bigint[]) AND {_MAY_READ}
"""
# HNSW can lose a whole neighbourhood: a small cluster of passages among many others is hard to reach from the top of the
# graph. From passages inside that the lexical index found, it is near.
_PROBE = f"""
SELECT id, 1 - (embedding <=> %(vector)s::halfvec) FROM (
    SELECT id, embedding FROM {{chunks}} WHERE {_MAY_READ}
    ORDER BY embedding <=> (SELECT avg(embedding) FROM {{chunks}} WHERE id = ANY(%(inside)s::bigint[])) LIMIT %(depth)s
) AS near
"""
_MISSED = 3  # lexical candidates that belong among the neighbours and are not there, before the index is searched again
_MISSED_SHARE = 0.25
_INSIDE = 3
_DOCUMENTS = "SELECT id, document_id::text FROM {chunks} WHERE id = ANY(%(ids)s::bigint[])"
_HITS = f"""
SELECT k.id, d.id::text, d.version, d.uri, d.title, k.span_start, k.span_end, k.text, k.page, k.heading_path
FROM {{chunks}} k JOIN anchorage.documents d ON d.id = k.document_id
WHERE k.id = ANY(%(ids)s::bigint[]) AND d.version IS NOT NULL AND {_MAY_READ}
"""


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Bounds on the work of a question."""

    ef_search: int
    max_postings: int


@dataclass(frozen=True, slots=True)
class _Candidates:
    """What one collection offers: chunk ids with both scores, and which list each is in."""

    live: LiveIndex
    ids: NDArray[np.int64]
    dense: NDArray[np.float32]
    lexical: NDArray[np.float32]
    in_dense: NDArray[np.bool_]
    in_lexical: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one collection was asked."""

    live: LiveIndex
    terms: Mapping[str, int]
    values: Mapping[str, Any]
    dense: AsyncCursor[tuple[Any, ...]] | None
    """None where the collection is searched by words alone."""
    postings: AsyncCursor[tuple[Any, ...]]


async def asked(
    connection: AsyncConnection[Any], principal: Principal, live: LiveIndex, query: Query, limits: SearchLimits
) -> _Asked:
    """Ask one collection by meaning and by words. In the caller's pipeline nothing is waited for."""
    vector = query.vectors[live.spec.embedder]
    values = {
        "vector": None if vector is None else "[" + ",".join(map(str, vector.tolist())) + "]",
        "depth": query.depth,
        "collection": live.collection_id,
        "readers": principal.readers,
    }
    terms = Counter(analyser_named(live.spec.analyser).terms(query.text))
    dense = None
    if vector is not None:
        dense = connection.cursor(row_factory=tuple_row, binary=True)
        await dense.execute(live.tables.fill(_DENSE), values)
    postings = connection.cursor(row_factory=tuple_row, binary=True)
    await postings.execute(live.tables.fill(POSTINGS), {"terms": list(terms), "budget": limits.max_postings})
    return _Asked(live, terms, values, dense, postings)


async def candidates(connection: AsyncConnection[Any], asked: _Asked, depth: int) -> _Candidates:
    """The best chunks of one collection by each of the two scores."""
    live, values = asked.live, asked.values
    found: dict[int, float] = dict(await asked.dense.fetchall()) if asked.dense else {}
    scores = score_rows(asked.terms, await asked.postings.fetchall())
    near = set(found)
    lexical = await _alive(connection, live, scores, depth, values, found)
    if asked.dense and (inside := _missed(found, near, lexical, depth)):
        DENSE_PROBES.inc()
        await asked.dense.execute(live.tables.fill(_PROBE), {**values, "inside": _array(inside)})
        found.update(await asked.dense.fetchall())
    ids = np.array(sorted(found), dtype=np.int64)
    dense = np.array([found[i] for i in ids.tolist()], dtype=np.float32)
    in_dense = _marked(np.argsort(-dense, kind="stable")[: depth if asked.dense else 0], len(ids))
    return _Candidates(live, ids, dense, scores.of(ids), in_dense, _marked(np.searchsorted(ids, lexical), len(ids)))


def _marked(positions: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[positions] = True
    return mask


def _array(ids: Sequence[int]) -> str:
    """Ids as a literal: the driver's own way of writing a list costs more than the search of it."""
    return "{" + ",".join(map(str, ids)) + "}"


def _missed(found: Mapping[int, float], near: set[int], lexical: Sequence[int], depth: int) -> list[int]:
    """The lexical candidates, nearest first, that the vector index should have returned and did not, where they are many."""
    if len(near) < depth:
        return []
    worst = min(found[chunk_id] for chunk_id in near)
    expected = [chunk_id for chunk_id in lexical if found[chunk_id] > worst]
    missed = sorted((chunk_id for chunk_id in expected if chunk_id not in near), key=lambda i: -found[i])
    return missed[:_INSIDE] if len(missed) >= max(_MISSED, _MISSED_SHARE * len(expected)) else []


async def _alive(
    connection: AsyncConnection[Any],
    live: LiveIndex,
    scores: Scores,
    depth: int,
    values: Mapping[str, Any],
    found: dict[int, float],
) -> list[int]:
    """The best `depth` live chunks by lexical score; `found` gets their dense scores.

    Postings of deleted chunks stay until a merge, so more are asked for until enough are found or none is left.
    """
    asked, alive = 0, list[int]()
    while asked < len(scores) and len(alive) < depth:
        batch = scores.best(depth if asked == 0 else asked * 4)[0][asked:].tolist()
        asked += len(batch)
        cursor = connection.cursor(row_factory=tuple_row, binary=True)
        await cursor.execute(
            live.tables.fill(_DENSE_OF if values["vector"] else _ALIVE), {**values, "ids": _array(batch)}
        )
        present: dict[int, float] = dict(await cursor.fetchall())
        found.update(present)
        alive.extend(chunk_id for chunk_id in batch if chunk_id in present)
    return alive[:depth]


def normalised(scores: NDArray[np.float32], listed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Min-max over the listed ones; others keep their place on the same scale, but not below 0."""
    if not listed.any():
        return np.zeros(len(scores), dtype=np.float32)
    low, high = float(scores[listed].min()), float(scores[listed].max())
    if high <= low:
        return np.where(scores >= high, 1, 0).astype(np.float32) * np.float32(high > 0)
    scaled: NDArray[np.float32] = np.maximum((scores - low) / (high - low), 0).astype(np.float32)
    return scaled


def _top(scores: NDArray[np.float32], listed: NDArray[np.bool_], depth: int) -> NDArray[np.int64]:
    """Positions of the best `depth` listed ones, best first."""
    at = np.flatnonzero(listed)
    return at[np.argsort(-scores[at], kind="stable")][:depth]


def _nearness(
    parts: Sequence[_Candidates], owner: NDArray[np.int64], dense: NDArray[np.float32], depth: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Normalised dense scores, and which are listed. Distances of different embedders mean nothing to one another, so each has
    a scale and a list of its own.
    """
    listed = np.concatenate([part.in_dense for part in parts])
    embedders = [part.live.spec.embedder for part in parts]
    scaled, near = np.zeros(len(dense), dtype=np.float32), np.zeros(len(dense), dtype=np.bool_)
    for embedder in dict.fromkeys(embedders):
        mine = np.array([item == embedder for item in embedders])[owner]
        best = _marked(_top(dense, listed & mine, depth), len(dense))
        scaled[mine] = normalised(dense, best)[mine]
        near |= best
    return scaled, near


@dataclass(frozen=True, slots=True)
class Ranked:
    """What was found, its passages asked for: in a pipeline they come with the end of the transaction, at no round trip of their own."""

    parts: Sequence[_Candidates]
    owner: NDArray[np.int64]
    ids: NDArray[np.int64]
    best: NDArray[np.int64]
    scores: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    """Fused, dense and lexical."""
    passages: Mapping[int, AsyncCursor[tuple[Any, ...]]]
    """By the number of the part."""
    lists: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    documents: Mapping[int, AsyncCursor[tuple[Any, ...]]] = field(default_factory=dict)

    async def read(self) -> Ranking:
        """The ranking, when the transaction has ended."""
        rows = {
            (number, row[0]): (self.parts[number].live.tables.id, *row)
            for number, cursor in self.passages.items()
            for row in await cursor.fetchall()
        }
        hits = [
            _hit(self.parts[key[0]].live.collection, rows[key], *(scores[at] for scores in self.scores))
            for key, at in zip(self._keys(self.best), self.best.tolist(), strict=True)
            if key in rows
        ]
        if self.lists is None:
            return Ranking(hits)
        names = {
            (number, row[0]): (f"{self.parts[number].live.tables.id}.{row[0]}", row[1])
            for number, cursor in self.documents.items()
            for row in await cursor.fetchall()
        }
        by_dense, by_lexical = ([names[key] for key in self._keys(positions)] for positions in self.lists)
        return Ranking(hits, by_dense, by_lexical)

    def _keys(self, positions: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Part and chunk id of candidates."""
        return list(zip(self.owner[positions].tolist(), self.ids[positions].tolist(), strict=True))


async def ranked(
    connection: AsyncConnection[Any], principal: Principal, parts: Sequence[_Candidates], query: Query
) -> Ranked | None:
    """Fuse what the collections offered and ask for the best `k`; None where there is nothing."""
    if not parts or not sum(len(part.ids) for part in parts):
        return None
    owner = np.concatenate([np.full(len(part.ids), number) for number, part in enumerate(parts)])
    ids = np.concatenate([part.ids for part in parts])
    dense, lexical = (np.concatenate([getattr(part, name) for part in parts]) for name in ("dense", "lexical"))
    nearness, near = _nearness(parts, owner, dense, query.depth)
    by_dense = _top(nearness, near, query.depth)
    by_lexical = _top(lexical, np.concatenate([part.in_lexical for part in parts]), query.depth)
    worded = _marked(by_lexical, len(ids))
    fused = query.dense_weight * nearness + (1 - query.dense_weight) * normalised(lexical, worded)
    order = _top(fused.astype(np.float32), near | worded, query.depth * 2)
    best = order[: query.k]
    passages: dict[int, AsyncCursor[tuple[Any, ...]]] = {}
    documents: dict[int, AsyncCursor[tuple[Any, ...]]] = {}
    for number, part in enumerate(parts):
        if wanted := ids[best[owner[best] == number]].tolist():
            values = {"ids": _array(wanted), "collection": part.live.collection_id, "readers": principal.readers}
            passages[number] = await _ask(connection, part.live, _HITS, values)
        if query.lists:
            documents[number] = await _ask(connection, part.live, _DOCUMENTS, {"ids": _array(part.ids.tolist())})
    lists = (by_dense, by_lexical) if query.lists else None
    return Ranked(parts, owner, ids, best, (fused, dense, lexical), passages, lists, documents)


async def _ask(
    connection: AsyncConnection[Any], live: LiveIndex, statement: str, values: Mapping[str, Any]
) -> AsyncCursor[tuple[Any, ...]]:
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(live.tables.fill(statement), values)
    return cursor


def _hit(collection: str, row: tuple[Any, ...], fused: float, dense: float, lexical: float) -> Hit:
    index, chunk_id, document_id, version, uri, title, start, end, text, page, path = row
    return Hit(
        chunk_id=f"{index}.{chunk_id}", document_id=document_id, version=version, collection=collection, uri=uri,
        title=title, start=start, end=end, score=round(float(fused), 6), text=text, page=page, heading_path=tuple(path),
        dense_score=round(float(dense), 6), lexical_score=round(float(lexical), 6),
    )  # fmt: skip
