"""Starts, shares and stops the embedded Postgres.

Every process that uses it registers itself; the first one in starts the server, the last one out stops it. Starting and
stopping happen under a file lock. All processes watch the server, and whoever first sees it dead starts it again. What a
pid file says is believed only when /proc shows that process running Postgres on this very cluster.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any
from urllib.parse import quote

import psycopg
import structlog
from psycopg import AsyncConnection

from anchorage.adapters.postgres.embedded import users
from anchorage.adapters.postgres.embedded.cluster import (
    DATABASE,
    MAJOR,
    SOCKET_PORT,
    USER,
    Cluster,
    build_server_options,
    choose_account,
    find_programs,
    read_memory_limit,
)
from anchorage.adapters.postgres.embedded.privileges import Account
from anchorage.errors import ConfigurationError, DatabaseUnavailable

_log = structlog.get_logger(__name__)
_POLL = 0.03
_WATCH = 0.5
_STOP_TIMEOUT = 60
_LOG_LIMIT = 10 * 1024**2
_KEEPER = "anchorage.adapters.postgres.embedded.keeper"


@asynccontextmanager
async def open_embedded_postgres(
    folder: Path, *, port: int | None, start_timeout: float, environment: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run a server whose files are in `folder` as long as the context lasts, and yield its URL.

    `port` makes it listen on 127.0.0.1 too, with the password of the file `password`. Its processes get `environment`.
    Raises `ConfigurationError` when it cannot run here, `DatabaseUnavailable` when it does not start within `start_timeout` seconds.
    """
    if not Path("/proc/self/stat").exists():
        raise ConfigurationError(
            "The embedded Postgres needs Linux. Name a database with VECTOR_DB_URL and STATE_DB_URL on this system."
        )
    server = _Server(Cluster(folder.resolve()), find_programs(), port, start_timeout, environment or {})
    await asyncio.to_thread(server.make_folders)
    async with server.hold_lock():
        entry = users.register_use(server.cluster.users)
        try:
            await server.ensure_running()
        except BaseException:
            entry.unlink(missing_ok=True)
            raise
    watch = asyncio.create_task(server.watch())
    try:
        yield server.url
    finally:
        while not watch.done():
            # More than once: Python 3.11's `wait_for`, which psycopg waits with, can swallow a cancellation.
            watch.cancel()
            await asyncio.wait({watch}, timeout=1)
        async with server.hold_lock():
            entry.unlink(missing_ok=True)
            if users.count_living(server.cluster.users) == 0:
                await server.stop()


