"""Migrations: many starters, changed texts, concurrently made indexes."""

import asyncio

import psycopg
import pytest

from anchorage.adapters.postgres.migrate import list_pending, migrate
from anchorage.errors import ConfigurationError, DatabaseUnavailable


async def test_eight_starters_on_an_empty_database(empty_database: str) -> None:
    async def start() -> int:
        return await migrate(empty_database, "vector") + await migrate(empty_database, "state")

    assert await list_pending(empty_database, "state")
    counts = await asyncio.gather(*(start() for _ in range(8)))
    assert sum(counts) == max(sum(counts), 4)
    assert await migrate(empty_database, "vector") == 0
    assert not await list_pending(empty_database, "vector") and not await list_pending(empty_database, "state")


async def test_a_waiting_starter_does_not_deadlock_with_create_index_concurrently(empty_database: str) -> None:
    holder = await psycopg.AsyncConnection.connect(empty_database, autocommit=True)
    async with holder:
        await holder.execute("CREATE TABLE t (x int)")
        await holder.execute("SELECT pg_advisory_lock(20760)")
        waiting = asyncio.create_task(migrate(empty_database, "vector"))
        await holder.execute("SET statement_timeout = '10s'")
        for _ in range(3):
            await holder.execute("CREATE INDEX CONCURRENTLY i ON t (x)")
            await holder.execute("DROP INDEX i")
        assert not waiting.done()
        await holder.execute("SELECT pg_advisory_unlock(20760)")
        assert await waiting > 0


async def test_a_changed_migration_is_refused(database: str) -> None:
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    async with connection:
        await connection.execute("UPDATE anchorage.migrations SET sha256 = 'x' WHERE family = 'vector'")
    with pytest.raises(ConfigurationError, match="another text"):
        await migrate(database, "vector")


@pytest.mark.parametrize(("name", "least"), [("_POSTGRES", 99), ("_PGVECTOR", (9, 9))])
async def test_too_old_a_server_is_refused_before_anything_changes(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, name: str, least: object
) -> None:
    waiting = await list_pending(empty_database, "vector")
    with monkeypatch.context() as patch:
        patch.setattr(f"anchorage.adapters.postgres.migrate.{name}", least)
        for look in (migrate, list_pending):  # who waits for somebody to migrate is told, too
            with pytest.raises(ConfigurationError, match=r"needs 9.* or later\. Upgrade it"):
                await look(empty_database, "vector")
    assert await list_pending(empty_database, "vector") == waiting


async def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"STATE_DB_URL cannot be reached: .*port 1 failed") as told:
        await list_pending("postgresql://a:hidden@127.0.0.1:1/a", "state")
    assert "hidden" not in told.value.message
