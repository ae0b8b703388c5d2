"""search: finds the passages for a question, without an answer."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.retrieval.retrieve import Retriever
from anchorage.chat.safety.guard import TurnGuard
from anchorage.chat.safety.question import check_question
from anchorage.errors import BadRequest
from anchorage.model import Hit, Principal

MOST_PASSAGES = 100


class PassageSearch:
    """Searches within what the guard and the budget allow."""

    def __init__(self, guard: TurnGuard, retriever: Retriever, question_limit: int) -> None:
        self._guard, self._retriever, self._question_limit = guard, retriever, question_limit

    async def search_passages(
        self, principal: Principal, question: str, collections: Sequence[str] | None, k: int | None = None
    ) -> Sequence[Hit]:
        """Return the best passages. Raises `BadRequest`, `TooLarge`, `Blocked`, `BudgetExceeded`, and what retrieval raises."""
        question = check_question(question, self._question_limit)
        if k is not None and (type(k) is not int or not 1 <= k <= MOST_PASSAGES):
            raise BadRequest(
                f"k is {k!r}, and must be a number from 1 to {MOST_PASSAGES}: how many passages are wanted."
            )
        question = await self._guard.guard_search(principal, question)
        ranking, _ = await self._retriever.retrieve(principal, question, collections, k, within_budget=True)
        return ranking.hits
