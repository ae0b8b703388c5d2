"""Which server runs on a data directory: it announces itself there, and proves that it is the one when it is asked."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from anchorage.settings.environment import Place, environment_values

FILE = "server.json"
_STORE: tuple[Place, ...] = (("database", "vector_url"), ("database", "state_url"))
_DATA: Place = ("data", "dir")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where a server that listens everywhere is met on this machine


@dataclass(frozen=True, slots=True)
class Running:
    """A server's announcement. `secret` is never sent; `settings` are what its environment says, as keyed hashes."""

    host: str
    port: int
    pid: int
    secret: str
    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def proof(self, challenge: str) -> str:
        """What only those who can read the file make of a challenge."""
        return _hash_with_key(self.secret, f"challenge {challenge}")

    def has_settings_of(self, mine: Mapping[Place, str]) -> bool:
        """Whether whoever has these settings may leave the work to this server: it was given the same, and the same databases."""
        hashes = _hash_settings(self.secret, mine)
        if any(self.settings.get(name) != value for name, value in hashes.items()):
            return False
        return all((".".join(place) in self.settings) == (".".join(place) in hashes) for place in _STORE)


def this_server(host: str, port: int) -> Running:
    """The announcement of the process that asks, which listens there; its secret is a new one."""
    secret = secrets.token_hex(32)
    return Running(_ANY.get(host, host), port, os.getpid(), secret, _hash_settings(secret, environment_values()))


@contextmanager
def announce(folder: Path, server: Running) -> Iterator[None]:
    """Announce a server in the data directory, to its owner alone, as long as the context lasts.

    Of several servers the last one to come is named, and when it ends the one before it, if that still runs.
    Raises `OSError` where it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = find_running(folder)
    _write(folder, server)
    try:
        yield
    finally:
        found = find_running(folder)
        if found and found.secret == server.secret:
            with suppress(OSError):
                if before and _is_alive(before.pid):
                    _write(folder, before)
                else:
                    (folder / FILE).unlink()


def _write(folder: Path, server: Running) -> None:
    new = folder / f".{FILE}.{secrets.token_hex(8)}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(asdict(server), file)
    new.replace(folder / FILE)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def find_running(folder: Path) -> Running | None:
    """The server that is announced in a data directory; it may have died since. What others may have written is not taken."""
    try:
        with (folder / FILE).open(encoding="utf-8") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
                return None
            server = Running(**json.load(file))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return server if _is_sound(server) else None


def _is_sound(server: Running) -> bool:
    """Whether each field is what it should be: a file can be damaged."""
    return (
        all(isinstance(text, str) and text for text in (server.host, server.secret))
        and type(server.port) is int
        and 0 < server.port < 1 << 16
        and type(server.pid) is int
        and server.pid > 0
        and isinstance(server.settings, dict)
    )


def _hash_settings(secret: str, values: Mapping[Place, str]) -> dict[str, str]:
    return {
        ".".join(place): _hash_with_key(secret, f"setting {value}") for place, value in values.items() if place != _DATA
    }


def _hash_with_key(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
