"""Conversations in Postgres: an insert-only table of turns, each of which names the turn that it follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, errors

from anchorage.adapters.postgres.batch import PLAN_ONCE, Named, run
from anchorage.adapters.postgres.pool import Pool, connection_for, ping, translate_errors
from anchorage.errors import NotFound
from anchorage.fastjson import dumps
from anchorage.model import Conversation, Principal, Turn, Unsupported, read_citation
from anchorage.ports.memory import Place, Summary, Thread

_MAX_TITLE = 80
_FORGET_BATCH = 500
_TURN = (
    "t.number, t.message_id, t.question, t.answer, t.abstained, t.citations, t.standalone_question, t.created_at, t.trace, "
    "t.unsupported, t.parent, t.stopped"
)
_TURN_UNTRACED = _TURN.replace("t.trace", "'{}'::jsonb")  # the next turn does not need the trace of an earlier one
_CONVERSATION = "id, title, turns, created_at, updated_at, head"

# The branch is walked from its end, so that the cost depends on how much of it is wanted, not on how long it is.
_THREAD = Named(f"""
WITH RECURSIVE c AS (
    SELECT id, owner, turns,
        CASE WHEN %(after)s::text IS NOT NULL THEN
                (SELECT number FROM anchorage.turns WHERE conversation_id = %(id)s AND message_id = %(after)s)
             WHEN %(instead_of)s::text IS NOT NULL THEN
                (SELECT parent FROM anchorage.turns WHERE conversation_id = %(id)s AND message_id = %(instead_of)s)
             ELSE coalesce(%(number)s::int, head) END AS place
    FROM anchorage.conversations WHERE id = %(id)s
), branch AS (
    SELECT t.*, 1 AS depth FROM c JOIN anchorage.turns t ON t.conversation_id = c.id AND t.number = c.place
    WHERE %(limit)s::int > 0
    UNION ALL
    SELECT t.*, b.depth + 1 FROM branch b JOIN anchorage.turns t ON t.conversation_id = %(id)s AND t.number = b.parent
    WHERE b.depth < %(limit)s::int
)
SELECT 'branch', c.owner, c.turns, c.place, s.text, t.depth, {_TURN_UNTRACED}
FROM c LEFT JOIN branch t ON true LEFT JOIN anchorage.summaries s ON s.conversation_id = c.id AND s.number = t.number
UNION ALL
SELECT CASE t.message_id WHEN %(message)s THEN 'earlier' ELSE 'replaced' END, c.owner, c.turns, c.place, NULL, NULL, {_TURN}
FROM c JOIN anchorage.turns t ON t.conversation_id = c.id AND t.message_id IN (%(message)s, %(instead_of)s)
ORDER BY 6 DESC NULLS LAST
""")

# One statement, whose row lock on the conversation numbers concurrent turns one after the other.
_COUNT_TURN = "turns = c.turns + 1, head = c.turns + 1, head_before = c.head, updated_at = now()"
_BEGIN_CONVERSATION = f"""
INSERT INTO anchorage.conversations AS c (id, owner, title, turns, head) VALUES (%(id)s, %(owner)s, %(title)s, 1, 1)
ON CONFLICT (id) DO UPDATE SET {_COUNT_TURN} WHERE c.owner = excluded.owner
"""
# A stream makes its conversation without a title: what may be shown of the question is known when it is answered.
_CONTINUE_CONVERSATION = f"""
UPDATE anchorage.conversations c SET {_COUNT_TURN}, title = CASE WHEN c.turns = 0 THEN %(title)s ELSE c.title END
WHERE id = %(id)s AND owner = %(owner)s
"""
_APPEND = """
WITH n AS ({conversation} RETURNING c.turns AS number, c.head_before)
INSERT INTO anchorage.turns AS t (conversation_id, number, message_id, question, answer, abstained, standalone_question, citations,
    trace, unsupported, stopped, parent)
