"""hub: delivers the events of streams to their readers in this process.

Streams that this process writes publish their events here. Streams of other processes are polled, all with one query at a time,
and only while somebody reads them. No database connection is held for it, so that connection poolers are no obstacle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum, auto

from anchorage.cancellation import raise_if_cancelled
from anchorage.errors import AnchorageError
from anchorage.model import Principal
from anchorage.ports.streams import Line, StreamLog
from anchorage.telemetry import record_degradation

_MAX_UNREAD = 200  # lines; a reader that falls further behind reads them from the log


class Signal(Enum):
    """What a reader gets besides events."""

    BEHIND = auto()  # read the log
    FREE = auto()  # nobody writes the stream: take it over
    QUIET = auto()  # nothing has come for a while
    GONE = auto()  # nothing will come, or this process is handing over
    DELETED = auto()  # the conversation was deleted


class Reader:
    """One client's view of a stream; `position` is the last event that it has."""

    __slots__ = ("_born", "_dismissed", "_lines", "_quiet", "_signal", "_wake", "owner", "position")

    def __init__(self, owner: str, position: int, quiet: float) -> None:
        self.owner, self.position, self._quiet = owner, position, quiet
        self._lines: list[Line] = []
        self._signal: Signal | None = None
        self._born: datetime | None = None
        self._dismissed = False
        self._wake: asyncio.Future[None] | None = None  # while it waits; many do, and an `Event` is large

    def reads_conversation(self, born: datetime) -> bool:
        """Whether it reads the conversation that began then, and not an earlier one with the same id."""
        self._born = self._born or born
        return self._born == born

    def push_lines(self, lines: Sequence[Line]) -> None:
        """Give it events."""
        if self._dismissed:
            return
        if len(self._lines) + len(lines) > _MAX_UNREAD:
            self._lines = []
            self.send_signal(Signal.BEHIND)
            return
        self._lines.extend(lines)
        self._wake_up()

    def dismiss(self, signal: Signal) -> None:
        """Give it a last signal. Later events under its conversation's id are not for it."""
        self._dismissed, self._lines = True, []
        self.send_signal(signal)

    def send_signal(self, signal: Signal) -> None:
        """Give it a signal. `GONE` and `DELETED` are not replaced by others."""
        if self._signal not in (Signal.GONE, Signal.DELETED):
            self._signal = signal
        self._wake_up()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def read_next(self) -> Sequence[Line] | Signal:
        """Wait for the events after `position`, in order and without a gap, or for a signal."""
        while True:
            if self._lines:
                lines, self._lines = self._lines, []
                following, gap = _take_following(lines, self.position)
                if gap:
                    self.send_signal(Signal.BEHIND)
                if following:
                    return following
                continue
            if self._signal:
                signal, self._signal = self._signal, None
                return signal
            self._wake = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._quiet):
                    await self._wake
            except TimeoutError:
                return Signal.QUIET
            finally:
                self._wake = None


def _take_following(lines: Sequence[Line], position: int) -> tuple[Sequence[Line], bool]:
    """Return the consecutive lines after `position`, and whether a gap follows.

    A line may come twice: from the process that writes it, and from a poll that was running when this process took the stream over.
    """
    found: list[Line] = []
    for line in lines:
        if line[0] == position + 1:
            found.append(line)
            position += 1
        elif line[0] > position:
            return found, True
    return found, False


