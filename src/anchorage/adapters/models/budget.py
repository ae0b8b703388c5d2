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
    """A `Generator` that raises `ModelBudgetSpent` when its model has spent the day's budget. Its server is not asked then.

    The ledger counts what a model of this name has used. The caller must add each answer's usage to it.
    """

    inner: Generator
    ledger: Ledger
    allowance: Allowance
    max_tokens: int
    """The most tokens that an answer may have, unless the caller sets another limit."""

    @property
    def model(self) -> str:
        return self.inner.model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        prompt_tokens = sum(len(message.content) for message in messages) // CHARACTERS_PER_TOKEN
        most = Usage(self.model, prompt_tokens, max_tokens or self.max_tokens)
        async with (
            self.ledger.hold_model(self.allowance, most),
            aclosing(self.inner.stream(messages, max_tokens=max_tokens)) as pieces,  # type: ignore[type-var]
        ):
            async for piece in pieces:
                yield piece

    async def ping(self) -> str:
        return await self.inner.ping()
