"""What every `VectorIndex` must do, and what every `VectorServer` must. Subclass with fixtures `index` and `space`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from anchorage.ports.vector_index import Filter, Point, Space, VectorIndex, VectorServer
from anchorage.testing.collections import ANNA, BEN

ALL = Filter(ANNA.readers)
DOCUMENT = "8d6f0f5e-2c4b-4b7e-9a53-0f7f2f6d4c11"
DIMENSION = 8
_ROUNDED = 2e-3  # vectors may be kept in half precision


def points(count: int, *, first: int = 1, readers: Sequence[str] = ()) -> list[Point]:
    """Points in all directions."""
    vectors = np.random.default_rng(first).normal(size=(count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [Point(first + number, DOCUMENT, vector, tuple(readers)) for number, vector in enumerate(vectors)]


def expected(given: Sequence[Point], asked: Point, k: int) -> list[int]:
    """The true neighbours of a point."""
    return [point.chunk_id for point in sorted(given, key=lambda point: -float(point.vector @ asked.vector))[:k]]


class VectorIndexConformance:
    """Neighbours, nearest first, and of those only that count."""

    async def put(self, index: VectorIndex, space: Space, given: Sequence[Point]) -> None:
        """How points come; another way where they are a part of the catalog's transactions."""
        await index.put(space, given)  # type: ignore[attr-defined]

    async def delete(self, index: VectorIndex, space: Space, chunk_ids: Sequence[int]) -> None:
        """How points go."""
        await index.delete(space, chunk_ids)  # type: ignore[attr-defined]

    async def test_the_nearest_come_first_with_their_cosines(self, index: VectorIndex, space: Space) -> None:
        given = points(50)
        await self.put(index, space, given)
        for asked in given[::10]:
            found = list(await index.nearest(space, asked.vector, 7, ALL))
            assert [chunk_id for chunk_id, _ in found] == expected(given, asked, 7)
            assert found[0][1] == pytest.approx(1, abs=_ROUNDED)
            cosines = {point.chunk_id: float(point.vector @ asked.vector) for point in given}
            assert all(cosine == pytest.approx(cosines[chunk_id], abs=_ROUNDED) for chunk_id, cosine in found)

    async def test_the_length_of_a_question_does_not_matter(self, index: VectorIndex, space: Space) -> None:
        given = points(20)
        await self.put(index, space, given)
        asked = given[3].vector
        long = dict(await index.nearest(space, 7 * asked, 5, ALL))
        assert long == pytest.approx(dict(await index.nearest(space, asked, 5, ALL)), abs=_ROUNDED)

    async def test_all_that_there_are_come_where_more_are_wanted(self, index: VectorIndex, space: Space) -> None:
        assert list(await index.nearest(space, points(1)[0].vector, 5, ALL)) == []
        assert await index.count(space) == 0
        await self.put(index, space, points(3))
        assert {chunk_id for chunk_id, _ in await index.nearest(space, points(1)[0].vector, 5, ALL)} == {1, 2, 3}
        assert await index.count(space) == 3

    async def test_only_the_chunks_that_are_named_count(self, index: VectorIndex, space: Space) -> None:
        given = points(40)
        await self.put(index, space, given)
        some, asked = [5, 7, 21, 40], given[0]
        found = list(await index.nearest(space, asked.vector, 10, replace(ALL, chunk_ids=[*some, 999])))
        assert [chunk_id for chunk_id, _ in found] == expected([given[i - 1] for i in some], asked, 4)
        best = expected([given[i - 1] for i in some], asked, 2)
        assert [i for i, _ in await index.nearest(space, asked.vector, 2, replace(ALL, chunk_ids=some))] == best
        assert not await index.nearest(space, asked.vector, 10, replace(ALL, chunk_ids=[]))

    async def test_who_may_not_read_a_point_does_not_find_it(self, index: VectorIndex, space: Space) -> None:
        given = points(5, readers=ANNA.readers)
        await self.put(index, space, given)
        assert len(await index.nearest(space, given[0].vector, 9, ALL)) == 5
        assert not await index.nearest(space, given[0].vector, 9, Filter(BEN.readers))
        assert not await index.nearest(space, given[0].vector, 9, Filter(BEN.readers, [1, 2, 3]))

    async def test_what_was_deleted_is_found_no_more(self, index: VectorIndex, space: Space) -> None:
        given = points(10)
        await self.put(index, space, given)
        await self.delete(index, space, [1, 2, 3, 999])
        await self.delete(index, space, [1])
        assert {i for i, _ in await index.nearest(space, given[0].vector, 20, ALL)} == set(range(4, 11))
        assert await index.count(space) == 7
        assert set(await index.vectors(space, [1, 2, 4])) == {4}

    async def test_vectors_come_back(self, index: VectorIndex, space: Space) -> None:
        given = points(6)
        await self.put(index, space, given)
        found = await index.vectors(space, [2, 5, 999])
        assert set(found) == {2, 5}
        for chunk_id, vector in found.items():
            assert vector == pytest.approx(given[chunk_id - 1].vector, abs=_ROUNDED)

    async def test_it_answers(self, index: VectorIndex) -> None:
        await index.ping()


class VectorServerConformance(VectorIndexConformance):
    """What the catalog and upkeep do with an index of its own."""

    async def test_a_point_that_is_put_again_takes_the_place_of_the_other(
        self, index: VectorServer, space: Space
    ) -> None:
        given = points(5)
        await index.put(space, given)
        await index.put(space, [replace(given[0], vector=-given[0].vector)])
        assert await index.count(space) == 5
        assert dict(await index.nearest(space, given[0].vector, 5, ALL))[1] == pytest.approx(-1, abs=_ROUNDED)

    async def test_points_without_readers_are_for_all(self, index: VectorServer, space: Space) -> None:
        await index.put(space, points(3))
        await index.put(space, points(3, first=4, readers=["group:crew"]))
        asked = points(1)[0].vector
        assert {i for i, _ in await index.nearest(space, asked, 9, Filter(BEN.readers))} == {1, 2, 3}
        crew = Filter([*BEN.readers, "group:crew"])
        assert {i for i, _ in await index.nearest(space, asked, 9, crew)} == set(range(1, 7))

    async def test_ids_are_listed_in_pages(self, index: VectorServer, space: Space) -> None:
        await index.put(space, points(25, first=3))
        seen: list[int] = []
        while page := await index.chunk_ids(space, after=seen[-1] if seen else 0, limit=10):
            assert len(page) <= 10
            seen += page
        assert seen == list(range(3, 28))

    async def test_spaces_are_apart(self, index: VectorServer, space: Space) -> None:
        other = replace(space, index_id=space.index_id + 1)
        await index.put(space, points(4))
        await index.put(other, points(2))
        assert set(await index.spaces()) >= {space.index_id, other.index_id}
        await index.drop(other.index_id)
        await index.drop(other.index_id)
        assert (await index.count(space), await index.count(other)) == (4, 0)
        assert other.index_id not in await index.spaces()
        assert not await index.nearest(other, points(1)[0].vector, 5, ALL)
        await index.put(other, points(1))  # may come back
        assert await index.count(other) == 1
