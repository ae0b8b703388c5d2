"""turn: reads the conversation, runs the pipeline for one question, and emits events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, TypedDict, Unpack
from uuid import uuid4

import structlog

from anchorage.chat.generation.stop import Stop
from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.memory.history import context_window, turns_to_read
from anchorage.chat.memory.recount import ALL_TURNS
from anchorage.chat.memory.rewrite import is_about_conversation
from anchorage.chat.memory.trace import SettingsFingerprint
from anchorage.chat.pipeline import Pipeline
from anchorage.chat.safety.guard import TurnGuard
from anchorage.chat.safety.question import check_question, clean_question
from anchorage.chat.state import ChatLimits, Emit, PreparedQuestion, TurnContext, TurnState
from anchorage.chat.streaming.events import Event
from anchorage.errors import AnchorageError, BadRequest
from anchorage.model import Answer, Principal, Turn, Usage
from anchorage.ports.memory import Memory, Place, Thread
from anchorage.text.tokens import CHARACTERS_PER_TOKEN

_log = structlog.get_logger(__name__)
_ID = re.compile(r"[\w.:@-]{1,128}")
_MAX_UNREAD_EVENTS = 256  # with so many events unread, the turn waits for its reader
_PASSAGE_TOKENS = 512  # of the longest


def check_id(value: str | None, what: str) -> str:
    """Return the client's id, or a new one. Raises `BadRequest` for one that cannot be used."""
    if value is None or value == "":
        return str(uuid4())
    if not _ID.fullmatch(value):
        raise BadRequest(f"This {what} cannot be used: take 1 to 128 letters, digits, or any of `_ . : @ -`.")
    return value


class AskOptions(TypedDict, total=False):
    """How a question may be asked."""

    conversation_id: str | None
    message_id: str | None
    collections: Sequence[str] | None
    place: Place
    history: Sequence[Turn] | None
    """The turns before, where the caller keeps the conversation."""
    max_tokens: int | None
    """Of the answer, where fewer are wanted than the limit."""


