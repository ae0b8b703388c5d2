"""The registry of sources in Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.errors import NotFound
from anchorage.model import Failure, Principal, RegisteredSource

_COLUMNS = (
    "id::text, owner, collection, location, options, interval_seconds, status, error_code, error_message, report, synced_at, "
    "next_sync_at"
)


class PostgresRegistry:
    """Implements the `SourceRegistry` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(
        self, principal: Principal, collection: str, location: str, options: Mapping[str, Any], interval: int | None
    ) -> RegisteredSource:
        async with connection_for(self._pool, "registering a source") as connection:
            cursor = await connection.execute(
                "INSERT INTO anchorage.sources (owner, collection, location, options, interval_seconds, next_sync_at) "
                "VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s::int)) "
                "ON CONFLICT (owner, collection, location) DO UPDATE SET options = excluded.options, "
                "interval_seconds = excluded.interval_seconds, next_sync_at = excluded.next_sync_at "
                f"RETURNING {_COLUMNS}",
                (principal.id, collection, location, Jsonb(dict(options)), interval, interval),
            )
            row = await cursor.fetchone()
        assert row is not None
        return _build_source(row)

    async def sources(self, principal: Principal) -> Sequence[RegisteredSource]:
        return await self._select_sources("owner = %s ORDER BY created_at, id", (principal.id,))

    async def source(self, principal: Principal, source_id: str) -> RegisteredSource:
        try:
            found = await self._select_sources("owner = %s AND id = %s", (principal.id, UUID(source_id)))
        except ValueError:
            found = []
        if not found:
            raise _make_not_found(source_id)
        return found[0]

    async def remove(self, principal: Principal, source_id: str) -> None:
        source = await self.source(principal, source_id)
        async with connection_for(self._pool, "removing a source") as connection:
            await connection.execute("DELETE FROM anchorage.sources WHERE id = %s", (source.id,))

    async def due(self) -> Sequence[RegisteredSource]:
        async with connection_for(self._pool, "looking for due sources") as connection:
            cursor = await connection.execute(
                "UPDATE anchorage.sources SET next_sync_at = now() + make_interval(secs => interval_seconds) "
                f"WHERE next_sync_at <= now() AND interval_seconds IS NOT NULL RETURNING {_COLUMNS}"
            )
            return [_build_source(row) for row in await cursor.fetchall()]

    async def note(
        self, source_id: str, status: str, failure: Failure | None = None, report: Mapping[str, Any] | None = None
    ) -> None:
        async with connection_for(self._pool, "noting a sync") as connection:
            await connection.execute(
                "UPDATE anchorage.sources SET status = %s, error_code = %s, error_message = %s, "
                "report = coalesce(%s, report), synced_at = CASE WHEN %s THEN now() ELSE synced_at END WHERE id = %s",
                (status, failure.code if failure else None, failure.message if failure else None,
                 Jsonb(dict(report)) if report is not None else None, status == "synced", source_id),
            )  # fmt: skip

    async def _select_sources(self, condition: str, parameters: Sequence[Any]) -> list[RegisteredSource]:
        async with connection_for(self._pool, "reading the sources") as connection:
            cursor = await connection.execute(f"SELECT {_COLUMNS} FROM anchorage.sources WHERE {condition}", parameters)
            return [_build_source(row) for row in await cursor.fetchall()]


def _build_source(row: Sequence[Any]) -> RegisteredSource:
    error = Failure(row[7], row[8] or "") if row[7] else None
    values: list[Any] = [*row[:7], error, *row[9:]]
    return RegisteredSource(*values)


def _make_not_found(source_id: str) -> NotFound:
    return NotFound(f"No source {source_id[:80]!r} of yours. `anchorage sources list` and GET /api/sources show them.")
