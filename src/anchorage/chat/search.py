"""search: the passages for a question, for those who want no answer."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.guard import guard_search
from anchorage.chat.retrieve import checked_question, retrieve
from anchorage.chat.state import ChatServices
from anchorage.model import Hit, Principal


async def search(
    services: ChatServices, principal: Principal, question: str, collections: Sequence[str] | None, k: int | None = None
) -> Sequence[Hit]:
    """The best passages. Raises `BadRequest`, `TooLarge`, `Blocked`, `BudgetExceeded`, and what retrieval raises."""
    question = checked_question(question, services.limits.question_limit)
    question = await guard_search(services, principal, question)
    ranking, _ = await retrieve(services, principal, question, collections, k)
    return ranking.hits
