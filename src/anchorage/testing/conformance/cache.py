"""What every `AnswerCache` must do. Subclass with a fixture `cache`."""

from __future__ import annotations

import numpy as np

from anchorage.ports.cache import AnswerCache, Place

_NORTH, _EAST = np.array([1, 0, 0, 0], np.float32), np.array([0, 1, 0, 0], np.float32)
_NEARLY = np.array([0.999, 0.0447, 0, 0], np.float32)


def _place(question: str, scope: str = "f/1", family: str = "f") -> Place:
    return Place(family, scope, question)


class AnswerCacheConformance:
    """By the same question, or by one that is near, within one scope."""

    async def test_the_same_question_brings_the_answer(self, cache: AnswerCache) -> None:
        assert await cache.exact(_place("when")) is None
        await cache.keep(_place("when"), None, {"answer": "1827"})
        assert await cache.exact(_place("when")) == {"answer": "1827"}
        assert await cache.exact(_place("where")) is None
        assert await cache.exact(_place("when", "g/1", "g")) is None
        await cache.keep(_place("when"), None, {"answer": "1828"})
        assert await cache.exact(_place("when")) == {"answer": "1828"}

    async def test_near_questions_come_nearest_first(self, cache: AnswerCache) -> None:
        await cache.keep(_place("north"), _NORTH, {"answer": "n"})
        await cache.keep(_place("nearly"), _NEARLY, {"answer": "m"})
        await cache.keep(_place("east"), _EAST, {"answer": "e"})
        assert list(await cache.near(_place("x"), _NORTH, 0.99)) == [{"answer": "n"}, {"answer": "m"}]
        assert list(await cache.near(_place("x"), _EAST, 0.99)) == [{"answer": "e"}]
        assert list(await cache.near(_place("x", "g/1", "g"), _NORTH, 0.1)) == []

    async def test_vectors_of_another_length_are_not_compared(self, cache: AnswerCache) -> None:
        await cache.keep(_place("north"), _NORTH, {"answer": "n"})
        assert list(await cache.near(_place("x"), np.ones(3, np.float32), 0.1)) == []

    async def test_a_new_state_clears_away_what_the_old_one_left(self, cache: AnswerCache) -> None:
        await cache.keep(_place("when"), None, {"answer": "old"})
        await cache.keep(_place("when", "g/1", "g"), None, {"answer": "other"})
        await cache.keep(_place("where", "f/2"), None, {"answer": "new"})
        assert await cache.exact(_place("when")) is None
        assert await cache.exact(_place("when", "g/1", "g")) == {"answer": "other"}
