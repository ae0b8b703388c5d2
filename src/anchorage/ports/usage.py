"""Ledger: what each principal's questions cost, and whether another one may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from anchorage.model import Principal, Usage, UsageRow


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a principal may use; None: any amount. Cost is in the currency of the price table; days and months are UTC's."""

    daily_cost: float | None = None
    monthly_cost: float | None = None
    daily_tokens: int | None = None
    monthly_tokens: int | None = None


class Ledger(Protocol):
    """Counts by principal, model and day (UTC)."""

    def add(self, principal: Principal, usage: Usage) -> None:
        """Count a model's call. Returns at once; it is written a little later, and at the latest when the ledger closes."""
        ...

    async def check(self, principal: Principal) -> None:
        """Raises `BudgetExceeded` when a budget of the principal is spent."""
        ...

    def allowance(self, principal: Principal) -> Allowance:
        """The principal's budgets."""
        ...

    async def rows(self, since: date, principal: Principal | None = None) -> Sequence[UsageRow]:
        """What was used from that day on, newest day first; everybody's without a principal."""
        ...
