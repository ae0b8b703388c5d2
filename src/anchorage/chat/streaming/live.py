"""live: the answers that this process is writing to the log.

Events go to the log first and then to readers, so that a process that takes over finds what a client has seen. All streams of the
process share one write at a time. Events that come during a write wait for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from anchorage.cancellation import raise_if_cancelled
from anchorage.chat.generation.stop import Stop
from anchorage.chat.streaming.events import format_event
from anchorage.chat.streaming.hub import Hub
from anchorage.errors import AnchorageError
from anchorage.model import Principal
from anchorage.ports.streams import Piece, StreamLog, StreamState
from anchorage.telemetry import record_degradation

COALESCE = 0.05  # seconds that tokens are collected
_GATHER_SECONDS = 0.02  # seconds that events before the answer are collected, so that one write may do
_EVENTS_BEFORE_ANSWER = frozenset(("start", "reset", "hits"))
_BETWEEN_WRITES = 0.015  # seconds between writes, so that many streams share one
_RETRY = 0.5
_MAX_UNWRITTEN = 1000  # with so many tokens and events unwritten, a turn waits for the log


class EndReason(Enum):
    """Why a stream is ended from outside."""

    STOPPED = auto()  # somebody asked for it
    ABANDONED = auto()  # nobody reads it
    LOST = auto()  # another process has taken over, or the conversation is gone
    HANDED_OVER = auto()  # this process shuts down


class LiveAnswer:
    """One answer that is being written here."""

    def __init__(self, principal: Principal, state: StreamState, wake: Callable[[LiveAnswer, float], None]) -> None:
        self.principal = principal
        self.conversation_id, self.message_id = state.conversation_id, state.message_id
        self.turn, self.attempt, self.last_n = state.turn, state.attempt, state.last_n
        self.stop = Stop()
        self.end: EndReason | None = None
        self.task: asyncio.Task[None] | None = None
        self.unread_since: float | None = None
        self.due = 0.0
        self.sending: Piece | None = None
        self._wake = wake
        self._lines: list[str] = []
        self._text: list[str] = []
        self._lines_due = self._tokens_due = 0.0
        self._shown = False
        self._ended = self._answered = False
        self._written: asyncio.Future[None] | None = None  # while somebody waits for it

    async def emit(self, kind: str, data: dict[str, Any]) -> None:
        """Take an event. Wait where the log is far behind, and at the first words until they are written: more text may be there already."""
        if kind == "token":
            first, self._shown = not self._shown, True
            self._text.append(data["text"])
            self._request_write(self._tokens_due)
            if first and self.end is not EndReason.LOST:
                await asyncio.wait({self._next_write()}, timeout=COALESCE)
        else:
            self._fold_tokens()
            self._lines.append(format_event(kind, self.turn, self.attempt, data))
            self._lines_due = (
                asyncio.get_running_loop().time() + _GATHER_SECONDS if kind in _EVENTS_BEFORE_ANSWER else 0.0
            )
            self._request_write(self._lines_due)
        while len(self._lines) + len(self._text) > _MAX_UNWRITTEN and self.end is not EndReason.LOST:
            self._request_write(0.0)
            await self._next_write()

    def _request_write(self, due: float) -> None:
        if self.sending is None:
            self._wake(self, due)

    def _fold_tokens(self) -> None:
        if self._text:
            self._lines.append(format_event("token", self.turn, self.attempt, {"text": "".join(self._text)}))
            self._text = []

    async def close(self, *, answered: bool) -> None:
        """Write `done` and wait until everything is in the log."""
        self._ended, self._answered = True, answered
        await self.emit("done", {})
        while not self.complete and self.end is not EndReason.LOST:
            await self._next_write()

    def _next_write(self) -> asyncio.Future[None]:
        """Return a future that is done with the next write."""
        if self._written is None or self._written.done():
            self._written = asyncio.get_running_loop().create_future()
        return self._written

    def _notify_written(self) -> None:
        if self._written is not None and not self._written.done():
            self._written.set_result(None)

    def take_piece(self, now: float) -> Piece | None:
        """Return what is to be written now."""
        if self.sending is None:
            if self._text:
                self._tokens_due = now + COALESCE
            self._fold_tokens()
            if not self._lines:
                return None
            self.sending = Piece(
                self.conversation_id, self.message_id, self.attempt, self.last_n, tuple(self._lines), self._ended, self._answered
            )  # fmt: skip
            self._lines = []
        return self.sending

    def confirm_write(self) -> None:
        """Note that the last piece is in the log."""
        assert self.sending is not None
        self.last_n += len(self.sending.lines)
        self.sending = None
        self._notify_written()
        if self._lines:
            self._wake(self, self._lines_due)
        elif self._text:
            self._wake(self, self._tokens_due)

    @property
    def complete(self) -> bool:
        """Whether all of it, `done` included, is in the log."""
        return self._ended and not self._lines and self.sending is None and self.end is not EndReason.LOST

    def end_early(self, end: EndReason) -> None:
        """End it from outside. If some text was shown already, the answer is stopped and kept, not thrown away."""
        if self.end is not None and end in (EndReason.STOPPED, EndReason.ABANDONED):
            return
        self.end = end
        self._notify_written()
        if end is EndReason.STOPPED and self._shown:
            self.stop.now()
        elif self.task and not self._ended:
            self.task.cancel()


class EventWriter:
    """Writes the events of all answers of this process."""

    def __init__(self, log: StreamLog, hub: Hub, holder: str) -> None:
        self._log, self._hub, self._holder = log, hub, holder
        self._waiting: dict[LiveAnswer, None] = {}  # in order
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def request_write(self, live: LiveAnswer, due: float) -> None:
        """Ask for a write of this stream at the given time of the loop's clock, or sooner."""
        if live in self._waiting:
            if due < live.due:
                live.due = due
                self._wake.set()
            return
        live.due = due
        self._waiting[live] = None
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            now = loop.time()
            due = [live for live in self._waiting if live.due <= now]
            if due:
                for live in due:
                    del self._waiting[live]
                await self._write(due, now)
                raise_if_cancelled()
                await asyncio.sleep(_BETWEEN_WRITES if len(due) > 1 else 0)
                continue
            self._wake.clear()
            timer = loop.call_at(min(live.due for live in self._waiting), self._wake.set)
            await self._wake.wait()
            timer.cancel()

    async def _write(self, lives: list[LiveAnswer], now: float) -> None:
        lives = [live for live in lives if live.end is not EndReason.LOST]
        # If two attempts at one answer are still here, the later one counts.
        latest = {live.conversation_id: live for live in sorted(lives, key=lambda live: live.attempt)}
        for live in lives:
            if latest[live.conversation_id] is not live:
                live.end_early(EndReason.LOST)
        lives = list(latest.values())
        pieces = {live.conversation_id: piece for live in lives if (piece := live.take_piece(now))}
        if not pieces:
            return
        try:
            taken = await self._log.write(self._holder, list(pieces.values()))
        except AnchorageError as error:
            record_degradation("events_not_written", error.message)
            for live in lives:
                if live.end is not EndReason.LOST:
                    live.due = now + _RETRY
                    self._waiting[live] = None
            return
        for live in lives:
            piece = pieces.get(live.conversation_id)
            if piece is None:
                continue
            if live.conversation_id in taken:
                self._publish(live, piece)
                if taken[live.conversation_id]:
                    live.end_early(EndReason.STOPPED)
            else:
                await self._handle_refused_write(live, piece)

    def _publish(self, live: LiveAnswer, piece: Piece) -> None:
        live.confirm_write()
        self._hub.publish(piece.conversation_id, live.principal.id, list(enumerate(piece.lines, piece.last_n + 1)))

    async def _handle_refused_write(self, live: LiveAnswer, piece: Piece) -> None:
        """Publish a refused write if the log has it already, because the connection broke after it; else end the answer as lost."""
        try:
            kept = await self._log.read(live.principal, piece.conversation_id, piece.last_n, 1)
        except AnchorageError:
            kept = ()
        if tuple(text for _, text in kept[: len(piece.lines)]) == piece.lines:
            self._publish(live, piece)
            return
        live.end_early(EndReason.LOST)

    async def settle(self) -> None:
        """Wait until everything that waits was written or given up."""
        if self._task and not self._task.done():
            await self._task