SELECT %(id)s, n.number, %(message)s, %(question)s, %(answer)s, %(abstained)s, %(standalone)s, %(citations)s, %(trace)s,
    %(unsupported)s, %(stopped)s,
    coalesce(%(parent)s::int, n.head_before)
FROM n RETURNING t.number, t.created_at, t.parent
"""
_APPEND_FIRST, _APPEND_NEXT = (
    Named(_APPEND.format(conversation=statement)) for statement in (_BEGIN_CONVERSATION, _CONTINUE_CONVERSATION)
)
_WINDOW = f"""
WITH RECURSIVE branch AS (
    SELECT t.*, 1 AS depth FROM anchorage.conversations c
    JOIN anchorage.turns t ON t.conversation_id = c.id AND t.number = c.head WHERE c.id = %(id)s
    UNION ALL
    SELECT t.*, b.depth + 1 FROM branch b JOIN anchorage.turns t ON t.conversation_id = %(id)s AND t.number = b.parent
    WHERE b.depth < %(limit)s
)
SELECT {_TURN} FROM branch t ORDER BY t.depth DESC
"""
_CONVERSATIONS = f"""
SELECT {_CONVERSATION} FROM anchorage.conversations c WHERE owner = %(owner)s AND turns > 0
AND (%(time)s::timestamptz IS NULL OR updated_at < %(time)s OR (updated_at = %(time)s AND id > %(id)s))
AND (%(words)s::text IS NULL OR strpos(lower(title), %(words)s) > 0 OR EXISTS (SELECT FROM anchorage.turns t
    WHERE t.conversation_id = c.id AND (strpos(lower(t.question), %(words)s) > 0 OR strpos(lower(t.answer), %(words)s) > 0)))
