"""Feedback: what people think of answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from anchorage.model import Feedback, Principal

Place = tuple[datetime, str, str]
"""Where a rating stands in their order: when it was given, the conversation's id, and the message's."""


class FeedbackStore(Protocol):
    """Ratings of answers, each kept with the answer as it was rated. Only the owner of a conversation rates in it."""

    async def rate(
        self, principal: Principal, message_id: str, rating: int, comment: str, *, conversation_id: str | None = None
    ) -> Feedback:
        """Rate an answer (1 good, -1 bad); a later rating of the same answer replaces it.

        Raises `NotFound`, and `Conflict` when several conversations of the principal hold such a message and none is named.
        """
        ...

    async def withdraw(self, principal: Principal, message_id: str, *, conversation_id: str | None = None) -> None:
        """Take a rating back. Raises `NotFound` and `Conflict` as `rate` does."""
        ...

    async def ratings(
        self, principal: Principal, *, rating: int | None = None, conversation_id: str | None = None, limit: int = 100,
        after: Place | None = None, oldest_first: bool = False,
    ) -> Sequence[Feedback]:  # fmt: skip
        """The principal's, of one conversation where it is named, the newest first or the oldest; `after` is the place of the last one
        seen, which may be gone by now.

        Read to the end, the oldest first, a list misses none that was given again meanwhile.
        """
        ...
