"""The server's parent: starts it as its own user, and stops it when the last process that used it was killed.

    python -m anchorage.adapters.postgres.embedded.keeper '{"lock": ..., "users": ..., "account": [uid, gid, cap], "run": [...]}'

With `"once": true` it runs a program as that user and ends with its exit code. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from anchorage.adapters.postgres.embedded.privileges import Account, become_account
from anchorage.adapters.postgres.embedded.users import count_living

_POLL = 1.0
_UNUSED = 5.0  # seconds without a living user before the server is stopped


def _execute_as(account: Account, run: list[str]) -> NoReturn:
    try:
        become_account(account)
        os.umask(0o077)
        os.execv(run[0], run)  # noqa: S606  no shell is wanted
    except OSError as error:
        print(f"{run[0]} cannot be run as uid {account.uid}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(126)


def _stop_server_if_unused(lock: Path, users: Path, server: int) -> None:
    """Ask the server to end, unless somebody is about to use it."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if count_living(users) == 0:
            os.kill(server, signal.SIGINT)  # "fast": ends the sessions, writes a checkpoint
            with contextlib.suppress(ChildProcessError):
                os.waitpid(server, 0)
            sys.exit(0)


def main(order: dict[str, Any]) -> int:
    """Run the server until it ends or nobody is left who uses it."""
    os.chdir("/")
    account = Account(*order["account"])
    if order.get("once"):
        _execute_as(account, order["run"])
    server = os.fork()
    if server == 0:
        _execute_as(account, order["run"])
    lock, users = Path(order["lock"]), Path(order["users"])
    unused_since: float | None = None
    while True:
        done, status = os.waitpid(server, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) & 0xFF
        try:
            if count_living(users):
                unused_since = None
            else:
                unused_since = unused_since or time.monotonic()
                if time.monotonic() - unused_since > _UNUSED:
                    _stop_server_if_unused(lock, users, server)
        except FileNotFoundError:  # the data directory was removed: nothing is left to serve
            os.kill(server, signal.SIGQUIT)
        time.sleep(_POLL)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
