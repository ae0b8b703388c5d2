"""answer: who writes answers."""

from __future__ import annotations

from typing import Protocol

from anchorage.chat.state import TurnContext, TurnState


class Author(Protocol):
    """Writes answers: a `Writer`, whose text is still to be verified, or a `Quoter`."""

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Write the answer to `standalone_question` from the `hits`. Its text is emitted as it comes."""
        ...
