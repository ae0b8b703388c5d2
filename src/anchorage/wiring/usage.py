"""The ledger that the settings describe."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.usage import PostgresLedger, open_ledger
from anchorage.ports.usage import Allowance
from anchorage.settings.model_sections import Budget, UsageSettings


def ledger_for(usage: UsageSettings, pool: Pool) -> AbstractAsyncContextManager[PostgresLedger]:
    """A ledger over the state database, with its prices and budgets."""
    return open_ledger(
        pool,
        prices={name: (price.input, price.output) for name, price in usage.prices.items()},
        default=_allowance(usage),
        allowances={name: _allowance(budget) for name, budget in usage.budgets.items()},
        interval=usage.flush_interval,
    )


def _allowance(budget: Budget) -> Allowance:
    return Allowance(budget.daily_cost, budget.monthly_cost, budget.daily_tokens, budget.monthly_tokens)
