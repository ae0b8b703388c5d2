"""Ledger: what each principal's questions cost, and whether another one may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from anchorage.model import Principal, Usage


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a principal may use; None: any amount. Cost is in the currency of the price table; days and months are UTC's."""

    daily_cost: float | None = None
    monthly_cost: float | None = None
    daily_tokens: int | None = None
    monthly_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one principal used of one model on one day (UTC); `cost` is in the currency of the price table."""

    day: date
    principal: str
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


class Ledger(Protocol):
    """Counts by principal, model and day (UTC)."""

    def add(self, principal: Principal, usage: Usage) -> None:
        """Count a model's call. Returns at once; it is written a little later, and at the latest when the ledger closes."""
        ...

    async def check(self, principal: Principal) -> None:
        """Raises `BudgetExceeded` when a budget of the principal is spent, or set aside for what is under way."""
        ...

    def hold(self, principal: Principal, most: Usage) -> AbstractAsyncContextManager[None]:
        """Set aside, for as long as the context lasts, what a question may use at most. Raises what `check` raises.

        Whoever comes first is let in while anything is left, however little, so that a small budget can be used up: what
        this process lets in overruns a budget by one question.
        """
        ...

    def hold_model(self, allowance: Allowance, most: Usage) -> AbstractAsyncContextManager[None]:
        """The same for a model that has a budget of its own, whoever asks it. Raises `ModelBudgetSpent`."""
        ...

    def allowance(self, principal: Principal) -> Allowance:
        """The principal's budgets."""
        ...

    async def rows(self, since: date, principal: Principal | None = None) -> Sequence[UsageRow]:
        """What was used from that day on, newest day first; everybody's without a principal."""
        ...
