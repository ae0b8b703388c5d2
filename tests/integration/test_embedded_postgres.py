"""The supervisor of the embedded Postgres: sharing, killing, users, ports, odd folders."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from anchorage.adapters.postgres.embedded import users
from anchorage.adapters.postgres.embedded.cluster import (
    Cluster,
    build_server_options,
    choose_account,
    find_programs,
    read_memory_limit,
)
from anchorage.adapters.postgres.embedded.supervisor import find_server_pid, open_embedded_postgres
from anchorage.errors import ConfigurationError, DatabaseUnavailable

HOLDER = Path(__file__).parents[1] / "support/postgres.py"
DEADLINE = 40


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "data" / "postgres"
    yield place
    until(lambda: find_server_pid(Cluster(place)) is None, "the server to stop")


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE} s for {what}"
        time.sleep(0.02)


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server; returns when it is up."""
    process = subprocess.Popen(
        [sys.executable, str(HOLDER), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().startswith("postgresql://")
    return process


async def release(process: subprocess.Popen[str]) -> None:
    """In a thread: this process watches the server too, and may hold the lock that the other one waits for."""
    try:
        await asyncio.to_thread(process.communicate, timeout=DEADLINE)
    finally:
        if process.poll() is None:
            process.kill()
            await asyncio.to_thread(process.communicate)
    assert process.returncode == 0


async def query(url: str, statement: str = "SELECT 1") -> object:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        cursor = await connection.execute(statement)
        return (await cursor.fetchone() or (None,))[0] if cursor.description else None


async def eventually(url: str, statement: str = "SELECT 1") -> object:
    """The answer as soon as the server gives one."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            return await query(url, statement)
        except psycopg.OperationalError:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)


async def test_the_last_one_out_stops_it(folder: Path) -> None:
    async with open_embedded_postgres(folder, port=None, start_timeout=60) as url:
        assert await query(url) == 1
        pid = find_server_pid(Cluster(folder))
        other = await asyncio.to_thread(hold, folder)
        assert find_server_pid(Cluster(folder)) == pid
    assert find_server_pid(Cluster(folder)) == pid
    await release(other)
    assert find_server_pid(Cluster(folder)) is None
    assert not list((folder / "users").iterdir())


async def test_many_starters_share_one_server(folder: Path) -> None:
    processes = await asyncio.gather(*(asyncio.to_thread(hold, folder) for _ in range(4)))
    assert find_server_pid(Cluster(folder)) is not None
    for process in processes:
        await release(process)
    assert find_server_pid(Cluster(folder)) is None


@pytest.mark.slow
async def test_a_killed_user_is_pruned_and_the_server_is_not_left_behind(folder: Path) -> None:
    victim = await asyncio.to_thread(hold, folder)
    victim.kill()
    victim.communicate()
    await asyncio.to_thread(
        until, lambda: find_server_pid(Cluster(folder)) is None, "the keeper to stop the unused server"
    )


@pytest.mark.slow
async def test_a_killed_server_comes_back_for_all_with_its_data(folder: Path) -> None:
    async with open_embedded_postgres(folder, port=None, start_timeout=60) as url:
        other = await asyncio.to_thread(hold, folder)
        await query(url, "CREATE TABLE t AS SELECT 7 AS x")
        first = find_server_pid(Cluster(folder))
        assert first
        for number in (signal.SIGKILL, signal.SIGQUIT):
            pid = find_server_pid(Cluster(folder))
            assert pid
            os.kill(pid, number)
            await asyncio.to_thread(
                until, lambda old=pid: find_server_pid(Cluster(folder)) not in (None, old), "a new server"
            )
            assert await eventually(url, "SELECT x FROM t") == 7
        await release(other)


@pytest.mark.slow
async def test_everybody_killed_is_survived(folder: Path) -> None:
    victim = await asyncio.to_thread(hold, folder)
    pid = find_server_pid(Cluster(folder))
    assert pid
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for number in (parent, pid, victim.pid):
        os.kill(number, signal.SIGKILL)
    victim.communicate()
    async with open_embedded_postgres(folder, port=None, start_timeout=60) as url:
        assert await query(url) == 1


async def test_a_reused_pid_is_neither_trusted_nor_signalled(folder: Path) -> None:
    async with open_embedded_postgres(folder, port=None, start_timeout=60):
        pass
    bystander = subprocess.Popen(["sleep", "600"])
    (folder / "18" / "postmaster.pid").write_text(f"{bystander.pid}\n{folder / '18'}\n0\n5432\n{folder / 'run'}\n\n\n")
    (folder / "users" / f"{bystander.pid}.1.stale").touch()
    try:
        assert find_server_pid(Cluster(folder)) is None
        async with open_embedded_postgres(folder, port=None, start_timeout=60) as url:
            assert await query(url) == 1
        assert bystander.poll() is None
        assert not list((folder / "users").iterdir())
    finally:
        bystander.kill()
        bystander.wait()


async def test_tcp_by_setting_with_the_password(folder: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with open_embedded_postgres(folder, port=port, start_timeout=60):
        password = (folder / "password").read_text()
        assert (folder / "password").stat().st_mode & 0o077 == 0
        assert await query(f"postgresql://anchorage:{password}@127.0.0.1:{port}/anchorage") == 1
        with pytest.raises(psycopg.OperationalError):
            await query(f"postgresql://anchorage:wrong@127.0.0.1:{port}/anchorage")
    async with open_embedded_postgres(folder, port=None, start_timeout=60):
        with pytest.raises(psycopg.OperationalError):
            await query(f"postgresql://anchorage:{password}@127.0.0.1:{port}/anchorage")
        with pytest.raises(ConfigurationError, match="EMBEDDED_PORT"):
            async with open_embedded_postgres(folder, port=port, start_timeout=60):
                pass


async def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "postgres"
    async with open_embedded_postgres(folder, port=None, start_timeout=60) as url:
        assert await query(url) == 1
    assert not Cluster(folder).sockets.exists()


async def test_nothing_but_the_folder_is_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    async with open_embedded_postgres(tmp_path / "d" / "postgres", port=None, start_timeout=60):
        pass
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


async def test_a_cluster_of_another_version_or_a_broken_one_is_refused(folder: Path) -> None:
    async with open_embedded_postgres(folder, port=None, start_timeout=60):
        pass
    (folder / "18" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match="Postgres 17"):
        async with open_embedded_postgres(folder, port=None, start_timeout=60):
            pass
    (folder / "18" / "PG_VERSION").write_text("18\n")
    (folder / "18" / "global" / "pg_control").rename(folder / "pg_control")
    with pytest.raises(DatabaseUnavailable, match=r"pg_control|server\.log"):
        async with open_embedded_postgres(folder, port=None, start_timeout=60):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
async def test_as_root_the_server_is_somebody_else(folder: Path) -> None:
    async with open_embedded_postgres(folder, port=None, start_timeout=60) as url:
        pid = find_server_pid(Cluster(folder))
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        assert await query(url) == 1


async def test_somebody_elses_cluster_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_embedded_postgres(folder, port=None, start_timeout=60):
        pass
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(ConfigurationError, match="--data DIR"):
        choose_account(Cluster(folder), find_programs())


def test_memory_follows_the_machine(tmp_path: Path) -> None:
    def shared(memory: int) -> str:
        options = build_server_options(Cluster(tmp_path), None, memory)
        return next(option for option in options if option.startswith("shared_buffers"))

    assert shared(256 * 1024**2) == "shared_buffers=32MB"
    assert shared(64 * 1024**3) == "shared_buffers=1024MB"
    assert read_memory_limit() > 0


def test_users_are_believed_only_while_they_live(tmp_path: Path) -> None:
    entry = users.register_use(tmp_path)
    (tmp_path / f"{os.getpid()}.1.aaaa").touch()
    (tmp_path / "999999999.1.bbbb").touch()
    assert users.count_living(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [entry]
