"""Ordered, forward-only migrations: ours from `sql/<family>/*.sql`, and procrastinate's own.

Starters take turns by an advisory lock that they *poll* for: a session that waits inside `pg_advisory_lock` holds a
snapshot, and CREATE INDEX CONCURRENTLY, waiting for that snapshot, would deadlock with it.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib.resources import files
from typing import Any, Literal

from psycopg import AsyncConnection, OperationalError

from anchorage.adapters.postgres.pool import translate_errors
from anchorage.errors import ConfigurationError, Conflict, DatabaseUnavailable

Family = Literal["vector", "state"]

_LOCK = 20760
_POSTGRES = 15
_PGVECTOR = (0, 8)  # iterative scans
_POLL = 0.1
_QUEUE_SCHEMA = "procrastinate"
_TABLE = """
CREATE TABLE IF NOT EXISTS anchorage.migrations (
    family text NOT NULL, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (family, name)
)
"""


def _list_steps(family: Family) -> list[tuple[str, str]]:
    """List (name, SQL) of every migration of a family, in order."""
    folder = files("anchorage.adapters.postgres").joinpath("sql", family)
    steps = sorted((item.name, item.read_text("utf-8")) for item in folder.iterdir() if item.name.endswith(".sql"))
    return [*steps, *_list_queue_steps()] if family == "state" else steps


def _list_queue_steps() -> list[tuple[str, str]]:
    """The schema of procrastinate, in a Postgres schema of its own.

    Its release is pinned; a later one adds its own migration files (`procrastinate/sql/migrations`) as steps here.
    """
    from procrastinate.schema import SchemaManager

    prelude = f"CREATE SCHEMA IF NOT EXISTS {_QUEUE_SCHEMA}; SET LOCAL search_path TO {_QUEUE_SCHEMA};\n"
    return [("procrastinate-3.10", prelude + SchemaManager.get_schema())]


async def _connect(url: str, family: Family, timeout: float) -> AsyncConnection[Any]:
    with translate_errors("migrating the database"):
        try:
            return await AsyncConnection.connect(url, autocommit=True, application_name="anchorage-migrate",
                                                 connect_timeout=max(2, int(timeout)))  # fmt: skip
        except OperationalError as error:
            # Further lines repeat this for each address. libpq names host and user there, never the password.
            reason = (str(error).strip().splitlines() or ["no answer"])[0].rstrip(".")
            raise DatabaseUnavailable(
                f"The database of {family.upper()}_DB_URL cannot be reached: {reason}. Check its address, user and password, and that "
                "it takes connections from here; `anchorage doctor` tells more."
            ) from error


async def migrate(url: str, family: Family, *, timeout: float = 300) -> int:
    """Apply the missing migrations and return their number. Any number of processes may run this at once.

    Raises `ConfigurationError` when Postgres or pgvector is too old, or the text of an applied migration has changed since,
    `Conflict` when another starter holds the lock for longer than `timeout` seconds, `DatabaseUnavailable` when Postgres does not answer.
    """
    connection = await _connect(url, family, 10)
    async with connection:
        with translate_errors("migrating the database"):
            await _check_versions(connection, family)
            await _take_lock(connection, timeout)
            try:
                return await _apply_steps(connection, family)
            finally:
                if not connection.closed:
                    await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def _check_versions(connection: AsyncConnection[Any], family: Family) -> None:
    if connection.info.server_version < _POSTGRES * 10_000:
        raise ConfigurationError(
            f"This database is Postgres {connection.info.server_version // 10_000}, and Anchorage needs {_POSTGRES} or later. "
            f"Upgrade it, or name another one with {family.upper()}_DB_URL."
        )
    if family == "state":
        return
    cursor = await connection.execute(
        "SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = 'vector'"
    )
    row = await cursor.fetchone()
    if row is None:
        raise ConfigurationError(
            "This database server has no pgvector. Install it there (Debian: postgresql-NN-pgvector; most hosted ones only "
            "need it allowed), or name another database with VECTOR_DB_URL."
        )
    if tuple(int(part) for part in str(row[0]).split(".")[:2]) < _PGVECTOR:
        raise ConfigurationError(
            f"This database has pgvector {row[0]}, and Anchorage needs {'.'.join(map(str, _PGVECTOR))} or later. Upgrade it there "
            "(then `ALTER EXTENSION vector UPDATE`), or name another database with VECTOR_DB_URL."
        )


async def _take_lock(connection: AsyncConnection[Any], timeout: float) -> None:
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        row = await cursor.fetchone()
        if row and row[0]:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict(
                f"Another process has been migrating this database for more than {timeout:.0f} s. Wait for it, or end its "
                "session (application_name `anchorage-migrate` in pg_stat_activity), then start again."
            )
        await asyncio.sleep(_POLL)


async def _apply_steps(connection: AsyncConnection[Any], family: Family) -> int:
    await connection.execute("CREATE SCHEMA IF NOT EXISTS anchorage")
    await connection.execute(_TABLE)
    applied = await _read_applied(connection, family)
    count = 0
    for name, statements in _list_steps(family):
        digest = hashlib.sha256(statements.encode()).hexdigest()
        if name in applied:
            if applied[name] != digest:
                raise ConfigurationError(
                    f"The migration {family}/{name} was applied with another text than this release has. Run the release "
                    "that made this database, or start with an empty one."
                )
            continue
        async with connection.transaction():
            await connection.execute(statements.encode())
            await connection.execute(
                "INSERT INTO anchorage.migrations (family, name, sha256) VALUES (%s, %s, %s)", (family, name, digest)
            )
        count += 1
    return count


async def _read_applied(connection: AsyncConnection[Any], family: Family) -> dict[str, str]:
    cursor = await connection.execute("SELECT name, sha256 FROM anchorage.migrations WHERE family = %s", (family,))
    return dict(await cursor.fetchall())


async def list_pending(url: str, family: Family) -> list[str]:
    """List the names of the steps that `migrate` would apply. Raises `ConfigurationError` when the server is too old."""
    connection = await _connect(url, family, 5)
    async with connection:
        with translate_errors("reading the applied migrations"):
            await _check_versions(connection, family)
            cursor = await connection.execute("SELECT to_regclass('anchorage.migrations') IS NOT NULL")
            row = await cursor.fetchone()
            applied = await _read_applied(connection, family) if row and row[0] else {}
    return [name for name, _ in _list_steps(family) if name not in applied]
