"""fusion: the two scores of chunks made one, and the passages of the best.

Each list's scores are min-max normalised over its best `depth`, and a chunk that is in one list only gets its true score
in the other, floored at 0 (Bruch, Gai and Ingber 2022, "An Analysis of Fusion Functions for Hybrid Retrieval").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.postgres.batch import Call, Row, numbers
from anchorage.adapters.postgres.lexical.lexical_search import QuestionTerms
from anchorage.adapters.postgres.search.neighbours import Neighbours
from anchorage.adapters.postgres.search.reliability import weigh_neighbours
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.model import Hit
from anchorage.model.search import Query, Ranking

_DOCUMENTS: LiteralString = "SELECT id, document_id::text FROM {chunks} WHERE id = ANY($1::bigint[])"
_ALIVE: LiteralString = "SELECT count(*) FROM {chunks} WHERE id = ANY($1::bigint[])"


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one collection offers: chunk ids with both scores, and which list each is in."""

    live: LiveIndex
    neighbours: Neighbours
    ids: NDArray[np.int64]
    dense: NDArray[np.float32]
    lexical: NDArray[np.float32]
    in_dense: NDArray[np.bool_]
    in_lexical: NDArray[np.bool_]
    asked: QuestionTerms
    taken: Sequence[int] = ()
    """Those that are taken to be alive."""


def mark_positions(positions: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[positions] = True
    return mask


def normalise_scores(scores: NDArray[np.float32], listed: NDArray[np.bool_]) -> NDArray[np.float32]:
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
    parts: Sequence[Candidates], owner: NDArray[np.int64], dense: NDArray[np.float32], depth: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Normalised dense scores, and which are listed. Distances of different embedders mean nothing to one another, so each has
    a scale and a list of its own.
    """
    listed = np.concatenate([part.in_dense for part in parts])
    embedders = [part.live.spec.embedder for part in parts]
    scaled, near = np.zeros(len(dense), dtype=np.float32), np.zeros(len(dense), dtype=np.bool_)
    for embedder in dict.fromkeys(embedders):
        mine = np.array([item == embedder for item in embedders])[owner]
        best = mark_positions(_top(dense, listed & mine, depth), len(dense))
        scaled[mine] = normalise_scores(dense, best)[mine]
        near |= best
    return scaled, near


@dataclass(frozen=True, slots=True)
class Ranked:
    """What was found: numbers of chunks, whose passages are still to be read."""

    parts: Sequence[Candidates]
    owner: NDArray[np.int64]
    ids: NDArray[np.int64]
    best: NDArray[np.int64]
    fused: NDArray[np.float32]
    dense: NDArray[np.float32]
    lexical: NDArray[np.float32]
    lists: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def calls(self) -> list[Call]:
        """Ask for the best passages, and with `lists` for the documents of all, part by part."""
        calls: list[Call] = []
        for number, part in enumerate(self.parts):
            fill = part.live.tables.statement
            calls.append(part.neighbours.passages(self.ids[self.best[self.owner[self.best] == number]].tolist()))
            if self.lists is not None:
                calls.append((fill(_DOCUMENTS), (numbers(part.ids.tolist()),)))
        calls += [(part.live.tables.statement(_ALIVE), (numbers(part.taken),)) for part in self.parts if part.taken]
        return calls

    def read(self, answers: Sequence[Sequence[Row]]) -> Ranking | None:
        """The ranking, from the answers to `calls`; None where something that was taken to be alive is not."""
        each = 1 if self.lists is None else 2
        taken = [len(part.taken) for part in self.parts if part.taken]
        answers, counts = answers[: each * len(self.parts)], answers[each * len(self.parts) :]
        if [rows[0][0] for rows in counts] != taken:
            return None
        rows = {(at // each, row[0]): row for at in range(0, len(answers), each) for row in answers[at]}
        hits = [
            _hit(
                self.parts[key[0]].live,
                rows[key],
                *(float(scores[at]) for scores in (self.fused, self.dense, self.lexical)),
            )
            for key, at in zip(self._keys(self.best), self.best.tolist(), strict=True)
            if key in rows
        ]
        if self.lists is None:
            return Ranking(hits)
        names = {
            (at // each, row[0]): (f"{self.parts[at // each].live.tables.id}.{row[0]}", row[1])
            for at in range(1, len(answers), each)
            for row in answers[at]
        }
        by_dense, by_lexical = (
            [names[key] for key in self._keys(positions) if key in names] for positions in self.lists
        )
        return Ranking(hits, by_dense, by_lexical)

    def _keys(self, positions: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Part and chunk id of candidates."""
        return list(zip(self.owner[positions].tolist(), self.ids[positions].tolist(), strict=True))


def rank_candidates(parts: Sequence[Candidates], query: Query) -> Ranked | None:
    """Fuse what the collections offered and choose the best `k`; None where there is nothing."""
    if not parts or not sum(len(part.ids) for part in parts):
        return None
    owner = np.concatenate([np.full(len(part.ids), number) for number, part in enumerate(parts)])
    ids = np.concatenate([part.ids for part in parts])
    dense, lexical = (np.concatenate([getattr(part, name) for part in parts]) for name in ("dense", "lexical"))
    nearness, near = _nearness(parts, owner, dense, query.depth)
    by_dense = _top(nearness, near, query.depth)
    by_lexical = _top(lexical, np.concatenate([part.in_lexical for part in parts]), query.depth)
    worded = mark_positions(by_lexical, len(ids))
    words = normalise_scores(lexical, worded)
    asked = max((part.asked for part in parts), key=lambda terms: terms.known)
    share = weigh_neighbours(nearness, words, near, worded, asked, query.dense_weight)
    fused = share * nearness + (1 - share) * words
    order = _top(fused.astype(np.float32), near | worded, query.depth * 2)
    lists = (by_dense, by_lexical) if query.lists else None
    return Ranked(parts, owner, ids, order[: query.k], fused, dense, lexical, lists)


def _hit(live: LiveIndex, row: Row, fused: float, dense: float, lexical: float) -> Hit:
    chunk_id, document_id, version, uri, title, start, end, text, page, path, cosine = row
    return Hit(
        chunk_id=f"{live.tables.id}.{chunk_id}", document_id=document_id, version=version, collection=live.collection, uri=uri,
        title=title, start=start, end=end, score=round(fused, 6), text=text, page=page, heading_path=tuple(path),
        dense_score=round(dense if cosine is None else cosine, 6), lexical_score=round(lexical, 6),
    )  # fmt: skip
