"""Records who uses a server: one file for each use, named after the process, valid while that process lives.

Standard library only: the keeper runs this in a process of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def read_start_time(pid: int) -> str | None:
    """Read when the kernel started the process, in clock ticks since boot; None when it does not exist or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


def register_use(folder: Path) -> Path:
    """Record that this process uses the server. Unlink the file when it no longer does."""
    pid = os.getpid()
    entry = folder / f"{pid}.{read_start_time(pid)}.{uuid4().hex[:8]}"
    entry.touch(mode=0o600)
    return entry


def count_living(folder: Path) -> int:
    """Count the uses by living processes, and remove the others. A reused pid has another start time."""
    count = 0
    for entry in folder.iterdir():
        pid, _, rest = entry.name.partition(".")
        if pid.isdecimal() and read_start_time(int(pid)) == rest.partition(".")[0]:
            count += 1
        else:
            entry.unlink(missing_ok=True)
    return count
