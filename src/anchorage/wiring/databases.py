"""The two databases: where they are, their schema and their pools. Whoever only migrates loads nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from anchorage.adapters.postgres.migrate import Family, list_pending, migrate
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.settings import Settings, build_child_environment


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """Connection strings; they may hold passwords, so they have no representation."""

    vector: str
    state: str

    def __repr__(self) -> str:
        return "DatabaseUrls(********)"


@asynccontextmanager
async def open_databases(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """The two databases' URLs, with an embedded Postgres running for as long as one of them is not set."""
    database = settings.database
    vector = database.vector_url.get_secret_value() if database.vector_url else None
    state = database.state_url.get_secret_value() if database.state_url else None
    if vector and state:
        yield DatabaseUrls(vector, state)
        return
    from anchorage.adapters.postgres.embedded.supervisor import open_embedded_postgres

    async with open_embedded_postgres(
        settings.data.dir / "postgres",
        port=database.embedded_port,
        start_timeout=database.embedded_start_timeout,
        environment=build_child_environment(),
    ) as url:
        yield DatabaseUrls(vector or url, state or url)


async def migrate_databases(urls: DatabaseUrls) -> int:
    """Bring both databases up to this release; returns how many steps that took."""
    return await migrate(urls.vector, "vector") + await migrate(urls.state, "state")


async def pending_migrations(urls: DatabaseUrls) -> list[str]:
    """The names of the steps that `migrate_databases` would take."""
    families: list[tuple[str, Family]] = [(urls.vector, "vector"), (urls.state, "state")]
    return [f"{family}/{name}" for url, family in families for name in await list_pending(url, family)]


async def open_pools(settings: Settings, urls: DatabaseUrls, stack: AsyncExitStack) -> tuple[Pool, Pool]:
    """One pool for each database; one for both where they are the same."""
    database = settings.database

    async def pool(url: str, name: str) -> Pool:
        return await stack.enter_async_context(
            open_pool(
                url,
                size=database.pool_size,
                connect_timeout=database.connect_timeout,
                statement_timeout=database.statement_timeout,
                name=name,
            )
        )

    vector = await pool(urls.vector, "anchorage-vector")
    return vector, vector if urls.state == urls.vector else await pool(urls.state, "anchorage-state")
