"""A vector server in this process: exact, and no part of anybody's transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from anchorage.ports.vector_index import Filter, Point, Space, Vector


class MemoryVectors:
    """Implements `VectorServer`."""

    transactional = False

    def __init__(self) -> None:
        self._spaces: dict[int, dict[int, Point]] = defaultdict(dict)

    async def put(self, space: Space, points: Sequence[Point]) -> None:
        for point in points:
            if point.vector.shape != (space.dimension,):
                raise ValueError(f"a vector of {point.vector.shape} in a space of {space.dimension} dimensions")
            self._spaces[space.index_id][point.chunk_id] = point

    async def delete(self, space: Space, chunk_ids: Sequence[int]) -> None:
        points = self._points(space)
        for chunk_id in chunk_ids:
            points.pop(chunk_id, None)

    async def drop(self, index_id: int) -> None:
        self._spaces.pop(index_id, None)

    async def nearest(self, space: Space, vector: Vector, k: int, only: Filter) -> Sequence[tuple[int, float]]:
        readers, points = set(only.readers), self._points(space)
        asked = [points[i] for i in only.chunk_ids if i in points] if only.chunk_ids is not None else points.values()
        found = [point for point in asked if not point.readers or readers.intersection(point.readers)]
        if not found:
            return []
        vectors = np.stack([point.vector for point in found])
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
        cosines = vectors @ vector / np.where(lengths > 0, lengths, 1)
        best = np.argsort(-cosines, kind="stable")[:k]
        return [(found[at].chunk_id, float(cosines[at])) for at in best.tolist()]

    async def vectors(self, space: Space, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        points = self._points(space)
        return {chunk_id: points[chunk_id].vector for chunk_id in chunk_ids if chunk_id in points}

    async def count(self, space: Space) -> int:
        return len(self._points(space))

    async def chunk_ids(self, space: Space, *, after: int, limit: int) -> Sequence[int]:
        return sorted(chunk_id for chunk_id in self._points(space) if chunk_id > after)[:limit]

    async def spaces(self) -> Sequence[int]:
        return sorted(self._spaces)

    async def ping(self) -> None:
        pass

    def _points(self, space: Space) -> dict[int, Point]:
        return self._spaces.get(space.index_id, {})
