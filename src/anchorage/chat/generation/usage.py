"""usage: records what models cost on the account of the principal who asks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from anchorage.model import EmbedderSpec, Principal, Usage
from anchorage.ports.usage import Ledger


@dataclass(frozen=True, slots=True)
class UsageRecorder:
    """Records usage on a ledger. Without a ledger nothing is counted, and nobody has a budget."""

    ledger: Ledger | None = None
    metered: Callable[[EmbedderSpec], bool] | None = None
    """Says whether an embedder is paid for, so that its tokens count too."""

    def is_metered(self, spec: EmbedderSpec) -> bool:
        """Whether vectors of this embedder cost something."""
        return self.metered is not None and self.metered(spec)

    def record_usage(self, principal: Principal, usage: Usage) -> None:
        """Record a model's call on the principal's account."""
        if self.ledger is not None and usage.model is not None:
            self.ledger.add(principal, usage)

    async def check_budget(self, principal: Principal, spec: EmbedderSpec) -> None:
        """Raises `BudgetExceeded` where vectors of this embedder cost something, and the principal's budget is spent."""
        if self.ledger is not None and self.is_metered(spec):
            await self.ledger.check(principal)

    def hold_budget(self, principal: Principal, most: Usage) -> AbstractAsyncContextManager[None]:
        """Reserve the budget that a turn may use at most, for as long as the context lasts. Raises `BudgetExceeded`."""
        return nullcontext() if self.ledger is None else self.ledger.hold(principal, most)


def add_usage(first: Usage, second: Usage) -> Usage:
    """Add the usage of two calls. The model is that of the second call, if it has one."""
    return Usage(
        second.model or first.model,
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        second.cut,
    )