ORDER BY updated_at DESC, id LIMIT %(limit)s
"""


class PostgresMemory:
    """Implements the `Memory` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def thread(
        self, principal: Principal, conversation_id: str, message_id: str, *, place: Place, limit: int
    ) -> Thread:
        values = {
            "id": conversation_id, "message": message_id, "after": place.after, "instead_of": place.instead_of,
            "number": place.number, "limit": limit,
        }  # fmt: skip
        async with connection_for(self._pool, "reading a conversation") as connection:
            _, rows = await run(connection, [PLAN_ONCE, _THREAD(values)])
        if not rows:
            if place.after is not None or place.instead_of is not None:
                raise _make_not_found(conversation_id)
            return Thread()
        owner, turns, parent = rows[0][1:4]
        if owner != principal.id:
            raise _make_not_found(conversation_id)
        if parent is None:
            raise _make_message_not_found(conversation_id, place.after or place.instead_of)
        branch = [row for row in rows if row[0] == "branch" and row[5] is not None]
        named = {row[7]: _build_turn(row[6:]) for row in rows if row[0] != "branch"}
        replaced = named.get(place.instead_of) if place.instead_of else None
        return Thread(
            exists=True,
            turns=turns,
            parent=parent,
            history=tuple(_build_turn(row[6:]) for row in branch),
            summary=next((Summary(row[6], row[4]) for row in reversed(branch) if row[4] is not None), None),
            earlier=named.get(message_id),
            replaced=replaced.question if replaced else None,
        )

    async def append(self, principal: Principal, conversation_id: str, turn: Turn, *, begun: bool = False) -> Turn:
        values = {
            "id": conversation_id, "owner": principal.id, "title": turn.question[:_MAX_TITLE], "message": turn.message_id,
            "question": turn.question, "answer": turn.answer, "abstained": turn.abstained,
            "standalone": turn.standalone_question, "stopped": turn.stopped, "parent": turn.parent,
            "citations": dumps(turn.citations), "trace": dumps(dict(turn.trace)),
            "unsupported": dumps(turn.unsupported),
        }  # fmt: skip
        async with connection_for(self._pool, "remembering a turn") as connection:
            try:
                (rows,) = await run(connection, [(_APPEND_NEXT if begun else _APPEND_FIRST)(values)])
            except errors.UniqueViolation:
                rows = []
            if rows:
                number, created_at, parent = rows[0]
                return replace(turn, number=number, created_at=created_at, parent=parent)
            earlier = None
            if await _check_owner(connection, principal, conversation_id):
                earlier = await _find_turn(connection, conversation_id, turn.message_id)
        if earlier is None:
            raise _make_not_found(conversation_id)
        return earlier

    async def window(self, principal: Principal, conversation_id: str, limit: int) -> Sequence[Turn]:
        async with connection_for(self._pool, "reading a conversation") as connection:
            if not await _check_owner(connection, principal, conversation_id):
                return []
            cursor = await connection.execute(_WINDOW, {"id": conversation_id, "limit": limit})
            return [_build_turn(row) for row in await cursor.fetchall()]

    async def turns(self, principal: Principal, conversation_id: str, *, after: int, limit: int) -> Sequence[Turn]:
        async with connection_for(self._pool, "reading a conversation") as connection:
            if not await _check_owner(connection, principal, conversation_id):
                return []
            cursor = await connection.execute(
                f"SELECT {_TURN} FROM anchorage.turns t WHERE conversation_id = %s AND number > %s ORDER BY number LIMIT %s",
                (conversation_id, after, limit),
            )
            return [_build_turn(row) for row in await cursor.fetchall()]

    async def branches(self, principal: Principal, conversation_id: str) -> Mapping[int, Sequence[str]]:
        async with connection_for(self._pool, "reading a conversation") as connection:
            if not await _check_owner(connection, principal, conversation_id):
                return {}
            cursor = await connection.execute(
                "SELECT parent, array_agg(message_id ORDER BY number) FROM anchorage.turns WHERE conversation_id = %s "
                "GROUP BY parent HAVING count(*) > 1",
                (conversation_id,),
            )
            return dict(await cursor.fetchall())

    async def find(self, principal: Principal, conversation_id: str, message_id: str) -> Turn | None:
        async with connection_for(self._pool, "reading a conversation") as connection:
            if not await _check_owner(connection, principal, conversation_id):
                return None
            return await _find_turn(connection, conversation_id, message_id)

    async def summarise(self, principal: Principal, conversation_id: str, message_id: str, summary: Summary) -> None:
        async with connection_for(self._pool, "keeping a summary") as connection:
            await connection.execute(
                "INSERT INTO anchorage.summaries (conversation_id, number, text) SELECT c.id, %(number)s, %(text)s "
                "FROM anchorage.conversations c WHERE c.id = %(id)s AND c.owner = %(owner)s AND EXISTS (SELECT FROM anchorage.turns t "
                "WHERE t.conversation_id = c.id AND t.number = %(number)s AND t.message_id = %(message)s) "
                "FOR KEY SHARE OF c ON CONFLICT DO NOTHING",
                {
                    "number": summary.number, "text": summary.text, "id": conversation_id, "owner": principal.id, "message": message_id,
                },
            )  # fmt: skip

    async def conversation(self, principal: Principal, conversation_id: str) -> Conversation:
        async with connection_for(self._pool, "reading a conversation") as connection:
            cursor = await connection.execute(
                f"SELECT {_CONVERSATION} FROM anchorage.conversations WHERE id = %s AND owner = %s AND turns > 0",
                (conversation_id, principal.id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise _make_not_found(conversation_id)
        return Conversation(*row)

    async def conversations(
        self, principal: Principal, *, limit: int = 100, after: tuple[datetime, str] | None = None, matching: str = ""
    ) -> Sequence[Conversation]:
        values = {
            "owner": principal.id, "limit": limit, "time": after and after[0], "id": after and after[1],
            "words": matching.lower() or None,
        }  # fmt: skip
        async with connection_for(self._pool, "listing conversations") as connection:
            cursor = await connection.execute(_CONVERSATIONS, values)
            return [Conversation(*row) for row in await cursor.fetchall()]

    async def change(
        self, principal: Principal, conversation_id: str, *, title: str | None = None, branch: str | None = None
    ) -> Conversation:
        async with connection_for(self._pool, "changing a conversation") as connection, connection.transaction():
            head = None
            if branch is not None and await _check_owner(connection, principal, conversation_id):
                head = await _find_end_of_branch(connection, conversation_id, branch)
            cursor = await connection.execute(
                "UPDATE anchorage.conversations SET title = coalesce(%s, title), head = coalesce(%s, head) "
                f"WHERE id = %s AND owner = %s AND turns > 0 RETURNING {_CONVERSATION}",
                (title, head, conversation_id, principal.id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise _make_not_found(conversation_id)
        return Conversation(*row)

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        async with connection_for(self._pool, "deleting a conversation") as connection:
            cursor = await connection.execute(
                "DELETE FROM anchorage.conversations WHERE id = %s AND owner = %s", (conversation_id, principal.id)
            )
            if cursor.rowcount == 0:
                raise _make_not_found(conversation_id)

    async def delete_all(self, principal: Principal) -> Sequence[str]:
        async with connection_for(self._pool, "deleting conversations") as connection:
            cursor = await connection.execute(
                "DELETE FROM anchorage.conversations WHERE owner = %s RETURNING id", (principal.id,)
            )
            return [row[0] for row in await cursor.fetchall()]

    async def forget(self, seconds: float) -> Sequence[str]:
        async with connection_for(self._pool, "forgetting old conversations") as connection:
            cursor = await connection.execute(
                "DELETE FROM anchorage.conversations WHERE id IN (SELECT id FROM anchorage.conversations "
                "WHERE updated_at < now() - make_interval(secs => %s) LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
                (seconds, _FORGET_BATCH),
            )
            return [row[0] for row in await cursor.fetchall()]

    async def ping(self) -> None:
        with translate_errors("asking the state database"):
            await ping(self._pool)


def _make_not_found(conversation_id: str) -> NotFound:
    return NotFound(
        f"No conversation {conversation_id[:128]!r} of yours. Leave the id out, or take a new one, to begin another."
    )


def _make_message_not_found(conversation_id: str, message_id: str | None) -> NotFound:
    return NotFound(
        f"The conversation {conversation_id!r} has no message {message_id!r}. GET /api/conversations/{conversation_id} lists its messages."
    )


async def _check_owner(connection: AsyncConnection[Any], principal: Principal, conversation_id: str) -> bool:
    """Whether the conversation exists. Raises `NotFound` when another principal owns it."""
    cursor = await connection.execute("SELECT owner FROM anchorage.conversations WHERE id = %s", (conversation_id,))
    row = await cursor.fetchone()
    if row is not None and row[0] != principal.id:
        raise _make_not_found(conversation_id)
    return row is not None


async def _find_end_of_branch(connection: AsyncConnection[Any], conversation_id: str, message_id: str) -> int:
    """Find the number of the last turn after this message. Where the conversation forks, the newest turn is followed."""
    cursor = await connection.execute(
        "SELECT number, parent, message_id FROM anchorage.turns WHERE conversation_id = %s ORDER BY number",
        (conversation_id,),
    )
    rows = await cursor.fetchall()
    at = next((number for number, _, message in rows if message == message_id), None)
    if at is None:
        raise _make_message_not_found(conversation_id, message_id)
    newest = {parent: number for number, parent, _ in rows}
    while at in newest:
        at = newest[at]
    return int(at)


async def _find_turn(connection: AsyncConnection[Any], conversation_id: str, message_id: str) -> Turn | None:
    cursor = await connection.execute(
        f"SELECT {_TURN} FROM anchorage.turns t WHERE conversation_id = %s AND message_id = %s",
        (conversation_id, message_id),
    )
    row = await cursor.fetchone()
    return _build_turn(row) if row else None


def _build_turn(row: Sequence[Any]) -> Turn:
    citations = tuple(read_citation(item) for item in row[5])
    unsupported = tuple(Unsupported(**item) for item in row[9])
    return Turn(*(*row[:5], citations, *row[6:9], unsupported, *row[10:12]))
