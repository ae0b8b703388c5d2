"""Vector index: the nearest neighbours of a vector, and nothing else.

Texts, words, rights and what is visible are in Postgres, which is the truth: a neighbour that it does not know as live and readable
does not exist. An index is either a part of its transactions, or a server whose writes go before and after them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Space:
    """The points of one index version. Those of others are elsewhere."""

    index_id: int
    dimension: int


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk's vector, and what the access filter needs to know of it. No id is ever given twice in a space."""

    chunk_id: int
    document_id: str
    vector: Vector
    readers: Sequence[str] = ()
    """Who may find it among those who may read the collection; none: all of them."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which points count: those that one of the `readers` may find, and of the `chunk_ids` only, where they are given."""

    readers: Sequence[str]
    chunk_ids: Sequence[int] | None = None


class VectorIndex(Protocol):
    """What every index answers. Raises `DatabaseUnavailable`. A space that has no points is an empty one."""

    @property
    def transactional(self) -> bool:
        """Whether points come and go in the catalog's own transaction. If not, this is a `VectorServer`."""

    async def nearest(self, space: Space, vector: Vector, k: int, only: Filter) -> Sequence[tuple[int, float]]:
        """Chunk ids with their cosine, nearest first. Exact among `chunk_ids`; else as good as the index is."""

    async def vectors(self, space: Space, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """The vectors of these points as they are kept, perhaps rounded; those that are not there are left out."""

    async def count(self, space: Space) -> int:
        """How many points there are."""

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable`."""


class VectorServer(VectorIndex, Protocol):
    """An index of its own. The catalog puts points before they become visible in Postgres, and deletes them after they have gone there.

    What a process that was killed in between leaves is found by no question, and upkeep removes it.
    """

    async def put(self, space: Space, points: Sequence[Point]) -> None:
        """Add points, or put them in place of those with the same ids; they can be found when this returns."""

    async def delete(self, space: Space, chunk_ids: Sequence[int]) -> None:
        """Remove points. Those that are not there are passed over."""

    async def drop(self, index_id: int) -> None:
        """Remove the space of an index version with all its points, where there is one."""

    async def chunk_ids(self, space: Space, *, after: int, limit: int) -> Sequence[int]:
        """The ids of the points behind `after`, in order, at most `limit`."""

    async def spaces(self) -> Sequence[int]:
        """The index versions that have a space here."""