class Hub:
    """The readers of this process, by conversation.

    In seconds: `poll` is the time between two polls of other processes' streams; `quiet` is the silence after which a reader gets
    `QUIET`; `note` is the time between two notes in the log that their streams are read here.
    """

    def __init__(
        self, log: StreamLog, written_here: Callable[[str], bool], poll: float, quiet: float, note: float
    ) -> None:
        self._log, self._written_here = log, written_here
        self._pause, self._quiet, self._note_every = poll, quiet, note
        self._readers: dict[str, set[Reader]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._closed = False

    @contextmanager
    def open_reader(self, principal: Principal, conversation_id: str, position: int) -> Iterator[Reader]:
        """Open a reader for as long as the context lasts."""
        reader = Reader(principal.id, position, self._quiet)
        if self._closed:
            reader.send_signal(Signal.GONE)
        self._readers.setdefault(conversation_id, set()).add(reader)
        try:
            self.watch_stream(conversation_id)
            yield reader
        finally:
            readers = self._readers[conversation_id]
            readers.discard(reader)
            if not readers:
                del self._readers[conversation_id]

    def watch_stream(self, conversation_id: str) -> None:
        """Start polling a stream if another process writes it and somebody reads it here."""
        remote = conversation_id in self._readers and not self._written_here(conversation_id)
        if remote and (self._polling is None or self._polling.done()):
            self._polling = asyncio.create_task(self._poll_streams())

    def has_readers(self, conversation_id: str) -> bool:
        return conversation_id in self._readers

    def publish(self, conversation_id: str, owner: str, lines: Sequence[Line]) -> None:
        """Deliver events to the owner's readers of a conversation. Readers of an earlier one with the same id get `DELETED`."""
        _deliver_lines(self._readers.get(conversation_id, ()), owner, lines)

    def begin_stream(self, conversation_id: str, last_n: int) -> None:
        """Note that a stream begins here after event `last_n`, and send away readers that have later events.

        They read a conversation that was deleted, or have events that the log has lost.
        """
        for reader in self._readers.get(conversation_id, ()):
            if reader.position > last_n:
                reader.dismiss(Signal.GONE)

    def send_signal(self, conversation_id: str, signal: Signal) -> None:
        """Give the readers of a conversation a signal."""
        _send_signal(self._readers.get(conversation_id, ()), signal)

    def close(self) -> None:
        """Send away all readers, and those who come later."""
        self._closed = True
        if self._polling:
            self._polling.cancel()
        for readers in self._readers.values():
            for reader in readers:
                reader.send_signal(Signal.GONE)

    async def _poll_streams(self) -> None:
        noted = 0.0
        while remote := {key: tuple(readers) for key, readers in self._readers.items() if not self._written_here(key)}:
            try:
                now = asyncio.get_running_loop().time()
                if now - noted > self._note_every:
                    noted = now
                    await self._log.note_followed(list(remote))
                await self._update_readers(remote)
            except AnchorageError as error:
                record_degradation("streams_not_followed", error.message)
            raise_if_cancelled()
            await asyncio.sleep(self._pause)

    async def _update_readers(self, remote: Mapping[str, Sequence[Reader]]) -> None:
        """Give these readers the progress of their streams. Readers who come meanwhile may read another conversation with the same id."""
        positions = {key: min(reader.position for reader in readers) for key, readers in remote.items()}
        found = await self._log.poll(positions)
        for key, readers in remote.items():
            position, progress = positions[key], found.get(key)
            if progress is not None:
                for reader in readers:
                    if not reader.reads_conversation(progress.born):
                        reader.dismiss(Signal.DELETED)
            if progress is None:
                _send_signal(readers, Signal.DELETED)
            elif progress.last_n < position:  # the log lost events that were sent, when its server crashed
                _send_signal(readers, Signal.GONE)
            elif progress.lines:
                _deliver_lines(readers, progress.owner, progress.lines)
            elif not progress.ended and not progress.held:
                _send_signal(readers, Signal.FREE)
            elif progress.last_n > position:
                _send_signal(readers, Signal.BEHIND)  # its events are no longer kept
            elif progress.ended:
                _send_signal(readers, Signal.GONE)


def _deliver_lines(readers: Iterable[Reader], owner: str, lines: Sequence[Line]) -> None:
    for reader in readers:
        if reader.owner == owner:
            reader.push_lines(lines)
        else:
            reader.dismiss(Signal.DELETED)


def _send_signal(readers: Iterable[Reader], signal: Signal) -> None:
    for reader in readers:
        reader.send_signal(signal)
