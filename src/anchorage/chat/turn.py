"""Asking: reads the conversation, runs the graph for one question, and tells what happens as events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog

from anchorage.chat.generation.stop import Stop, stoppable
from anchorage.chat.memory.history import read_against, walk
from anchorage.chat.memory.remember import ALL_TURNS
from anchorage.chat.memory.rewrite import is_about_conversation
from anchorage.chat.pipeline import take_turn
from anchorage.chat.retrieval.retrieve import checked_question, cleaned
from anchorage.chat.safety.guard import let_through
from anchorage.chat.state import ChatServices, Emit, TurnContext, TurnState
from anchorage.chat.streaming.events import Event
from anchorage.errors import AnchorageError, BadRequest
from anchorage.model import Answer, Principal, Turn, Usage
from anchorage.ports.memory import Place, Thread

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


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the conversation that it stands in, ready to be answered."""

    question: str
    conversation_id: str
    message_id: str
    collections: Sequence[str] | None
    thread: Thread
    parent: int | None
    """The turn that it follows, where the caller chose one."""
    history: Sequence[Turn] | None = None
    """The turns before, where the caller keeps them."""
    fresh: bool = False
    """Whether an answer that was given before is not wanted: another one is asked for."""

    @property
    def turn(self) -> int:
        """The number that its turn has or, if nobody else is faster, will have."""
        return self.answered_as or self.thread.turns + 1

    @property
    def answered_as(self) -> int | None:
        """The number that its turn has, if it was answered before."""
        return self.thread.earlier.number if self.thread.earlier else None


async def prepare(
    services: ChatServices,
    principal: Principal,
    question: str | None,
    *,
    conversation_id: str | None = None,
    message_id: str | None = None,
    collections: Sequence[str] | None = None,
    place: Place = Place(),  # noqa: B008  frozen
    history: Sequence[Turn] | None = None,
) -> Asked:
    """Check what is asked and read the conversation. Without a question, that of the message which is replaced is asked again.

    Raises `BadRequest`, `TooLarge`, and `NotFound` for a conversation of another owner or a place that is not in it.
    """
    limits = services.limits
    if question is not None or place.instead_of is None:
        question = checked_question(question or "", limits.question_limit)
    conversation, message = checked_id(conversation_id, "conversation_id"), checked_id(message_id, "message_id")
    if place.chosen and not conversation_id:
        raise BadRequest("A message of which conversation is meant? Send its conversation_id too.")
    if history is not None:
        history = await let_through(services, history)
        thread = Thread(turns=len(history), history=tuple(history))
    elif not conversation_id:
        thread = Thread()  # nobody can have used an id that was made just now
    else:
        about = question is not None and is_about_conversation(question)
        thread = await services.memory.thread(
            principal, conversation, message, place=place, limit=ALL_TURNS if about else walk(limits.history_turns)
        )
    question = checked_question(question or thread.replaced or "", limits.question_limit)
    parent = thread.parent if place.chosen else None
    fresh = thread.replaced is not None and question == cleaned(thread.replaced)
    return Asked(question, conversation, message, collections, thread, parent, history, fresh)


async def run(
    services: ChatServices, principal: Principal, asked: Asked, emit: Emit, stop: Stop | None = None
) -> Answer:
    """Answer what was prepared and remember it; a message that was answered before gets the answer that it got."""
    if asked.thread.earlier:
        return again(asked.thread.earlier, asked.conversation_id)
    state: TurnState = {
        "question": asked.question,
        "conversation_id": asked.conversation_id,
        "message_id": asked.message_id,
        "collections": asked.collections,
        "history": read_against(asked.thread, asked.question, services.limits),
        "parent": asked.parent,
        "begun": asked.thread.exists,
        "fresh": asked.fresh,
    }
    context = TurnContext(stoppable(services.on_account(principal), stop), principal, emit, asked.history, stop)
    async with services.underway(principal, asked.question):
        answer = _answer(await take_turn(state, context), stop)
    if services.summaries and asked.history is None:
        services.summaries.after(principal, asked, answer, lambda usage: services.spent(principal, usage))
    return answer


