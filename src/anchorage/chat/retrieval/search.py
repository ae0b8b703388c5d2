"""search: the passages for a question, for those who want no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from anchorage.chat.retrieval.retrieve import checked_question, retrieve
from anchorage.chat.safety.guard import guard_search
from anchorage.chat.state import ChatServices
from anchorage.model import EmbedderSpec, Hit, Principal
from anchorage.ports.embedder import Embedder


async def search(
    services: ChatServices, principal: Principal, question: str, collections: Sequence[str] | None, k: int | None = None
) -> Sequence[Hit]:
    """The best passages. Raises `BadRequest`, `TooLarge`, `Blocked`, `BudgetExceeded`, and what retrieval raises."""
    question = checked_question(question, services.limits.question_limit)
    question = await guard_search(services, principal, question)
    services = replace(services, embedders=_Budgeted(services, principal))
    ranking, _ = await retrieve(services, principal, question, collections, k)
    return ranking.hits


@dataclass(frozen=True, slots=True)
class _Budgeted:
    """The `Embedders` of a search: of those that are paid for, none is asked by a principal whose budget is spent.

    Which of them a search asks is known when its collections are; the default one was checked before.
    """

    services: ChatServices
    principal: Principal

    @property
    def default(self) -> Embedder:
        return self.services.embedder

    async def of(self, spec: EmbedderSpec) -> Embedder:
        if self.services.ledger is not None and self.services.pays_for(spec):
            await self.services.ledger.check(self.principal)
        return await self.services.embedders.of(spec)
