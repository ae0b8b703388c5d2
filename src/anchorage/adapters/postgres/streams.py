"""The event log in Postgres: one row for the stream of each conversation, and one row for each few events.

These rows are committed without waiting for the disk. A crash of Postgres may lose the last ones; a reader then gets some events
twice. Finished answers are in the table of turns, whose commits wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from psycopg import AsyncConnection

from anchorage.adapters.postgres.batch import Named, run
from anchorage.adapters.postgres.pool import Pool, connection_for, translate_errors
from anchorage.errors import NotFound
from anchorage.fastjson import dumps
from anchorage.model import Principal
from anchorage.ports.streams import Line, Piece, Progress, StreamRequest, StreamState

_PAGE = 200  # rows
_SWEEP_BATCH = 5000
_HELD = (
    "EXISTS (SELECT FROM anchorage.stream_holders h WHERE h.id = s.holder AND h.beat_at > clock_timestamp() - make_interval(secs => "
    "%(lease)s)) AND NOT s.ended"
)
_STATE = (
    f"s.conversation_id, s.message_id, s.turn, s.attempt, s.first_n, s.last_n, s.ended, s.answered, {_HELD}, s.request"
)
_FIRST_EVENT_KEPT = (
    "EXISTS (SELECT FROM anchorage.events e WHERE e.conversation_id = s.conversation_id AND e.first_n <= s.first_n "
    "AND e.last_n >= s.first_n)"
)
# set_config: this one statement, which is its own transaction, does not wait for the disk.
_BEGIN = Named(f"""
WITH c AS (
    INSERT INTO anchorage.conversations AS c (id, owner, title) VALUES (%(id)s, %(owner)s, '')
    ON CONFLICT (id) DO UPDATE SET title = c.title WHERE c.owner = excluded.owner
    RETURNING id, turns
), begun AS (
    INSERT INTO anchorage.streams AS s (conversation_id, message_id, turn, attempt, first_n, last_n, request, holder)
    SELECT id, %(message)s, coalesce(%(turn)s::int, turns + 1), 1, 1, 0, %(request)s, %(holder)s FROM c
    ON CONFLICT (conversation_id) DO UPDATE SET message_id = excluded.message_id, turn = excluded.turn, request = excluded.request,
        holder = excluded.holder, attempt = CASE WHEN s.message_id = excluded.message_id THEN s.attempt + 1 ELSE 1 END,
        first_n = s.last_n + 1, ended = false, answered = false, stop = false, read_at = now(), updated_at = now()
    WHERE NOT ({_HELD}) AND NOT (s.message_id = excluded.message_id AND s.ended AND s.answered AND {_FIRST_EVENT_KEPT})
    RETURNING s.*
)
SELECT s.conversation_id, s.message_id, s.turn, s.attempt, s.first_n, s.last_n, s.ended, s.answered, true, s.request
FROM begun s, set_config('synchronous_commit', 'off', true)
""")
_CLAIM = """
UPDATE anchorage.streams s SET holder = %(holder)s, attempt = attempt + 1, first_n = last_n + 1, updated_at = now()
WHERE conversation_id = %(id)s AND message_id = %(message)s AND attempt = %(attempt)s AND NOT ended AND (holder IS NULL OR NOT EXISTS (
    SELECT FROM anchorage.stream_holders h WHERE h.id = s.holder AND h.beat_at > clock_timestamp() - make_interval(secs => %(lease)s)))
