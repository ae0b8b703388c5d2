"""streams: answers that outlive the connection, and the process, that they were asked through.

One process at a time writes the events of an answer to the log; clients read from any process. A process that dies loses its lease, and the
process of any reader takes the stream over: a new attempt at the answer, begun by `reset`, while the log refuses what the old one may still
write. A turn is remembered once, under its message id, so that an attempt which finds it remembered tells that answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

import structlog

from anchorage.cancellation import raise_if_cancelled
from anchorage.chat.safety.guard import TurnGuard
from anchorage.chat.state import PreparedQuestion
from anchorage.chat.streaming.endings import ENDINGS, build_deleted_ending, take_until_done
from anchorage.chat.streaming.events import format_event
from anchorage.chat.streaming.hub import Hub, Reader, Signal
from anchorage.chat.streaming.live import EndReason, EventWriter, LiveAnswer
from anchorage.chat.turn import Chat, describe_error, replay_answer
from anchorage.errors import AnchorageError, BadRequest, Blocked, Conflict, NotFound, Unavailable
from anchorage.model import Principal
from anchorage.ports.memory import Memory, Place
from anchorage.ports.streams import Line, StreamLog, StreamRequest, StreamState
from anchorage.telemetry import ANSWERS, STREAMS_TAKEN_OVER, record_degradation

_log = structlog.get_logger(__name__)
_PAGE = 100  # rows
_SHUTDOWN_SECONDS = 3.0  # for the log
PrepareQuestion = Callable[[], Awaitable[PreparedQuestion]]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Time limits of streams, in seconds."""

    lease: float
    """How long a silent process keeps its streams."""
    grace: float
    """How long an answer goes on without readers."""
    poll: float
    """The time between two polls of streams that other processes write."""
    wait: float
    """How long a question waits for another answer in its conversation."""
    quiet: float
    """The silence after which a reader is told that the stream is quiet."""


