"""Fixtures for all tiers: a real Postgres for the session, and a fresh migrated database for each test that asks for one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from anchorage.adapters.postgres.migrate import migrate
from anchorage.adapters.postgres.pool import Pool, open_pool

TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the developer's shell exports must not reach a test."""
    from anchorage.settings import WELL_KNOWN

    for name in list(os.environ):
        if name in WELL_KNOWN or name.startswith("ANCHORAGE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server; its databases are the tests' own."""
    folder = tmp_path_factory.mktemp("postgres")
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "support/postgres.py"), str(folder / "pg")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin and process.stdout
    url = process.stdout.readline().strip()
    assert url, "the embedded Postgres did not start"
    asyncio.run(_make_template(url))
    yield url
    process.stdin.close()
    process.stdout.close()
    assert process.wait(30) == 0


def with_database(url: str, name: str) -> str:
    return url.replace("@/anchorage?", f"@/{name}?")


async def _execute(url: str, statement: str) -> None:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        await connection.execute(statement)


async def _make_template(url: str) -> None:
    await _execute(url, "CREATE DATABASE template_anchorage")
    for family in ("vector", "state"):
        await migrate(with_database(url, "template_anchorage"), family)


@asynccontextmanager
async def _fresh(url: str, options: str = "") -> AsyncIterator[str]:
    name = f"t{uuid4().hex}"
    await _execute(url, f"CREATE DATABASE {name} {options}")
    yield with_database(url, name)
    await _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    """A database without anything in it."""
    async with _fresh(postgres_url) as url:
        yield url


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[str]:
    """A migrated database."""
    async with _fresh(postgres_url, "TEMPLATE template_anchorage") as url:
        yield url


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections to a migrated database."""
    async with open_pool(database, size=4, connect_timeout=5, statement_timeout=30, name="test") as opened:
        yield opened
