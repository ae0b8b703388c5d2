"""Originals that nothing refers to any more: recorded until they are deleted, or needed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection


async def find_blobs_in_use(connection: AsyncConnection[Any], keys: Sequence[str]) -> set[str]:
    """Find the keys whose bytes a job still needs: one that has not ended, or could be retried."""
    cursor = await connection.execute(
        "SELECT DISTINCT blob_key FROM anchorage.jobs WHERE blob_key = ANY(%s) AND status <> 'done'", (list(keys),)
    )
    return {row[0] for row in await cursor.fetchall()}


async def forget_blobs(connection: AsyncConnection[Any], keys: Sequence[str]) -> None:
    """Record that something no longer refers to these bytes."""
    await connection.execute(
        "INSERT INTO anchorage.forgotten_blobs (key) SELECT unnest(%s::text[]) ON CONFLICT (key) DO UPDATE SET since = now()",
        (sorted(keys),),
    )


async def find_forgotten_blobs(connection: AsyncConnection[Any], seconds: float) -> list[str]:
    """Find the keys that were forgotten so long ago. They stay recorded until `clear_forgotten_blobs`: their deletion may fail."""
    cursor = await connection.execute(
        "SELECT key FROM anchorage.forgotten_blobs WHERE since <= now() - make_interval(secs => %s) ORDER BY key",
        (seconds,),
    )
    return [row[0] for row in await cursor.fetchall()]


async def clear_forgotten_blobs(connection: AsyncConnection[Any], keys: Sequence[str], seconds: float) -> None:
    """Remove the records of these keys, except those that were forgotten again meanwhile."""
    await connection.execute(
        "DELETE FROM anchorage.forgotten_blobs WHERE key = ANY(%s) AND since <= now() - make_interval(secs => %s)",
        (list(keys), seconds),
    )


async def delete_ended_jobs(connection: AsyncConnection[Any], days: float) -> list[str]:
    """Delete jobs that ended so many days ago; returns the keys of their originals."""
    cursor = await connection.execute(
        "DELETE FROM anchorage.jobs WHERE id IN (SELECT id FROM anchorage.jobs WHERE finished_at < now() - make_interval(secs => %s) "
        "AND status IN ('done', 'failed', 'cancelled') LIMIT 5000) RETURNING blob_key",
        (days * 86400,),
    )
    return sorted({row[0] for row in await cursor.fetchall() if row[0]})