class Streams:
    """The streams that this process writes and reads."""

    def __init__(self, log: StreamLog, limits: StreamLimits, chat: Chat, guard: TurnGuard, memory: Memory) -> None:
        self._log, self._limits, self._chat, self._guard, self._memory = log, limits, chat, guard, memory
        self._holder = str(uuid4())
        self._lives: dict[str, LiveAnswer] = {}
        self._hub = Hub(log, self._lives.__contains__, limits.poll, limits.quiet, limits.grace / 4)
        self._writer = EventWriter(log, self._hub, self._holder)
        self._heartbeat: asyncio.Task[None] | None = None
        self._last_heartbeat = float("-inf")
        self._handed_over, self._handover_done = False, asyncio.Event()
        self.draining = False
        """Set when the process shuts down. Nothing new is begun or taken over then; running answers go on."""

    async def follow_answer(
        self, principal: Principal, ask: PrepareQuestion, *, after: int | None = None
    ) -> AsyncGenerator[Sequence[Line], None]:
        """Yield the events of an answer. It begins here unless it is running already; `ask` prepares the question.

        An empty sequence means that nothing has come for a while.

        A message that is being answered, or was answered, is not answered again: its events come from the beginning of its last
        attempt, or after event `after`. Raises, before the first event, what `ask` raises, and `Conflict` where another answer of the
        conversation does not end.
        """
        self._raise_if_draining()
        deadline, waited = asyncio.get_running_loop().time() + self._limits.wait, False
        while True:
            asked = await ask()
            request = build_stored_request(self._guard, asked)
            await self._renew_leases_if_due()
            state, mine = await self._log.open(
                principal, asked.conversation_id, asked.message_id, request, asked.answered_as, self._holder
            )
            if mine or state.message_id == asked.message_id:
                break
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict(
                    f"Another answer is being written in the conversation {asked.conversation_id!r}. Wait for it, or stop it with "
                    f"POST /api/chat/{asked.conversation_id}/stop, then ask again."
                )
            waited = True
            await asyncio.sleep(self._limits.poll)

        async def begin() -> PreparedQuestion:
            """Return the question as prepared, or prepared again if another answer has come meanwhile. The conversation exists now."""
            found = await ask() if waited or state.turn != asked.turn else asked
            thread = replace(found.thread, exists=True)
            return replace(found, conversation_id=state.conversation_id, message_id=state.message_id, thread=thread)

        position = state.first_n - 1
        if not mine and after is not None and position <= after < state.last_n:
            position = after
        async for lines in self._follow_stream(principal, state, position, begin if mine else None):
            yield lines

    async def resume_stream(
        self, principal: Principal, conversation_id: str, after: int | None
    ) -> AsyncGenerator[Sequence[Line], None]:
        """Yield the events after the given number up to the next `done`; without a number, those of the last attempt.

        Yields nothing where there are none and none will come. Raises, before the first event, `NotFound`; and for a number that no
        event has had yet, `BadRequest`, or `Unavailable` while an answer is being written.
        """
        self._raise_if_draining()
        state = await self.find_state(principal, conversation_id)
        if state is None:
            raise NotFound(
                f"No answer was streamed in the conversation {conversation_id!r}. POST /api/chat with stream=true begins one."
            )
        position = state.first_n - 1 if after is None else after
        if position > state.last_n and not state.ended:
            raise Unavailable(
                f"Event {position} of this conversation is not in the log, which may have lost it when its server crashed; the answer "
                "begins anew in a moment. Ask again then."
            )
        if not 0 <= position <= state.last_n:
            raise BadRequest(
                f"There is no event {position} in this conversation: they go from 1 to {state.last_n}. Send the number of the last event "
                "that you have, or leave it out."
            )
        async for lines in self._follow_stream(principal, state, position, None):
            yield lines

    async def find_state(self, principal: Principal, conversation_id: str) -> StreamState | None:
        """Return the state of the stream in a conversation: the running one, or the last. Raises `NotFound`."""
        return await self._log.state(principal, conversation_id)

    async def stop_answer(self, principal: Principal, conversation_id: str) -> StreamState | None:
        """Stop the running answer, in whatever process. Return None where none is running. Raises `NotFound`."""
        state = await self._log.stop(principal, conversation_id)
        if state is None:
            return None
        live = self._lives.get(conversation_id)
        if live and live.message_id == state.message_id:
            live.end_early(EndReason.STOPPED)
        elif not state.held:
            await self._take_over_stream(principal, state)  # to write the end of it
        return state

    def drop_conversations(self, principal: Principal, conversation_ids: Iterable[str]) -> None:
        """End the answers that are being written in deleted conversations of a principal, and send their readers away."""
        for key in conversation_ids:
            live = self._lives.get(key)
            if live and live.principal.id == principal.id:
                live.end_early(EndReason.LOST)
                self._hub.send_signal(key, Signal.DELETED)

    async def hand_over(self) -> None:
        """End the answers that are being written here without a last event, so that other processes take them over. Send all readers away."""
        self.draining = self._handed_over = True
        lives = list(self._lives.values())
        for live in lives:
            live.end_early(EndReason.HANDED_OVER)
        try:
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                await asyncio.gather(*(live.task for live in lives if live.task), return_exceptions=True)
                await self._writer.settle()
                if self._last_heartbeat > float("-inf"):  # else no stream was ever opened
                    await self._log.release(self._holder)
        except (TimeoutError, AnchorageError) as error:
            record_degradation("streams_not_released", f"Others take them over in {self._limits.lease:.0f} s: {error}")
        if lives:
            _log.info("streams_handed_over", count=len(lives))
        self._hub.close()
        self._handover_done.set()

    def _raise_if_draining(self) -> None:
        if self.draining:
            raise _build_shutdown_error()

    async def _follow_stream(
        self, principal: Principal, state: StreamState, position: int, begin: PrepareQuestion | None
    ) -> AsyncGenerator[Sequence[Line], None]:
        conversation = state.conversation_id
        with self._hub.open_reader(principal, conversation, position) as reader:
            if begin:
                await self._start_answer(principal, begin, state)
            behind, told = begin is None, None
            while True:
                found = (
                    await self._log.read(principal, conversation, reader.position, _PAGE)
                    if behind
                    else await reader.read_next()
                )
                if behind and not found:
                    behind = False
                    found = await self._resolve_caught_up_reader(principal, conversation, reader)
                if found is Signal.BEHIND:
                    behind = True
                elif found is Signal.FREE:
                    if state_now := await self._find_existing_state(principal, conversation):
                        await self._take_over_stream(principal, state_now)
                    else:
                        reader.send_signal(Signal.DELETED)
                elif found is Signal.QUIET:
                    yield ()
                elif found is Signal.DELETED:
                    yield build_deleted_ending(state, reader.position, told)
                    return
                elif found is Signal.GONE:
                    if self._handed_over:
                        yield ()  # an empty stream would tell the client not to come back
                    return
                elif not isinstance(found, Signal) and found:
                    lines, ended = take_until_done(found)
                    reader.position, told = lines[-1]
                    yield lines
                    if ended:
                        return

    async def _resolve_caught_up_reader(
        self, principal: Principal, conversation: str, reader: Reader
    ) -> Sequence[Line] | Signal:
        """Return what comes next for a reader that has read the whole log."""
        state = await self._find_existing_state(principal, conversation)
        if state is None:
            return Signal.DELETED
        if state.last_n < reader.position:  # another conversation has its id, or the log has lost events that were sent
            return Signal.GONE
        if not state.ended:
            self._hub.watch_stream(conversation)
            return () if state.held or conversation in self._lives else Signal.FREE
        if reader.position >= state.last_n:
            return Signal.GONE
        if await self._log.read(principal, conversation, reader.position, 1):
            return Signal.BEHIND  # an event has come just now
        turn = await self._memory.find(principal, conversation, state.message_id) if state.answered else None
        if turn is None:
            raise NotFound(
                "The events of this answer are kept no longer (ANCHORAGE_STREAM__RETENTION), and it was not answered. Ask again: POST "
                "/api/chat with the same message_id."
            )
        told = {"answer": replay_answer(turn, conversation)}
        ending = (
            format_event("answer", state.turn, state.attempt, told),
            format_event("done", state.turn, state.attempt, {}),
        )
        return [item for item in enumerate(ending, state.last_n - 1) if item[0] > reader.position]

    async def _find_existing_state(self, principal: Principal, conversation: str) -> StreamState | None:
        """Return the state of a stream that existed before; None where its conversation was deleted."""
        try:
            return await self._log.state(principal, conversation)
        except NotFound:
            return None

    async def _take_over_stream(self, principal: Principal, state: StreamState) -> None:
        if self.draining or state.held or state.ended or state.request is None:
            return
        if state.conversation_id in self._lives:
            return  # it is written here; only the heartbeat was late
        await self._renew_leases_if_due()
        claimed = await self._log.claim(state, self._holder)
        if claimed is None:
            return
        request = state.request
        STREAMS_TAKEN_OVER.inc()
        _log.info("stream_taken_over", conversation_id=state.conversation_id, attempt=claimed.attempt)

        async def ask() -> PreparedQuestion:
            if request.blocked:
                raise Blocked(*request.blocked)
            asked = await self._chat.prepare_question(
                principal, request.question, conversation_id=state.conversation_id, message_id=state.message_id,
                collections=request.collections, place=Place(number=request.parent),
            )  # fmt: skip
            return replace(asked, fresh=request.fresh)

        with suppress(Unavailable):  # the reader is sent away, and asks another process
            await self._start_answer(principal, ask, claimed)

    async def _start_answer(self, principal: Principal, ask: PrepareQuestion, state: StreamState) -> None:
        if self._handed_over:  # meanwhile: others take over what was opened, once our last events are written
            with suppress(TimeoutError):
                await asyncio.wait_for(self._handover_done.wait(), _SHUTDOWN_SECONDS)
            await self._log.release(self._holder)
            raise _build_shutdown_error()
        if before := self._lives.get(state.conversation_id):
            before.end_early(EndReason.LOST)  # its conversation was deleted, and this is another one by the same id
        self._hub.begin_stream(state.conversation_id, state.last_n)
        live = self._lives[state.conversation_id] = LiveAnswer(principal, state, self._writer.request_write)
        live.task = asyncio.create_task(self._produce_answer(principal, ask, live))
        if self._heartbeat is None or self._heartbeat.done():
            self._heartbeat = asyncio.create_task(self._run_heartbeat())

    async def _produce_answer(self, principal: Principal, ask: PrepareQuestion, live: LiveAnswer) -> None:
        """Produce the answer and write its events."""
        ids = {"conversation_id": live.conversation_id, "message_id": live.message_id}
        answer = None
        try:
            try:
                await live.emit("start" if live.attempt == 1 else "reset", ids)
                answer = await self._chat.emit_turn(principal, await ask(), live.emit, live.stop)
            except AnchorageError as error:
                _log.warning("stream_failed", code=error.code, reason=error.message, **ids)
                await live.emit("error", describe_error(error))
            except asyncio.CancelledError:
                if live.end not in ENDINGS:
                    return
                await live.emit("error", {**ENDINGS[live.end]})
            if answer:
                ANSWERS.labels("abstained" if answer.abstained else "answered").inc()
            await live.close(answered=answer is not None)
        finally:
            await self._release_unfinished(live)
            if self._lives.get(live.conversation_id) is live:
                del self._lives[live.conversation_id]
                self._hub.watch_stream(live.conversation_id)
                if live.end is EndReason.LOST:  # only now: before, the log may have fewer events than its readers
                    self._hub.send_signal(live.conversation_id, Signal.BEHIND)

    async def _release_unfinished(self, live: LiveAnswer) -> None:
        """Give up the lease of an answer whose events are not all written, so that another process can take it over.

        This process goes on living, and would keep the lease for ever. The log may have lost events that were sent, when its server
        crashed: then this attempt cannot go on and ends here.
        """
        # If another answer of ours has its place, that one writes the conversation with this id now.
        while not live.complete and not self._handed_over and self._lives.get(live.conversation_id) is live:
            try:
                await self._log.release_stream(
                    self._holder, live.conversation_id, live.message_id, live.attempt, live.last_n
                )
                return
            except AnchorageError as error:
                record_degradation("stream_not_given_up", error.message)
            raise_if_cancelled()
            await asyncio.sleep(self._limits.lease / 4)

    async def _renew_leases_if_due(self) -> None:
        if asyncio.get_running_loop().time() - self._last_heartbeat > self._limits.lease / 4:
            await self._renew_leases()

    async def _renew_leases(self) -> None:
        stopped = await self._log.beat(self._holder)
        self._last_heartbeat = asyncio.get_running_loop().time()
        for conversation in stopped:
            if live := self._lives.get(conversation):
                live.end_early(EndReason.STOPPED)

    async def _run_heartbeat(self) -> None:
        while self._lives and not self._handed_over:
            try:
                await self._renew_leases()
                await self._end_unread_answers()
            except AnchorageError as error:
                record_degradation("streams_not_held", error.message)
            raise_if_cancelled()
            await asyncio.sleep(self._limits.lease / 4)

    async def _end_unread_answers(self) -> None:
        """End answers that nobody has read for a while, here or through another process."""
        now, grace = asyncio.get_running_loop().time(), self._limits.grace
        long = []
        for key, live in self._lives.items():
            if self._hub.has_readers(key):
                live.unread_since = None
            elif live.unread_since is None:
                live.unread_since = now
            elif now - live.unread_since >= grace:
                long.append(key)
        if long:
            followed = await self._log.note_followed(long, grace)
            for key in long:
                if not (live := self._lives.get(key)):  # type: ignore[assignment]
                    continue
                if key in followed:
                    live.unread_since = now
                else:
                    live.end_early(EndReason.ABANDONED)


def _build_shutdown_error() -> Unavailable:
    return Unavailable("This server is shutting down. Send the request again: another one takes it.")


def build_stored_request(guard: TurnGuard, asked: PreparedQuestion) -> StreamRequest:
    """Return what the log keeps until the answer has ended, without anything that the guard would not let into the history."""
    collections = tuple(asked.collections) if asked.collections else None
    try:
        return StreamRequest(guard.guard_stored_question(asked.question), collections, asked.parent, asked.fresh)
    except Blocked as error:
        return StreamRequest("", collections, asked.parent, asked.fresh, (error.rule, error.message))