class Chat:
    """The use case of the faces: a question of a principal is answered, whole or as events."""

    def __init__(
        self,
        pipeline: Pipeline,
        memory: Memory,
        guard: TurnGuard,
        usage: UsageRecorder,
        fingerprint: SettingsFingerprint,
    ) -> None:
        self._pipeline, self._memory, self._guard, self._usage = pipeline, memory, guard, usage
        self.fingerprint = fingerprint

    @property
    def limits(self) -> ChatLimits:
        return self.fingerprint.limits

    async def prepare_question(
        self,
        principal: Principal,
        question: str | None,
        **options: Unpack[AskOptions],
    ) -> PreparedQuestion:
        """Check the question and read the conversation. Without a question, that of the replaced message is asked again.

        Raises `BadRequest`, `TooLarge`, and `NotFound` for a conversation of another owner or a place that is not in it.
        """
        limit, place, history = self.limits.question_limit, options.get("place", Place()), options.get("history")
        conversation_id = options.get("conversation_id")
        if question is not None or place.instead_of is None:
            question = check_question(question or "", limit)
        conversation, message = (
            check_id(conversation_id, "conversation_id"),
            check_id(options.get("message_id"), "message_id"),
        )
        if place.chosen and not conversation_id:
            raise BadRequest("A message of which conversation is meant? Send its conversation_id too.")
        if history is not None:
            history = await self._guard.guard_sent_turns(history)
            thread = Thread(turns=len(history), history=tuple(history))
        elif not conversation_id:
            thread = Thread()  # nobody can have used an id that was made just now
        else:
            about = question is not None and is_about_conversation(question)
            most = ALL_TURNS if about else turns_to_read(self.limits.history_turns)
            thread = await self._memory.thread(principal, conversation, message, place=place, limit=most)
        question = check_question(question or thread.replaced or "", limit)
        return PreparedQuestion(
            question, conversation, message, options.get("collections"), thread,
            parent=thread.parent if place.chosen else None,
            history=history,
            fresh=thread.replaced is not None and question == clean_question(thread.replaced),
            max_tokens=options.get("max_tokens"),
        )  # fmt: skip

    async def answer_turn(
        self, principal: Principal, asked: PreparedQuestion, emit: Emit, stop: Stop | None = None
    ) -> Answer:
        """Answer what was prepared and remember it; a message that was answered before gets the answer that it got."""
        if asked.thread.earlier:
            return replay_answer(asked.thread.earlier, asked.conversation_id)
        state: TurnState = {
            "question": asked.question,
            "conversation_id": asked.conversation_id,
            "message_id": asked.message_id,
            "collections": asked.collections,
            "history": context_window(asked.thread, asked.question, self.limits),
            "thread": asked.thread,
            "parent": asked.parent,
            "fresh": asked.fresh,
            "usage": Usage(),
        }
        context = TurnContext(principal, emit, asked.history, stop, self._guard.holds_text, asked.max_tokens)
        async with self._hold_budget(principal, asked):
            return _build_answer(await self._pipeline.run(state, context), stop)

    def _hold_budget(self, principal: Principal, asked: PreparedQuestion) -> AbstractAsyncContextManager[None]:
        """Reserve the budget that a turn may use at most; nothing where answers are quotations. Raises `BudgetExceeded`."""
        limits, model = self.limits, self.fingerprint.model
        if model is None:
            return self._usage.hold_budget(principal, Usage())
        read = limits.passages * _PASSAGE_TOKENS + limits.history_tokens + len(asked.question) // CHARACTERS_PER_TOKEN
        most = min(limits.max_tokens, asked.max_tokens or limits.max_tokens)
        return self._usage.hold_budget(principal, Usage(model, read, most))

    async def emit_turn(
        self,
        principal: Principal,
        asked: PreparedQuestion,
        emit: Emit,
        stop: Stop | None = None,
        *,
        log_failure: bool = True,
    ) -> Answer | None:
        """Run the turn and emit `answer` or `error`; returns the answer if there is one.

        `log_failure`: whether a failure is logged, as where nobody may be there to read the event.
        """
        conversation = asked.conversation_id
        try:
            answer = await self.answer_turn(principal, asked, emit, stop)
            await emit("answer", {"answer": answer})
            return answer
        except AnchorageError as error:
            if log_failure:
                _log.warning("turn_failed", code=error.code, reason=error.message, conversation_id=conversation)
            await emit("error", describe_error(error))
        except Exception as error:  # noqa: BLE001  the stream must end with an error event, whatever went wrong
            _log.exception("turn_crashed", conversation_id=conversation)
            unexpected = AnchorageError("The answer failed unexpectedly; the server's log has the details.")
            unexpected.__cause__ = error
            await emit("error", describe_error(unexpected))
        return None

    async def ask(self, principal: Principal, question: str | None, **options: Unpack[AskOptions]) -> Answer:
        """Return the whole answer at once; takes what `prepare_question` takes. Raises what it raises, and what an `error` event would say."""
        return await self.answer_turn(
            principal, await self.prepare_question(principal, question, **options), _ignore_event
        )

    async def stream_answer(
        self, principal: Principal, question: str | None, **options: Unpack[AskOptions]
    ) -> AsyncGenerator[Event, None]:
        """Answer a question, as events; takes what `prepare_question` takes. The last but one is `answer` or `error`, the last is `done`.

        Input that cannot be taken raises before the first event: `BadRequest`, `TooLarge`, `NotFound`. A `message_id` that
        was answered before brings that answer again. Closing the iterator ends the turn. These events live in this process
        only; `Streams` has those that survive it.

        With `history` the caller keeps the conversation: the question is read against these turns, and nothing is remembered.
        """
        asked = await self.prepare_question(principal, question, **options)
        queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_MAX_UNREAD_EVENTS)

        async def emit(kind: str, data: dict[str, Any]) -> None:
            waited_for = queue.empty()
            await queue.put((kind, data))
            if waited_for:  # let the reader have it first: more events may be ready already
                await asyncio.sleep(0)

        async def emit_all() -> None:
            await emit("start", {"conversation_id": asked.conversation_id, "message_id": asked.message_id})
            await self.emit_turn(principal, asked, emit, log_failure=False)
            await emit("done", {})

        task = asyncio.create_task(emit_all())
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


def describe_error(error: AnchorageError) -> dict[str, Any]:
    """Return the data of an `error` event."""
    return {"code": error.code, "message": error.message, "temporary": error.temporary, "error": error}


async def _ignore_event(kind: str, data: dict[str, Any]) -> None:
    return None


def replay_answer(turn: Turn, conversation: str) -> Answer:
    """Return the answer of an earlier turn. It costs nothing, and still says whether it was cut."""
    return Answer(
        turn.answer, turn.abstained, turn.citations, (), conversation, turn.message_id, unsupported=turn.unsupported,
        stopped=turn.stopped, usage=Usage(cut=bool(turn.trace.get("usage", {}).get("cut"))),
    )  # fmt: skip


def _build_answer(state: TurnState, stop: Stop | None) -> Answer:
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
