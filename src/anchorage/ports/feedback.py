"""Feedback: what people think of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from anchorage.model import Feedback, Principal


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
        self, principal: Principal, *, rating: int | None = None, limit: int = 100, after: tuple[str, str] | None = None
    ) -> Sequence[Feedback]:
        """The principal's, the newest first; `after` is (conversation id, message id) of the last one seen."""
        ...
