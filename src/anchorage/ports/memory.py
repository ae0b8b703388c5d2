"""Memory: conversations and their turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from anchorage.model import Conversation, Principal, Turn


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a conversation a turn goes: after the active branch's last turn, unless one of these says otherwise."""

    after: str | None = None
    """The message that it follows."""
    instead_of: str | None = None
    """The message beside which it stands: an edited question, or another answer to the same one."""
    number: int | None = None
    """The number of the turn that it follows; 0 is the beginning."""

    @property
    def chosen(self) -> bool:
        return (self.after, self.instead_of, self.number) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a branch was about, up to and including the turn `number`."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation as a new turn finds it: the turns before it on its branch, oldest first, maybe without their traces."""

    exists: bool = False
    turns: int = 0
    parent: int = 0
    history: tuple[Turn, ...] = ()
    summary: Summary | None = None
    """The latest one among the turns of `history`."""
    earlier: Turn | None = None
    """The turn of the message that is asked for, if it was answered already."""
    replaced: str | None = None
    """The question of the message that `Place.instead_of` names."""


class Memory(Protocol):
    """Insert-only: a turn is written once. A conversation has one owner, and nobody else sees it."""

    async def thread(
        self, principal: Principal, conversation_id: str, message_id: str, *, place: Place, limit: int
    ) -> Thread:
        """What a turn of this message at this place needs, with at most `limit` turns; one read.

        Raises `NotFound` for a conversation of another owner, and for a place that is not in it.
        """
        ...

    async def append(self, principal: Principal, conversation_id: str, turn: Turn, *, begun: bool = False) -> Turn:
        """Add a turn after its `parent` (None: after the active branch), whose last turn it becomes; its number is given here.

        Makes the conversation when it is new, unless it had `begun`: then it was deleted meanwhile, and stays so. A
        `message_id` that the conversation already holds returns the turn that is there. Raises `NotFound` for a
        conversation of another owner or a deleted one.
        """
        ...

    async def window(self, principal: Principal, conversation_id: str, limit: int) -> Sequence[Turn]:
        """The last `limit` turns of the active branch, oldest first; empty for a new one. Raises `NotFound` for another owner's."""
        ...

    async def turns(self, principal: Principal, conversation_id: str, *, after: int, limit: int) -> Sequence[Turn]:
        """The turns of all branches whose number is above `after`, in order."""
        ...

    async def branches(self, principal: Principal, conversation_id: str) -> Mapping[int, Sequence[str]]:
        """Where the conversation forks: the number of a turn (0: the beginning), and the messages that follow it."""
        ...

    async def find(self, principal: Principal, conversation_id: str, message_id: str) -> Turn | None:
        """The turn of that message, if it was answered already."""
        ...

    async def summarise(self, principal: Principal, conversation_id: str, message_id: str, summary: Summary) -> None:
        """Keep a summary up to the turn of this message; of a conversation that is gone, or has one for that turn, none is kept, nor of
        another one that has its id.
        """
        ...

    async def conversation(self, principal: Principal, conversation_id: str) -> Conversation:
        """Raises `NotFound`."""
        ...

    async def conversations(
        self, principal: Principal, *, limit: int = 100, after: tuple[datetime, str] | None = None, matching: str = ""
    ) -> Sequence[Conversation]:
        """The newest conversations first; those behind `after` (time and id of the last one seen), that have `matching` in
        their title, a question or an answer.
        """
        ...

    async def change(
        self, principal: Principal, conversation_id: str, *, title: str | None = None, branch: str | None = None
    ) -> Conversation:
        """Give it another title, or make the branch active that the message `branch` is on, to its end along the newest turns.

        Raises `NotFound`.
        """
        ...

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        """Remove it with all that belongs to it. Raises `NotFound`."""
        ...

    async def delete_all(self, principal: Principal) -> Sequence[str]:
        """Remove all conversations of the principal, also those in which nothing was answered yet; returns their ids."""
        ...

    async def forget(self, seconds: float) -> Sequence[str]:
        """Remove some conversations, of all owners, in which nothing was said for so long; returns their ids, none when no more are left."""
        ...

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable`."""
        ...
