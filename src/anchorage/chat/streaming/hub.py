"""hub: brings the events of streams to those who read them in this process.

Streams that this process writes publish their events here. Those of other processes are polled, all of them with one query at a time, and
only while somebody reads them; no connection to the database is held for it, and poolers between are no obstacle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum, auto

from anchorage.cancellation import heed_cancellation
from anchorage.errors import AnchorageError
from anchorage.model import Principal
from anchorage.ports.streams import Line, StreamLog
from anchorage.telemetry import degraded

_MAX_UNREAD = 200  # lines; a reader that falls further behind reads them from the log


class Sign(Enum):
    """What a reader is told besides events."""

    BEHIND = auto()  # read the log
    FREE = auto()  # nobody writes the stream: take it over
    QUIET = auto()  # nothing has come for a while
    GONE = auto()  # nothing will come, or this process is handing over
    DELETED = auto()  # the conversation is there no longer


class Reader:
    """One client's view of a stream; `position` is the last event that it has."""

    __slots__ = ("_born", "_lines", "_out", "_quiet", "_sign", "_wake", "owner", "position")

    def __init__(self, owner: str, position: int, quiet: float) -> None:
        self.owner, self.position, self._quiet = owner, position, quiet
        self._lines: list[Line] = []
        self._sign: Sign | None = None
        self._born: datetime | None = None
        self._out = False
        self._wake: asyncio.Future[None] | None = None  # while it waits; many do, and an `Event` is large

    def is_of(self, born: datetime) -> bool:
        """Whether it reads the conversation that began then, and not one before it by the same id."""
        self._born = self._born or born
        return self._born == born

    def push(self, lines: Sequence[Line]) -> None:
        """Hand over events."""
        if self._out:
            return
        if len(self._lines) + len(lines) > _MAX_UNREAD:
            self._lines = []
            self.sign(Sign.BEHIND)
            return
        self._lines.extend(lines)
        self._woken()

    def send_away(self, sign: Sign) -> None:
        """What comes by its conversation's id from now on is not for it."""
        self._out, self._lines = True, []
        self.sign(sign)

    def sign(self, sign: Sign) -> None:
        """Tell it something; that it is all over outweighs the rest."""
        if self._sign not in (Sign.GONE, Sign.DELETED):
            self._sign = sign
        self._woken()

    def _woken(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def next(self) -> Sequence[Line] | Sign:
        """The events after `position`, in order and without a gap, or a sign."""
        while True:
            if self._lines:
                lines, self._lines = self._lines, []
                following, gap = _following(lines, self.position)
                if gap:
                    self.sign(Sign.BEHIND)
                if following:
                    return following
                continue
            if self._sign:
                sign, self._sign = self._sign, None
                return sign
            self._wake = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._quiet):
                    await self._wake
            except TimeoutError:
                return Sign.QUIET
            finally:
                self._wake = None


def _following(lines: Sequence[Line], position: int) -> tuple[Sequence[Line], bool]:
    """The lines after `position` as far as they follow one another, and whether there is a gap.

    A line may come twice: from the process that writes it, and from a poll that was under way when this one took the stream over.
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

    Seconds: `poll` between two looks at streams of others, `quiet` of silence until a reader is told, `note` between notes in the log
    that streams of others are followed here.
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
    def reading(self, principal: Principal, conversation_id: str, position: int) -> Iterator[Reader]:
        """A reader for as long as the context lasts."""
        reader = Reader(principal.id, position, self._quiet)
        if self._closed:
            reader.sign(Sign.GONE)
        self._readers.setdefault(conversation_id, set()).add(reader)
        try:
            self.look_after(conversation_id)
            yield reader
        finally:
            readers = self._readers[conversation_id]
            readers.discard(reader)
            if not readers:
                del self._readers[conversation_id]

    def look_after(self, conversation_id: str) -> None:
        """Poll a stream from now on if another process writes it and somebody reads it here."""
        remote = conversation_id in self._readers and not self._written_here(conversation_id)
        if remote and (self._polling is None or self._polling.done()):
            self._polling = asyncio.create_task(self._poll())

    def has_readers(self, conversation_id: str) -> bool:
        return conversation_id in self._readers

    def publish(self, conversation_id: str, owner: str, lines: Sequence[Line]) -> None:
        """Bring events to the owner's readers of a conversation; it is gone for those of an earlier one by the same id."""
        _bring(self._readers.get(conversation_id, ()), owner, lines)

    def begin(self, conversation_id: str, last_n: int) -> None:
        """A stream begins here after that event: whoever has later ones reads a conversation that was deleted, or has what the log lost."""
        for reader in self._readers.get(conversation_id, ()):
            if reader.position > last_n:
                reader.send_away(Sign.GONE)

    def sign(self, conversation_id: str, sign: Sign) -> None:
        """Tell the readers of a conversation something."""
        _sign(self._readers.get(conversation_id, ()), sign)

    def close(self) -> None:
        """Send all readers away, and those who come after."""
        self._closed = True
        if self._polling:
            self._polling.cancel()
        for readers in self._readers.values():
            for reader in readers:
                reader.sign(Sign.GONE)

    async def _poll(self) -> None:
        noted = 0.0
        while remote := {key: tuple(readers) for key, readers in self._readers.items() if not self._written_here(key)}:
            try:
                now = asyncio.get_running_loop().time()
                if now - noted > self._note_every:
                    noted = now
                    await self._log.followed(list(remote))
                await self._spread(remote)
            except AnchorageError as error:
                degraded("streams_not_followed", error.message)
            heed_cancellation()
            await asyncio.sleep(self._pause)

    async def _spread(self, remote: Mapping[str, Sequence[Reader]]) -> None:
        """Tell these readers how their streams get on; those who come meanwhile may read another conversation by the same id."""
        positions = {key: min(reader.position for reader in readers) for key, readers in remote.items()}
        found = await self._log.poll(positions)
        for key, readers in remote.items():
            position, progress = positions[key], found.get(key)
            if progress is not None:
                for reader in readers:
                    if not reader.is_of(progress.born):
                        reader.send_away(Sign.DELETED)
            if progress is None:
                _sign(readers, Sign.DELETED)
            elif progress.last_n < position:  # the log has lost what was told already, when its server crashed
                _sign(readers, Sign.GONE)
            elif progress.lines:
                _bring(readers, progress.owner, progress.lines)
            elif not progress.ended and not progress.held:
                _sign(readers, Sign.FREE)
            elif progress.last_n > position:
                _sign(readers, Sign.BEHIND)  # its events are kept no longer
            elif progress.ended:
                _sign(readers, Sign.GONE)


def _bring(readers: Iterable[Reader], owner: str, lines: Sequence[Line]) -> None:
    for reader in readers:
        if reader.owner == owner:
            reader.push(lines)
        else:
            reader.send_away(Sign.DELETED)


def _sign(readers: Iterable[Reader], sign: Sign) -> None:
    for reader in readers:
        reader.sign(sign)
