"""A generator with a budget of its own for each day, whoever asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from anchorage.model import Message, Usage
from anchorage.ports.llm import Generator
from anchorage.ports.usage import Allowance, Ledger
from anchorage.text.tokens import CHARACTERS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class BudgetedGenerator:
    """A `Generator` that raises `ModelBudgetSpent`, before its server is asked, when the day's budget of its model is spent.

    Counted is what the ledger counts for a model of this name: whoever asks must add what it costs there.
    """

    inner: Generator
    ledger: Ledger
    allowance: Allowance
    max_tokens: int
    """What an answer may have at most, where the caller does not say."""

    @property
    def model(self) -> str:
        return self.inner.model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        read = sum(len(message.content) for message in messages) // CHARACTERS_PER_TOKEN
        most = Usage(self.model, read, max_tokens or self.max_tokens)
        async with (
            self.ledger.hold_model(self.allowance, most),
            aclosing(self.inner.stream(messages, max_tokens=max_tokens)) as pieces,  # type: ignore[type-var]
        ):
            async for piece in pieces:
                yield piece

    async def ping(self) -> str:
        return await self.inner.ping()
