"""Ratings of answers in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.errors import Conflict, NotFound
from anchorage.model import Feedback, Principal, read_citation
from anchorage.ports.feedback import Place

_COLUMNS = "conversation_id, message_id, rating, comment, question, standalone_question, answer, abstained, citations, trace, created_at"


class PostgresFeedback:
    """Implements the `FeedbackStore` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rate(
        self, principal: Principal, message_id: str, rating: int, comment: str, *, conversation_id: str | None = None
    ) -> Feedback:
        async with connection_for(self._pool, "keeping a rating") as connection:
            # Message ids are chosen by clients and unique in their conversation only.
            cursor = await connection.execute(
                "SELECT t.conversation_id FROM anchorage.conversations c JOIN anchorage.turns t ON t.conversation_id = c.id "
                "WHERE c.owner = %s AND t.message_id = %s AND (%s::text IS NULL OR c.id = %s) LIMIT 2",
                (principal.id, message_id, conversation_id, conversation_id),
            )
            place = _require_one(await cursor.fetchall(), message_id)
            cursor = await connection.execute(
                f"INSERT INTO anchorage.feedback AS f (owner, {_COLUMNS}) "
                "SELECT %s, t.conversation_id, t.message_id, %s, %s, t.question, t.standalone_question, t.answer, t.abstained, "
                "t.citations, t.trace, clock_timestamp() FROM anchorage.turns t WHERE t.conversation_id = %s AND t.message_id = %s "
                "ON CONFLICT (conversation_id, message_id) DO UPDATE SET rating = excluded.rating, comment = excluded.comment, "
                f"created_at = excluded.created_at RETURNING {_COLUMNS}",
                (principal.id, rating, comment, place, message_id),
            )
            row = await cursor.fetchone()
        if row is None:  # deleted between the two statements
            raise _make_not_found(message_id)
        return _build_feedback(row)

    async def withdraw(self, principal: Principal, message_id: str, *, conversation_id: str | None = None) -> None:
        async with connection_for(self._pool, "taking back a rating") as connection:
            cursor = await connection.execute(
                "SELECT conversation_id FROM anchorage.feedback WHERE owner = %s AND message_id = %s "
                "AND (%s::text IS NULL OR conversation_id = %s) LIMIT 2",
                (principal.id, message_id, conversation_id, conversation_id),
            )
            place = _require_one(await cursor.fetchall(), message_id)
            await connection.execute(
                "DELETE FROM anchorage.feedback WHERE conversation_id = %s AND message_id = %s", (place, message_id)
            )

    async def ratings(
        self, principal: Principal, *, rating: int | None = None, conversation_id: str | None = None, limit: int = 100,
        after: Place | None = None, oldest_first: bool = False,
    ) -> Sequence[Feedback]:  # fmt: skip
        moment, conversation, message = after or (None, None, None)
        beyond, order = (">", "ASC") if oldest_first else ("<", "DESC")
        async with connection_for(self._pool, "listing ratings") as connection:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM anchorage.feedback WHERE owner = %(owner)s "
                "AND (%(rating)s::int IS NULL OR rating = %(rating)s) "
                "AND (%(within)s::text IS NULL OR conversation_id = %(within)s) "
                f"AND (%(moment)s::timestamptz IS NULL OR (created_at, conversation_id, message_id) {beyond} "
                "(%(moment)s, %(conversation)s, %(message)s)) "
                f"ORDER BY created_at {order}, conversation_id {order}, message_id {order} LIMIT %(limit)s",
                {
                    "owner": principal.id,
                    "rating": rating,
                    "within": conversation_id,
                    "moment": moment,
                    "conversation": conversation,
                    "message": message,
                    "limit": limit,
                },
            )
            return [_build_feedback(row) for row in await cursor.fetchall()]


def _require_one(rows: Sequence[Sequence[Any]], message_id: str) -> str:
    """Return the only conversation found. Raises `NotFound` for none, `Conflict` for several."""
    if not rows:
        raise _make_not_found(message_id)
    if len(rows) > 1:
        raise Conflict(
            f"Several of your conversations hold a message {message_id!r}. Give its `conversation_id` as well."
        )
    return str(rows[0][0])


def _make_not_found(message_id: str) -> NotFound:
    return NotFound(
        f"No answer with the message id {message_id!r} in a conversation of yours. Take the ids from the answer; one that "
        "was not kept cannot be rated."
    )


def _build_feedback(row: Sequence[Any]) -> Feedback:
    values: list[Any] = [*row[:8], tuple(read_citation(item) for item in row[8]), *row[9:]]
    return Feedback(*values)
