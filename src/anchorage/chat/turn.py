"""Asking: runs the graph for one question and tells what happens as a stream of events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import structlog

from anchorage.chat.events import Event
from anchorage.chat.graph import turn_graph
from anchorage.chat.retrieve import checked_question
from anchorage.chat.state import ChatServices, TurnContext
from anchorage.errors import AnchorageError, BadRequest
from anchorage.model import Answer, Principal, Turn

_log = structlog.get_logger(__name__)
_ID = re.compile(r"[\w.:@-]{1,128}")
_MAX_WAITING = 256  # events that a slow reader may leave unread before the turn waits for it


def checked_id(value: str | None, what: str) -> str:
    """The client's id, or a new one. Raises `BadRequest` for one that cannot be used."""
    if value is None or value == "":
        return str(uuid4())
    if not _ID.fullmatch(value):
        raise BadRequest(f"This {what} cannot be used: take 1 to 128 letters, digits, or any of `_ . : @ -`.")
    return value


async def ask_events(
    services: ChatServices,
    principal: Principal,
    question: str,
    *,
    conversation_id: str | None = None,
    message_id: str | None = None,
    collections: Sequence[str] | None = None,
    history: Sequence[Turn] | None = None,
) -> AsyncGenerator[Event, None]:
    """Answer a question, as events. The last but one is `answer` or `error`, the last is `done`.

    Input that cannot be taken raises before the first event: `BadRequest`, `TooLarge`, `NotFound`. A `message_id` that
    was answered before brings that answer again. Closing the iterator ends the turn.

    With `history` the caller keeps the conversation: the question is read against these turns, and nothing is remembered.
    """
    question = checked_question(question, services.limits.question_limit)
    conversation = checked_id(conversation_id, "conversation_id")
    message = checked_id(message_id, "message_id")
    earlier = None if history is not None else await services.memory.find(principal, conversation, message)
    turns = history if history is not None else await services.memory.window(principal, conversation, 1)
    turn = earlier.number if earlier else (turns[-1].number + 1 if turns else 1)
    queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_MAX_WAITING)

    async def emit(kind: str, data: dict[str, Any]) -> None:
        await queue.put((kind, data))

    state = {"question": question, "conversation_id": conversation, "message_id": message, "collections": collections}
    task = asyncio.create_task(_run(TurnContext(services, principal, emit, history), state, earlier))
    number = 0
    try:
        while True:
            kind, data = await queue.get()
            number += 1
            yield Event(kind, number, turn, 1, data)
            if kind == "done":
                return
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _run(context: TurnContext, state: dict[str, Any], earlier: Turn | None) -> None:
    """Run the turn and emit what becomes of it; whatever happens, the last event is `done`."""
    emit, conversation = context.emit, state["conversation_id"]
    await emit("start", {"conversation_id": conversation, "message_id": state["message_id"]})
    try:
        if earlier:
            answer = _again(earlier, conversation)
        else:
            answer = _answer(await turn_graph().ainvoke(state, context=context))
        await emit("answer", {"answer": answer})
    except AnchorageError as error:
        _log.warning("turn_failed", code=error.code, reason=error.message, conversation_id=conversation)
        await emit("error", _error(error))
    except Exception as error:  # noqa: BLE001  the stream must end with a word on it, whatever it was
        _log.exception("turn_crashed", conversation_id=conversation)
        unexpected = AnchorageError("The answer failed unexpectedly; the server's log has the details.")
        unexpected.__cause__ = error
        await emit("error", _error(unexpected))
    await emit("done", {})


def _error(error: AnchorageError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "temporary": error.temporary, "error": error}


async def ask(
    services: ChatServices,
    principal: Principal,
    question: str,
    *,
    conversation_id: str | None = None,
    message_id: str | None = None,
    collections: Sequence[str] | None = None,
    history: Sequence[Turn] | None = None,
) -> Answer:
    """The whole answer at once. Raises what `ask_events` raises, and what its `error` event would tell."""
    answer: Answer | None = None
    async for event in ask_events(
        services, principal, question, conversation_id=conversation_id, message_id=message_id, collections=collections,
        history=history,
    ):  # fmt: skip
        if event.type == "error":
            raise event.data["error"]
        if event.type == "answer":
            answer = event.data["answer"]
    assert answer is not None
    return answer


def _again(turn: Turn, conversation: str) -> Answer:
    return Answer(
        turn.answer, turn.abstained, turn.citations, (), conversation, turn.message_id, unsupported=turn.unsupported
    )


def _answer(state: dict[str, Any]) -> Answer:
    return Answer(
        answer=state["answer"],
        abstained=state["abstained"],
        citations=tuple(state["citations"]),
        hits=tuple(state["hits"]),
        conversation_id=state["conversation_id"],
        message_id=state["message_id"],
        usage=state["usage"],
        unsupported=tuple(state["unsupported"]),
    )
