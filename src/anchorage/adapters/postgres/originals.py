"""Original bytes that something has let go of: noted until they are deleted, or needed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection


async def blobs_in_use(connection: AsyncConnection[Any], keys: Sequence[str]) -> set[str]:
    """Those of the keys whose bytes a job that has not ended needs, or one that could be retried."""
    cursor = await connection.execute(
        "SELECT DISTINCT blob_key FROM anchorage.jobs WHERE blob_key = ANY(%s) AND status <> 'done'", (list(keys),)
    )
    return {row[0] for row in await cursor.fetchall()}


async def forget_blobs(connection: AsyncConnection[Any], keys: Sequence[str]) -> None:
    """Note that something has let go of these bytes."""
    await connection.execute(
        "INSERT INTO anchorage.forgotten_blobs (key) SELECT unnest(%s::text[]) ON CONFLICT (key) DO UPDATE SET since = now()",
        (sorted(keys),),
    )


async def forgotten_blobs(connection: AsyncConnection[Any], seconds: float) -> list[str]:
    """The keys that were let go of so long ago. They stay noted until `swept`: what deletes them may fail."""
    cursor = await connection.execute(
        "SELECT key FROM anchorage.forgotten_blobs WHERE since <= now() - make_interval(secs => %s) ORDER BY key",
        (seconds,),
    )
    return [row[0] for row in await cursor.fetchall()]


async def swept(connection: AsyncConnection[Any], keys: Sequence[str], seconds: float) -> None:
    """Note these no more, but for those that were let go of again meanwhile."""
    await connection.execute(
        "DELETE FROM anchorage.forgotten_blobs WHERE key = ANY(%s) AND since <= now() - make_interval(secs => %s)",
        (list(keys), seconds),
    )


async def of_ended_jobs(connection: AsyncConnection[Any], days: float) -> list[str]:
    """Forget jobs that ended so many days ago; returns the keys of the bytes that they were about."""
    cursor = await connection.execute(
        "DELETE FROM anchorage.jobs WHERE id IN (SELECT id FROM anchorage.jobs WHERE finished_at < now() - make_interval(secs => %s) "
        "AND status IN ('done', 'failed', 'cancelled') LIMIT 5000) RETURNING blob_key",
        (days * 86400,),
    )
    return sorted({row[0] for row in await cursor.fetchall() if row[0]})