def find_server_pid(cluster: Cluster) -> int | None:
    """Find the pid of the running server; None when there is none, or the pid is another process's."""
    try:
        pid = int((cluster.data / "postmaster.pid").read_text("utf-8").splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    ours = Path(os.fsdecode(command[0])).name == "postgres" and os.fsencode(cluster.data) in command
    return pid if ours and users.read_start_time(pid) else None


@dataclass(frozen=True, slots=True)
class _Server:
    cluster: Cluster
    binaries: Path
    port: int | None
    start_timeout: float
    environment: Mapping[str, str]
    keepers: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Address over the Unix socket, which only this user and root can open."""
        query = f"host={quote(str(self.cluster.sockets), safe='')}&port={self._socket_port}"
        return f"postgresql://{USER}@/{DATABASE}?{query}"

    @property
    def _socket_port(self) -> int:
        """The port that names the socket: the running server's, which another process may have chosen."""
        with suppress(OSError, ValueError, IndexError):
            return int((self.cluster.data / "postmaster.pid").read_text("utf-8").splitlines()[3])
        return self.port or SOCKET_PORT

    def _read_port_before_crash(self) -> int | None:
        """The TCP port of a server that was killed: its users go on looking for it there."""
        with suppress(OSError, ValueError, IndexError):
            lines = (self.cluster.data / "postmaster.pid").read_text("utf-8").splitlines()
            return int(lines[3]) if lines[5].strip() else None
        return None

    def make_folders(self) -> None:
        """Make the folders that are missing; the modes of those that exist stay as they are."""
        folder = self.cluster.folder
        try:
            folder.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            # The server's user must get through, so 0711; what is inside is closed to it and all others.
            folder.mkdir(mode=0o711, exist_ok=True)
            self.cluster.users.mkdir(mode=0o700, exist_ok=True)
            for name in (self.cluster.lock, self.cluster.running):
                name.touch(mode=0o600)
        except PermissionError as error:
            raise ConfigurationError(
                f"The data directory {folder.parent} cannot be written by this user. Take another one with `--data DIR` or "
                "ANCHORAGE_DATA."
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"The data directory {folder.parent} cannot be made: {error.strerror}. Take another one with `--data DIR` or "
                "ANCHORAGE_DATA."
            ) from error

    @asynccontextmanager
    async def hold_lock(self) -> AsyncIterator[None]:
        """Hold the lock: nobody else starts or stops the server meanwhile. The kernel frees the lock of a killed process."""
        with self.cluster.lock.open("rb") as file:
            await self._acquire_lock(file, "Another process has been starting or stopping it")
            yield

    async def _acquire_lock(self, file: Any, trouble: str) -> None:
        def try_lock() -> bool:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            return False

        await self._wait_until(try_lock, self.start_timeout, trouble)

    async def _wait_until(self, condition: Callable[[], bool], seconds: float, trouble: str) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            if asyncio.get_running_loop().time() > deadline:
                raise DatabaseUnavailable(
                    f"The embedded Postgres in {self.cluster.folder} is not ready: {trouble} for more than {seconds:.0f} s. "
                    f"See {self.cluster.log}."
                )
            await asyncio.sleep(_POLL)

    async def ensure_running(self) -> None:
        """Start the server unless it runs. The caller holds the lock."""
        while find_server_pid(self.cluster) is not None:
            if self.port and self._socket_port != self.port:
                raise ConfigurationError(
                    f"The embedded Postgres in {self.cluster.folder} runs already, without TCP port {self.port}. Stop the "
                    "processes that use it, then start this one first (ANCHORAGE_DATABASE__EMBEDDED_PORT)."
                )
            if await self._wait_until_ready(lambda: find_server_pid(self.cluster) is not None):
                return
        account = choose_account(self.cluster, self.binaries)
        with self.cluster.running.open("rb") as running:
            # Killed, the server leaves children that go on for a moment; two servers on one cluster would destroy it.
            await self._acquire_lock(running, "processes of an earlier server, or of one in another container, hold it")
            port = self.port or self._read_port_before_crash()
            (self.cluster.data / "postmaster.pid").unlink(missing_ok=True)
            if not self.cluster.data.exists():
                await self._initialise_cluster(account)
            self._check_version()
            self._make_socket_folder(account)
            keeper = self._launch_keeper(account, running.fileno(), port)
            self.keepers.add(keeper)
        if not await self._wait_until_ready(lambda: os.waitpid(keeper, os.WNOHANG)[0] == 0):
            raise DatabaseUnavailable(
                f"The embedded Postgres in {self.cluster.folder} did not start: {self._read_last_words()}"
            )
        await self._make_database()

    def _check_version(self) -> None:
        try:
            found = (self.cluster.data / "PG_VERSION").read_text("utf-8").strip()
        except OSError as error:
            raise ConfigurationError(
                f"{self.cluster.data} is not a Postgres cluster that can be read: {error.strerror}. Move it away to start "
                "empty, or take another data directory with `--data DIR`."
            ) from error
        if found != MAJOR:
            raise ConfigurationError(
                f"{self.cluster.data} was made by Postgres {found}, and this release brings {MAJOR}. Use the release that "
                "made it, or take another data directory with `--data DIR`."
            )

    async def _initialise_cluster(self, account: Account) -> None:
        """Make an empty cluster. It is made under another name first, so that a killed start leaves no half-made one."""
        for leftover in self.cluster.folder.glob(f"{MAJOR}.*.new"):
            await asyncio.to_thread(rmtree, leftover)
        for leftover in self.cluster.folder.glob(f"{MAJOR}.*.password"):
            leftover.unlink()
        fresh = self.cluster.folder / f"{MAJOR}.{os.getpid()}.new"
        fresh.mkdir(mode=0o700)
        secret = fresh.with_suffix(".password")
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24), "utf-8")
        if os.geteuid() == 0:
            for path in (fresh, secret):
                os.chown(path, account.uid, account.gid)
        command = [
            str(self.binaries / "initdb"), "-D", str(fresh), f"--username={USER}", f"--pwfile={secret}", "--encoding=UTF8",
            "--locale-provider=builtin", "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256",
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *self._build_keeper_command(account, command, once=True), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd="/", env=self.environment,
        )  # fmt: skip
        _, errors = await process.communicate()
        if process.returncode:
            await asyncio.to_thread(rmtree, fresh, ignore_errors=True)
            secret.unlink(missing_ok=True)
            reason = " ".join(errors.decode(errors="replace").split())[-400:]
            raise ConfigurationError(f"An empty Postgres cluster could not be made in {self.cluster.folder}: {reason}")
        if os.geteuid() == 0:
            os.chown(secret, 0, 0)
        secret.replace(self.cluster.password)
        fresh.replace(self.cluster.data)

    def _make_socket_folder(self, account: Account) -> None:
        folder = self.cluster.sockets
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
        if os.geteuid() == 0 and state.st_uid in (0, account.uid):
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        elif state.st_uid != os.geteuid():
            raise ConfigurationError(
                f"{folder} belongs to another user. Remove it, or take a data directory with a shorter path."
            )
        for name in folder.glob(".s.PGSQL.*"):
            name.unlink(missing_ok=True)

    def _build_keeper_command(self, account: Account, run: list[str], *, once: bool) -> list[str]:
        order = {
            "account": [account.uid, account.gid, account.capability],
            "lock": str(self.cluster.lock),
            "users": str(self.cluster.users),
            "run": run,
            "once": once,
        }
        return [sys.executable, "-P", "-m", _KEEPER, json.dumps(order)]

    def _launch_keeper(self, account: Account, running: int, port: int | None) -> int:
        """Start keeper and server in a session of their own, with the lock `running`; returns the keeper's pid."""
        run = [str(self.binaries / "postgres"), "-D", str(self.cluster.data),
               *build_server_options(self.cluster, port, read_memory_limit())]  # fmt: skip
        with suppress(FileNotFoundError):
            if self.cluster.log.stat().st_size > _LOG_LIMIT:
                self.cluster.log.replace(self.cluster.log.with_suffix(".log.1"))
        os.set_inheritable(running, True)
        # Not `subprocess`: the keeper outlives this process when others use the server.
        return os.posix_spawn(
            sys.executable, self._build_keeper_command(account, run, once=False), self.environment, setsid=True, file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.cluster.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )  # fmt: skip

    async def _wait_until_ready(self, alive: Callable[[], bool]) -> bool:
        """Wait until the server takes connections: after a crash it recovers first, which can take minutes.

        False when it ends instead.
        """
        deadline = asyncio.get_running_loop().time() + self.start_timeout
        while True:
            try:
                connection = await AsyncConnection.connect(self._maintenance_url, connect_timeout=5)
            except psycopg.OperationalError as error:
                if not alive():
                    return False
                if asyncio.get_running_loop().time() > deadline:
                    raise DatabaseUnavailable(
                        f"The embedded Postgres in {self.cluster.folder} was not ready within {self.start_timeout:.0f} s "
                        f"(ANCHORAGE_DATABASE__EMBEDDED_START_TIMEOUT). See {self.cluster.log}."
                    ) from error
                await asyncio.sleep(_POLL)
            else:
                await connection.close()
                return True

    @property
    def _maintenance_url(self) -> str:
        return self.url.replace(f"@/{DATABASE}?", "@/postgres?")

    def _read_last_words(self) -> str:
        try:
            lines = self.cluster.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return f"see {self.cluster.log}."
        errors_told = [line for line in lines[-40:] if "FATAL" in line or "HINT" in line or "cannot be run" in line]
        return " ".join((errors_told or lines)[-2:]) + f" See {self.cluster.log}."

    async def _make_database(self) -> None:
        connection = await AsyncConnection.connect(self._maintenance_url, autocommit=True)
        async with connection:
            with suppress(psycopg.errors.DuplicateDatabase):
                await connection.execute(f"CREATE DATABASE {DATABASE}")

    async def watch(self) -> None:
        """Start the server again whenever it is found dead."""
        while True:
            await asyncio.sleep(_WATCH)
            self._reap_keepers()
            if find_server_pid(self.cluster) is not None:
                continue
            try:
                async with self.hold_lock():
                    if find_server_pid(self.cluster) is None:
                        _log.warning("embedded_postgres_restarted", folder=str(self.cluster.folder))
                    await self.ensure_running()
            except (ConfigurationError, DatabaseUnavailable, OSError, psycopg.Error) as error:
                _log.error("embedded_postgres_down", reason=str(error))

    def _reap_keepers(self) -> None:
        """Reap keepers that have ended; they are this process's children."""
        for keeper in list(self.keepers):
            with suppress(ChildProcessError):
                if os.waitpid(keeper, os.WNOHANG)[0] == 0:
                    continue
            self.keepers.discard(keeper)

    async def stop(self) -> None:
        """End the server and wait until all its processes are gone. The caller holds the lock."""
        pid = find_server_pid(self.cluster)
        if pid is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            with suppress(DatabaseUnavailable):
                await self._wait_until(lambda: find_server_pid(self.cluster) is None, _STOP_TIMEOUT, "it does not stop")
                break
        if self.cluster.sockets.parent != self.cluster.folder:
            with suppress(OSError):
                self.cluster.sockets.rmdir()
