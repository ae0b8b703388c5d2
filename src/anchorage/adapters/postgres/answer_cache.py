"""The answer cache in the state database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.ports.cache import Payload, Slot

_MAX_COMPARED = 500  # the newest questions of a scope that are compared with a new one
_MAX_FOUND = 3
_TRIM_EVERY = 100


class PostgresAnswerCache:
    """Implements the `AnswerCache` port. Vectors are compared here: the state database need not have pgvector."""

    def __init__(self, pool: Pool, *, ttl: float, max_entries: int) -> None:
        self._pool, self._ttl, self._max_entries = pool, ttl, max_entries
        self._kept = 0

    async def exact(self, slot: Slot) -> Payload | None:
        async with connection_for(self._pool, "looking for an earlier answer") as connection:
            cursor = await connection.execute(
                "SELECT payload FROM anchorage.answer_cache WHERE scope = %s AND question = %s AND expires_at > now()",
                (slot.scope, _hash_question(slot.question)),
            )
            row = await cursor.fetchone()
        return row[0] if row else None

    async def near(self, slot: Slot, vector: NDArray[Any], similarity: float) -> Sequence[Payload]:
        async with connection_for(self._pool, "looking for an earlier answer") as connection:
            cursor = await connection.execute(
                "SELECT question, vector FROM anchorage.answer_cache WHERE scope = %s AND expires_at > now() "
                "AND length(vector) = %s ORDER BY expires_at DESC LIMIT %s",
                (slot.scope, 2 * len(vector), _MAX_COMPARED),
                binary=True,
            )
            rows = await cursor.fetchall()
            if not rows:
                return []
            vectors = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f2").reshape(len(rows), -1)
            cosines = vectors.astype(np.float32) @ vector.astype(np.float32)
            best = [int(index) for index in np.argsort(-cosines)[:_MAX_FOUND] if cosines[index] >= similarity]
            cursor = await connection.execute(
                "SELECT question, payload FROM anchorage.answer_cache WHERE scope = %s AND question = ANY(%s)",
                (slot.scope, [rows[index][0] for index in best]),
                binary=True,
            )
            found = {bytes(row[0]): row[1] for row in await cursor.fetchall()}
        return [found[key] for key in (bytes(rows[index][0]) for index in best) if key in found]

    async def keep(
        self, slot: Slot, vector: NDArray[Any] | None, payload: Payload, conversation_id: str | None = None
    ) -> None:
        data = None if vector is None else vector.astype("<f2").tobytes()
        async with connection_for(self._pool, "keeping an answer") as connection:
            await connection.execute(
                "INSERT INTO anchorage.answer_cache (scope, question, family, vector, payload, expires_at, conversation_id) "
                "SELECT %s, %s, %s, %s, %s, now() + make_interval(secs => %s), %s "
                "WHERE %s::text IS NULL OR EXISTS (SELECT FROM anchorage.conversations WHERE id = %s) "  # else deleted meanwhile
                "ON CONFLICT (scope, question) DO UPDATE SET vector = excluded.vector, payload = excluded.payload, "
                "expires_at = excluded.expires_at, conversation_id = excluded.conversation_id",
                (
                    slot.scope,
                    _hash_question(slot.question),
                    slot.family,
                    data,
                    Jsonb(payload),
                    self._ttl,
                    *[conversation_id] * 3,
                ),
            )
            await connection.execute(
                "DELETE FROM anchorage.answer_cache WHERE family = %s AND scope <> %s OR expires_at < now()",
                (slot.family, slot.scope),
            )
            self._kept += 1
            if self._kept % _TRIM_EVERY == 0:
                await connection.execute(
                    "DELETE FROM anchorage.answer_cache WHERE ctid IN "
                    "(SELECT ctid FROM anchorage.answer_cache ORDER BY expires_at DESC OFFSET %s)",
                    (self._max_entries,),
                )

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        """Nothing is left to do: the rows went with their conversations, and `keep` looks whether there is one."""


def _hash_question(question: str) -> bytes:
    return hashlib.sha256(question.encode("utf-8", "replace")).digest()