"""
_WRITE = Named("""
WITH input AS (
    SELECT * FROM json_to_recordset(%(pieces)s) AS i(
        conversation_id text, message_id text, attempt int, last_n bigint, count int, lines text, ended bool, answered bool)
), taken AS (
    UPDATE anchorage.streams s SET last_n = s.last_n + i.count, ended = i.ended, answered = i.answered, updated_at = now(),
        request = CASE WHEN i.ended THEN NULL ELSE s.request END, holder = CASE WHEN i.ended THEN NULL ELSE s.holder END
    FROM input i WHERE s.conversation_id = i.conversation_id AND s.message_id = i.message_id AND s.attempt = i.attempt
        AND s.last_n = i.last_n AND s.holder = %(holder)s AND NOT s.ended
    RETURNING s.conversation_id, i.last_n + 1 AS first_n, s.last_n, i.lines, s.stop
), kept AS (
    INSERT INTO anchorage.events (conversation_id, first_n, last_n, lines) SELECT conversation_id, first_n, last_n, lines FROM taken
)
SELECT conversation_id, stop FROM taken, set_config('synchronous_commit', 'off', true)
""")
_POLL = """
SELECT s.conversation_id, c.owner, c.created_at, s.last_n, s.ended, h.id IS NOT NULL, e.first_n, e.lines
FROM unnest(%(ids)s::text[], %(after)s::bigint[]) AS p(id, after)
JOIN anchorage.conversations c ON c.id = p.id
JOIN anchorage.streams s ON s.conversation_id = p.id
LEFT JOIN anchorage.stream_holders h ON h.id = s.holder AND h.beat_at > clock_timestamp() - make_interval(secs => %(lease)s)
LEFT JOIN LATERAL (
    SELECT first_n, last_n, lines FROM anchorage.events WHERE conversation_id = p.id AND last_n > p.after ORDER BY last_n LIMIT %(page)s
) e ON true
ORDER BY s.conversation_id, e.last_n
"""


class PostgresStreamLog:
    """Implements the `StreamLog` port. A holder that did not beat for `lease` seconds counts as dead.

    Writing, many times a second, keeps a connection of the pool for itself until `release`.
    """

    def __init__(self, pool: Pool, lease: float) -> None:
        self._pool, self._lease = pool, lease
        self._writing: AsyncConnection[Any] | None = None

    async def _return_connection(self) -> None:
        connection, self._writing = self._writing, None
        if connection is not None:
            await self._pool.putconn(connection)

    async def open(
        self,
        principal: Principal,
        conversation_id: str,
        message_id: str,
        request: StreamRequest,
        turn: int | None,
        holder: str,
    ) -> tuple[StreamState, bool]:
        values = {
            "id": conversation_id, "owner": principal.id, "message": message_id,
            "turn": turn, "request": dumps(asdict(request)), "holder": holder, "lease": self._lease,
        }  # fmt: skip
        async with connection_for(self._pool, "beginning a stream") as connection:
            (rows,) = await run(connection, [_BEGIN(values)])
        if rows:
            return _build_state(rows[0]), True
        state = await self.state(principal, conversation_id)
        if state is None:  # deleted in this moment
            raise _make_not_found(conversation_id)
        return state, False

    async def claim(self, state: StreamState, holder: str) -> StreamState | None:
        values = {
            "id": state.conversation_id, "message": state.message_id, "attempt": state.attempt, "holder": holder,
            "lease": self._lease,
        }  # fmt: skip
        async with connection_for(self._pool, "taking over a stream") as connection:
            row = await (await connection.execute(f"{_CLAIM} RETURNING {_STATE}", values)).fetchone()
        return _build_state(row) if row else None

    async def state(self, principal: Principal, conversation_id: str) -> StreamState | None:
        async with connection_for(self._pool, "looking up a stream") as connection:
            cursor = await connection.execute(
                f"SELECT {_STATE}, c.owner FROM anchorage.conversations c LEFT JOIN anchorage.streams s ON s.conversation_id = c.id "
                "WHERE c.id = %(id)s",
                {"id": conversation_id, "lease": self._lease},
            )
            row = await cursor.fetchone()
        if row is None or row[10] != principal.id:
            raise _make_not_found(conversation_id)
        return _build_state(row) if row[0] is not None else None

    async def write(self, holder: str, pieces: Sequence[Piece]) -> Mapping[str, bool]:
        # As JSON: arrays cost the driver several times as much.
        rows = [
            {
                "conversation_id": piece.conversation_id, "message_id": piece.message_id, "attempt": piece.attempt,
                "last_n": piece.last_n, "count": len(piece.lines), "lines": "\n".join(piece.lines), "ended": piece.ended,
                "answered": piece.answered,
            }
            for piece in pieces
        ]  # fmt: skip
        values = {"holder": holder, "pieces": dumps(rows)}
        with translate_errors("writing events"):
            connection = self._writing = self._writing or await self._pool.getconn()
            try:
                (taken,) = await run(connection, [_WRITE(values)])
                return dict(taken)
            except BaseException:
                await self._return_connection()
                raise

    async def read(self, principal: Principal, conversation_id: str, after: int, limit: int) -> Sequence[Line]:
        async with connection_for(self._pool, "reading events") as connection:
            cursor = await connection.execute(
                "SELECT e.first_n, e.lines FROM anchorage.events e JOIN anchorage.conversations c ON c.id = e.conversation_id "
                "WHERE c.id = %s AND c.owner = %s AND e.last_n > %s ORDER BY e.last_n LIMIT %s",
                (conversation_id, principal.id, after, limit),
            )
            rows = await cursor.fetchall()
        return [line for first, lines in rows for line in _number_lines(first, lines) if line[0] > after]

    async def poll(self, positions: Mapping[str, int]) -> Mapping[str, Progress]:
        values = {"ids": list(positions), "after": list(positions.values()), "lease": self._lease, "page": _PAGE}
        async with connection_for(self._pool, "following streams") as connection:
            rows = await (await connection.execute(_POLL, values)).fetchall()
        found: dict[str, Progress] = {}
        for key, owner, born, last, ended, held, first, lines in rows:
            new = tuple(line for line in _number_lines(first, lines) if line[0] > positions[key]) if lines else ()
            before = found[key].lines if key in found else ()
            found[key] = Progress(owner, born, before + new, last, ended, held)
        return found

    async def beat(self, holder: str) -> Sequence[str]:
        async with connection_for(self._pool, "holding streams") as connection:
            cursor = await connection.execute(
                "WITH beat AS (INSERT INTO anchorage.stream_holders AS h (id, beat_at) VALUES (%(holder)s, clock_timestamp()) "
                "ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at) SELECT s.conversation_id FROM anchorage.streams s, "
                "set_config('synchronous_commit', 'off', true) WHERE s.holder = %(holder)s AND NOT s.ended AND s.stop",
                {"holder": holder},
            )
            return [row[0] for row in await cursor.fetchall()]

    async def note_followed(self, conversation_ids: Sequence[str], seconds: float | None = None) -> Sequence[str]:
        async with connection_for(self._pool, "following streams") as connection:
            if seconds is None:
                # Rows that are being written are skipped: waiting for them in any order could deadlock.
                await connection.execute(
                    "UPDATE anchorage.streams SET read_at = now() WHERE conversation_id IN (SELECT conversation_id "
                    "FROM anchorage.streams WHERE conversation_id = ANY(%s) AND NOT ended FOR UPDATE SKIP LOCKED)",
                    (list(conversation_ids),),
                )
                return conversation_ids
            cursor = await connection.execute(
                "SELECT conversation_id FROM anchorage.streams WHERE conversation_id = ANY(%s) "
                "AND read_at > now() - make_interval(secs => %s)",
                (list(conversation_ids), seconds),
            )
            return [row[0] for row in await cursor.fetchall()]

    async def release_stream(
        self, holder: str, conversation_id: str, message_id: str, attempt: int, last_n: int
    ) -> None:
        async with connection_for(self._pool, "giving a stream up") as connection:
            await connection.execute(
                "UPDATE anchorage.streams SET holder = NULL, last_n = greatest(last_n, %s) "
                "WHERE conversation_id = %s AND message_id = %s AND attempt = %s AND holder = %s AND NOT ended",
                (last_n, conversation_id, message_id, attempt, holder),
            )

    async def release(self, holder: str) -> None:
        await self._return_connection()
        async with connection_for(self._pool, "handing streams over") as connection:
            await connection.execute(
                "WITH gone AS (DELETE FROM anchorage.stream_holders WHERE id = %(holder)s) "
                "UPDATE anchorage.streams SET holder = NULL WHERE holder = %(holder)s AND NOT ended",
                {"holder": holder},
            )

    async def stop(self, principal: Principal, conversation_id: str) -> StreamState | None:
        found = await self.state(principal, conversation_id)
        if found is None or found.ended:
            return None
        async with connection_for(self._pool, "stopping an answer") as connection:
            cursor = await connection.execute(
                f"UPDATE anchorage.streams s SET stop = true WHERE conversation_id = %(id)s AND message_id = %(message)s AND NOT ended "
                f"RETURNING {_STATE}",
                {"id": conversation_id, "message": found.message_id, "lease": self._lease},
            )
            row = await cursor.fetchone()
        return _build_state(row) if row else None

    async def sweep(self, seconds: float) -> int:
        async with connection_for(self._pool, "forgetting events") as connection:
            await connection.execute(
                "DELETE FROM anchorage.stream_holders WHERE beat_at < now() - make_interval(secs => %s)", (seconds,)
            )
            cursor = await connection.execute(
                "DELETE FROM anchorage.events WHERE (conversation_id, last_n) IN (SELECT e.conversation_id, e.last_n "
                "FROM anchorage.events e JOIN anchorage.streams s USING (conversation_id) "
                "WHERE e.created_at < now() - make_interval(secs => %s) AND (s.ended OR e.last_n < s.first_n) LIMIT %s)",
                (seconds, _SWEEP_BATCH),
            )
            return cursor.rowcount


def _number_lines(first: int, lines: str) -> list[Line]:
    return list(enumerate(lines.split("\n"), first))


def _build_state(row: Sequence[Any] | None) -> StreamState:
    assert row is not None
    request = row[9]
    if request is not None:
        collections = request["collections"]
        request = StreamRequest(
            request["question"],
            None if collections is None else tuple(collections),
            request["parent"],
            request["fresh"],
            tuple(request["blocked"]) if request.get("blocked") else None,  # an older release's have no such field
        )
    return StreamState(*(*row[:9], request))


def _make_not_found(conversation_id: str) -> NotFound:
    return NotFound(
        f"No conversation {conversation_id[:128]!r} of yours. Leave the id out, or take a new one, to begin another."
    )
