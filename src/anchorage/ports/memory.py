"""Memory: conversations and their turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from anchorage.model import Conversation, Principal, Turn


class Memory(Protocol):
    """Insert-only: a turn is written once. A conversation has one owner, and nobody else sees it."""

    async def append(self, principal: Principal, conversation_id: str, turn: Turn) -> Turn:
        """Add a turn, making the conversation when it is new; its number is given here.

        A `message_id` that the conversation already holds returns the turn that is there. Raises `NotFound` for a
        conversation of another owner.
        """
        ...

    async def window(self, principal: Principal, conversation_id: str, limit: int) -> Sequence[Turn]:
        """The last `limit` turns, oldest first; empty for a new conversation. Raises `NotFound` for another owner's."""
        ...

    async def find(self, principal: Principal, conversation_id: str, message_id: str) -> Turn | None:
        """The turn of that message, if it was answered already."""
        ...

    async def conversations(self, principal: Principal, *, limit: int = 100) -> Sequence[Conversation]:
        """The newest conversations first."""
        ...

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        """Remove it with all its turns. Raises `NotFound`."""
        ...

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable`."""
        ...
