"""answer: has the answer written by the generator or made of quotations, or tells of the conversation itself."""

from __future__ import annotations

from typing import Protocol

from anchorage.chat.memory.recount import recount_questions
from anchorage.chat.state import TurnContext, TurnState


class Author(Protocol):
    """Who writes answers: a `Writer`, whose text is still to be verified, or a `Quoter`."""

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """The answer to `standalone_question` from the `hits`."""
        ...


class Answerer:
    """The step that brings an answer, unless one was recalled."""

    def __init__(self, author: Author) -> None:
        self._author = author

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """The answer; its text is emitted as it comes."""
        if state.get("recalled"):
            return {}
        if state["about_conversation"]:
            text = recount_questions(state["history"])
            await context.emit_text(text)
            return {"answer": text, "abstained": False, "statements": (), "unsupported": ()}
        return await self._author.write_answer(state, context)