async def tell(
    services: ChatServices, principal: Principal, asked: Asked, emit: Emit, stop: Stop | None = None
) -> Answer | None:
    """Run the turn and emit `answer` or `error`; returns the answer if there is one."""
    conversation = asked.conversation_id
    try:
        answer = await run(services, principal, asked, emit, stop)
        await emit("answer", {"answer": answer})
        return answer
    except AnchorageError as error:
        _log.warning("turn_failed", code=error.code, reason=error.message, conversation_id=conversation)
        await emit("error", error_data(error))
    except Exception as error:  # noqa: BLE001  the stream must end with a word on it, whatever it was
        _log.exception("turn_crashed", conversation_id=conversation)
        unexpected = AnchorageError("The answer failed unexpectedly; the server's log has the details.")
        unexpected.__cause__ = error
        await emit("error", error_data(unexpected))
    return None


def error_data(error: AnchorageError) -> dict[str, Any]:
    """What an `error` event says."""
    return {"code": error.code, "message": error.message, "temporary": error.temporary, "error": error}


async def ask_events(
    services: ChatServices,
    principal: Principal,
    question: str | None,
    *,
    conversation_id: str | None = None,
    message_id: str | None = None,
    collections: Sequence[str] | None = None,
    place: Place = Place(),  # noqa: B008  frozen
    history: Sequence[Turn] | None = None,
) -> AsyncGenerator[Event, None]:
    """Answer a question, as events. The last but one is `answer` or `error`, the last is `done`.

    Input that cannot be taken raises before the first event: `BadRequest`, `TooLarge`, `NotFound`. A `message_id` that
    was answered before brings that answer again. Closing the iterator ends the turn. These events live in this process
    only; `Streams` has those that survive it.

    With `history` the caller keeps the conversation: the question is read against these turns, and nothing is remembered.
    """
    asked = await prepare(
        services, principal, question, conversation_id=conversation_id, message_id=message_id, collections=collections,
        place=place, history=history,
    )  # fmt: skip
    queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_MAX_WAITING)

    async def emit(kind: str, data: dict[str, Any]) -> None:
        waited_for = queue.empty()
        await queue.put((kind, data))
        if waited_for:  # the reader has it before more is made, which may be there already
            await asyncio.sleep(0)

    async def all_of_it() -> None:
        await emit("start", {"conversation_id": asked.conversation_id, "message_id": asked.message_id})
        await tell(services, principal, asked, emit)
        await emit("done", {})

    task = asyncio.create_task(all_of_it())
    number = 0
    try:
        while True:
            kind, data = await queue.get()
            number += 1
            yield Event(kind, number, asked.turn, 1, data)
            if kind == "done":
                return
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ask(
    services: ChatServices,
    principal: Principal,
    question: str | None,
    *,
    conversation_id: str | None = None,
    message_id: str | None = None,
    collections: Sequence[str] | None = None,
    place: Place = Place(),  # noqa: B008  frozen
    history: Sequence[Turn] | None = None,
) -> Answer:
    """The whole answer at once. Raises what `ask_events` raises, and what its `error` event would tell."""
    asked = await prepare(
        services, principal, question, conversation_id=conversation_id, message_id=message_id, collections=collections,
        place=place, history=history,
    )  # fmt: skip
    return await run(services, principal, asked, _unheard)


async def _unheard(kind: str, data: dict[str, Any]) -> None:
    return None


def again(turn: Turn, conversation: str) -> Answer:
    """The answer that was given; it costs nothing, and says again if it was cut."""
    return Answer(
        turn.answer, turn.abstained, turn.citations, (), conversation, turn.message_id, unsupported=turn.unsupported,
        stopped=turn.stopped, usage=Usage(cut=bool(turn.trace.get("usage", {}).get("cut"))),
    )  # fmt: skip


def _answer(state: TurnState, stop: Stop | None) -> Answer:
    return Answer(
        answer=state["answer"],
        abstained=state["abstained"],
        citations=tuple(state["citations"]),
        hits=tuple(state["hits"]),
        conversation_id=state["conversation_id"],
        message_id=state["message_id"],
        usage=state["usage"],
        unsupported=tuple(state["unsupported"]),
        stopped=bool(stop and stop.stopped),
    )
