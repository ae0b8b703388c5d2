"""StreamLog: the events of answers that are being streamed, so that any process can go on with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from anchorage.model import Principal

Line = tuple[int, str]
"""An event's number in its conversation, and the event as `chat.events.line` writes it."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What was asked, as the guard's rules let it pass, so that another process can answer it.

    Of a question that they block, `question` is empty and `blocked` has the rule and its message.
    """

    question: str
    collections: tuple[str, ...] | None
    parent: int | None
    fresh: bool = False
    blocked: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class StreamState:
    """The answer that is being streamed in a conversation, or was streamed last.

    `first_n` is the first event of this attempt, `last_n` the last that was written (or the one before the first). `held`: a living
    process is writing it. `request` is None when it has ended.
    """

    conversation_id: str
    message_id: str
    turn: int
    attempt: int
    first_n: int
    last_n: int
    ended: bool
    answered: bool
    held: bool
    request: StreamRequest | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Events to write for one attempt, which follow the event `last_n`; `ended` says that they are its last."""

    conversation_id: str
    message_id: str
    attempt: int
    last_n: int
    lines: tuple[str, ...]
    ended: bool
    answered: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How a followed stream stands: the lines after the position that was asked about, a page of them at most.

    `owner` is whom the conversation belongs to now, and `born` when it began: an id that was deleted may have been taken anew.
    """

    owner: str
    born: datetime
    lines: tuple[Line, ...]
    last_n: int
    ended: bool
    held: bool


class StreamLog(Protocol):
    """One stream a conversation, which one process at a time holds: `attempt` fences off one that was given up and comes back.

    All raise `DatabaseUnavailable`; those that take a principal raise `NotFound` for a conversation of another owner.
    """

    async def open(
        self,
        principal: Principal,
        conversation_id: str,
        message_id: str,
        request: StreamRequest,
        turn: int | None,
        holder: str,
    ) -> tuple[StreamState, bool]:
        """Begin the stream of a message, or find the one that is there; True: it is the holder's to write now.

        `turn` is the number of the message's turn where it has been answered before, else None: then it is the next.

        Taken are streams that are new, free, left by a dead process, or ended without an answer or with their events gone. Another
        message's stream that a living process holds is returned as it is.
        """
        ...

    async def claim(self, state: StreamState, holder: str) -> StreamState | None:
        """Take over a stream that nobody holds, as the next attempt; None: somebody else was faster, or it has ended."""
        ...

    async def state(self, principal: Principal, conversation_id: str) -> StreamState | None:
        """None where nothing was streamed yet. Raises `NotFound` where there is no such conversation either."""
        ...

    async def write(self, holder: str, pieces: Sequence[Piece]) -> Mapping[str, bool]:
        """Append events: of each conversation whose piece was taken, whether somebody wants it stopped.

        Refused are pieces of an attempt that is no longer the holder's, and those that do not follow the last event.
        """
        ...

    async def read(self, principal: Principal, conversation_id: str, after: int, limit: int) -> Sequence[Line]:
        """The events after that number, in order; at least `limit` of them where there are so many. None of another owner's."""
        ...

    async def poll(self, positions: Mapping[str, int]) -> Mapping[str, Progress]:
        """How streams stand, seen from these positions; a conversation that is gone is left out."""
        ...

    async def beat(self, holder: str) -> Sequence[str]:
        """Say that the holder lives; returns the conversations among its streams that somebody wants stopped."""
        ...

    async def note_followed(self, conversation_ids: Sequence[str], seconds: float | None = None) -> Sequence[str]:
        """Note that clients follow these here; or, with `seconds`, those which were noted so lately."""
        ...

    async def release_stream(
        self, holder: str, conversation_id: str, message_id: str, attempt: int, last_n: int
    ) -> None:
        """Set one stream of the holder free to be taken, if it is still its own; the next attempt's events come after that number, which
        was told, even where the log has lost it.
        """
        ...

    async def release(self, holder: str) -> None:
        """Set all streams of the holder free to be taken."""
        ...

    async def stop(self, principal: Principal, conversation_id: str) -> StreamState | None:
        """Ask for the running answer to be stopped; None where none is running. Raises `NotFound`."""
        ...

    async def sweep(self, seconds: float) -> int:
        """Forget the events of answers that ended so long ago; returns how many rows that were."""
        ...
