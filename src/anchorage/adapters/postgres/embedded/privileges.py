"""Decides under which user the server runs, and turns a child of root into that user.

Standard library only: the keeper runs this in a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Account:
    """The user of the server. `capability` lets it enter folders that are closed to it; None when it needs none."""

    uid: int
    gid: int
    capability: int | None = None


def get_own_account() -> Account:
    return Account(os.geteuid(), os.getegid())


def find_unprivileged_account() -> Account | None:
    """The account for a server that root starts: `postgres` where there is one, else `nobody`."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    return None


def can_pass(path: Path, account: Account) -> bool:
    """Whether the account can enter every folder above `path`, by their modes."""
    for folder in path.resolve().parents:
        state = folder.stat()
        shift = 6 if state.st_uid == account.uid else 3 if state.st_gid == account.gid else 0
        if not state.st_mode >> shift & 1:
            return False
    return True


def find_passing_capability() -> int | None:
    """Find the least capability of this process that lets a child of another user enter closed folders."""
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("CapPrm:")), "CapPrm: 0")
    permitted = int(line.split()[1], 16)
    return next((cap for cap in (_DAC_READ_SEARCH, _DAC_OVERRIDE) if permitted >> cap & 1), None)


def become_account(account: Account) -> None:
    """Turn this process, if it is root's, into the account's for good. Raises `OSError`."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if account.capability is not None:
        _raise_on_failure(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if account.capability is not None:
        _keep_one_capability(libc, account.capability)


def _keep_one_capability(libc: ctypes.CDLL, capability: int) -> None:
    """Drop all capabilities but one, and hand that one on to the program that is executed next (capabilities(7))."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; low words, then high
    _raise_on_failure(libc.capset(header, data))
    _raise_on_failure(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def _raise_on_failure(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
