"""What every `AnswerCache` must do. Subclass with a fixture `cache`."""

from __future__ import annotations

import numpy as np

from anchorage.ports.cache import AnswerCache, Slot

_NORTH, _EAST = np.array([1, 0, 0, 0], np.float32), np.array([0, 1, 0, 0], np.float32)
_NEARLY = np.array([0.999, 0.0447, 0, 0], np.float32)


def _slot(question: str, scope: str = "f/1", family: str = "f") -> Slot:
    return Slot(family, scope, question)


class AnswerCacheConformance:
    """By the same question, or by one that is near, within one scope."""

    async def test_the_same_question_brings_the_answer(self, cache: AnswerCache) -> None:
        assert await cache.exact(_slot("when")) is None
        await cache.keep(_slot("when"), None, {"answer": "1827"})
        assert await cache.exact(_slot("when")) == {"answer": "1827"}
        assert await cache.exact(_slot("where")) is None
        assert await cache.exact(_slot("when", "g/1", "g")) is None
        await cache.keep(_slot("when"), None, {"answer": "1828"})
        assert await cache.exact(_slot("when")) == {"answer": "1828"}

    async def test_near_questions_come_nearest_first(self, cache: AnswerCache) -> None:
        await cache.keep(_slot("north"), _NORTH, {"answer": "n"})
        await cache.keep(_slot("nearly"), _NEARLY, {"answer": "m"})
        await cache.keep(_slot("east"), _EAST, {"answer": "e"})
        assert list(await cache.near(_slot("x"), _NORTH, 0.99)) == [{"answer": "n"}, {"answer": "m"}]
        assert list(await cache.near(_slot("x"), _EAST, 0.99)) == [{"answer": "e"}]
        assert list(await cache.near(_slot("x", "g/1", "g"), _NORTH, 0.1)) == []

    async def test_vectors_of_another_length_are_not_compared(self, cache: AnswerCache) -> None:
        await cache.keep(_slot("north"), _NORTH, {"answer": "n"})
        assert list(await cache.near(_slot("x"), np.ones(3, np.float32), 0.1)) == []

    async def test_a_new_state_clears_away_what_the_old_one_left(self, cache: AnswerCache) -> None:
        await cache.keep(_slot("when"), None, {"answer": "old"})
        await cache.keep(_slot("when", "g/1", "g"), None, {"answer": "other"})
        await cache.keep(_slot("where", "f/2"), None, {"answer": "new"})
        assert await cache.exact(_slot("when")) is None
        assert await cache.exact(_slot("when", "g/1", "g")) == {"answer": "other"}
