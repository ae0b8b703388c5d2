"""What every `Reranker` must do. Subclass with a fixture `reranker` that finds cats in a text about cats."""

from __future__ import annotations

import asyncio

import pytest

from anchorage.ports.reranker import Reranker

QUESTION = "what do cats eat"
PASSAGES = ("the harbour opened in may", "cats eat fish", "what do dogs eat")


class RerankerConformance:
    """Scores in the order of the passages, between 0 and 1."""

    async def test_the_passage_that_answers_scores_best(self, reranker: Reranker) -> None:
        scores = await reranker.score(QUESTION, PASSAGES)
        assert len(scores) == 3 and all(0 <= score <= 1 for score in scores)
        assert scores[0] == min(scores)
        turned = await reranker.score(QUESTION, PASSAGES[::-1])
        assert turned == pytest.approx(scores[::-1], abs=1e-5)

    async def test_no_passages_no_scores(self, reranker: Reranker) -> None:
        assert list(await reranker.score(QUESTION, ())) == []

    async def test_many_passages_and_odd_ones(self, reranker: Reranker) -> None:
        passages = [
            "",
            " ",
            "\N{SMILING CAT FACE WITH OPEN MOUTH}",
            "cats " * 2000,
            *(f"cats eat {n}" for n in range(150)),
        ]
        scores = await reranker.score(QUESTION, passages)
        assert len(scores) == len(passages) and all(0 <= score <= 1 for score in scores)

    async def test_several_questions_at_once(self, reranker: Reranker) -> None:
        alone = await reranker.score(QUESTION, PASSAGES)
        for scores in await asyncio.gather(*(reranker.score(QUESTION, PASSAGES) for _ in range(8))):
            assert scores == pytest.approx(alone, abs=1e-5)

    async def test_it_has_a_name_and_can_be_pinged(self, reranker: Reranker) -> None:
        assert reranker.model
        assert await reranker.ping() == "available"
