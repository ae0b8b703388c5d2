"""answer: lets the author write the answer, or recounts the questions of the conversation."""

from __future__ import annotations

from typing import Protocol

from anchorage.chat.memory.recount import recount_questions
from anchorage.chat.state import TurnContext, TurnState


class Author(Protocol):
    """Who writes answers: a `Writer`, whose text is still to be verified, or a `Quoter`."""

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Write the answer to `standalone_question` from the `hits`."""
        ...


class Answerer:
    """The step that writes the answer, unless one was recalled."""

    def __init__(self, author: Author) -> None:
        self._author = author

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Write the answer. Its text is emitted as it comes."""
        if state.get("recalled"):
            return {}
        if state["about_conversation"]:
            text = recount_questions(state["history"])
            await context.emit_text(text)
            return {"answer": text, "abstained": False, "statements": (), "unsupported": ()}
        return await self._author.write_answer(state, context)
