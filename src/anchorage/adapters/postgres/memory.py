"""Conversations in Postgres: an insert-only table of turns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from anchorage.adapters.postgres.pool import Pool, ping, translate_errors
from anchorage.errors import NotFound
from anchorage.model import Citation, Conversation, Principal, Turn, Unsupported

_TITLE = 80
_TURN = "t.number, t.message_id, t.question, t.answer, t.abstained, t.citations, t.standalone_question, t.created_at, t.trace, t.unsupported"


class PostgresMemory:
    """Implements the `Memory` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def _connection(self, what: str) -> AsyncIterator[AsyncConnection[Any]]:
        with translate_errors(what):
            async with self._pool.connection() as connection:
                yield connection

    async def append(self, principal: Principal, conversation_id: str, turn: Turn) -> Turn:
        async with self._connection("remembering a turn") as connection, connection.transaction():
            # The row lock numbers concurrent turns one after the other.
            cursor = await connection.execute(
                "INSERT INTO anchorage.conversations AS c (id, owner, title) VALUES (%s, %s, %s) "
                "ON CONFLICT (id) DO UPDATE SET updated_at = now() WHERE c.owner = excluded.owner RETURNING c.turns",
                (conversation_id, principal.id, turn.question[:_TITLE]),
            )
            row = await cursor.fetchone()
            if row is None:
                raise _unknown(conversation_id)
            earlier = await _find(connection, conversation_id, turn.message_id)
            if earlier:
                return earlier
            await connection.execute(
                "INSERT INTO anchorage.turns (conversation_id, number, message_id, question, answer, abstained, "
                "standalone_question, citations, trace, unsupported) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (conversation_id, row[0] + 1, turn.message_id, turn.question, turn.answer, turn.abstained,
                 turn.standalone_question, Jsonb([asdict(citation) for citation in turn.citations]),
                 Jsonb(dict(turn.trace)), Jsonb([asdict(item) for item in turn.unsupported])),
            )  # fmt: skip
            await connection.execute(
                "UPDATE anchorage.conversations SET turns = turns + 1 WHERE id = %s", (conversation_id,)
            )
            written = await _find(connection, conversation_id, turn.message_id)
            assert written is not None
            return written

    async def window(self, principal: Principal, conversation_id: str, limit: int) -> Sequence[Turn]:
        async with self._connection("reading a conversation") as connection:
            if not await _owned(connection, principal, conversation_id):
                return []
            cursor = await connection.execute(
                f"SELECT {_TURN} FROM anchorage.turns t WHERE conversation_id = %s ORDER BY number DESC LIMIT %s",
                (conversation_id, limit),
            )
            return [_turn(row) for row in reversed(await cursor.fetchall())]

    async def find(self, principal: Principal, conversation_id: str, message_id: str) -> Turn | None:
        async with self._connection("reading a conversation") as connection:
            if not await _owned(connection, principal, conversation_id):
                return None
            return await _find(connection, conversation_id, message_id)

    async def conversations(self, principal: Principal, *, limit: int = 100) -> Sequence[Conversation]:
        async with self._connection("listing conversations") as connection:
            cursor = await connection.execute(
                "SELECT id, title, turns, created_at, updated_at FROM anchorage.conversations WHERE owner = %s "
                "ORDER BY updated_at DESC, id LIMIT %s",
                (principal.id, limit),
            )
            return [Conversation(*row) for row in await cursor.fetchall()]

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        async with self._connection("deleting a conversation") as connection:
            cursor = await connection.execute(
                "DELETE FROM anchorage.conversations WHERE id = %s AND owner = %s", (conversation_id, principal.id)
            )
            if cursor.rowcount == 0:
                raise _unknown(conversation_id)

    async def ping(self) -> None:
        with translate_errors("asking the state database"):
            await ping(self._pool)


def _unknown(conversation_id: str) -> NotFound:
    return NotFound(
        f"No conversation {conversation_id!r} of yours. Leave the id out, or take a new one, to begin another."
    )


async def _owned(connection: AsyncConnection[Any], principal: Principal, conversation_id: str) -> bool:
    """Whether the conversation exists. Raises `NotFound` when it is somebody else's."""
    cursor = await connection.execute("SELECT owner FROM anchorage.conversations WHERE id = %s", (conversation_id,))
    row = await cursor.fetchone()
    if row is not None and row[0] != principal.id:
        raise _unknown(conversation_id)
    return row is not None


async def _find(connection: AsyncConnection[Any], conversation_id: str, message_id: str) -> Turn | None:
    cursor = await connection.execute(
        f"SELECT {_TURN} FROM anchorage.turns t WHERE conversation_id = %s AND message_id = %s",
        (conversation_id, message_id),
    )
    row = await cursor.fetchone()
    return _turn(row) if row else None


def _turn(row: Sequence[Any]) -> Turn:
    citations = tuple(Citation(**item) for item in row[5])
    unsupported = tuple(Unsupported(**item) for item in row[9])
    return Turn(row[0], row[1], row[2], row[3], row[4], citations, row[6], row[7], row[8], unsupported)
