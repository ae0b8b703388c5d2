"""Who uses a server: one file for each use, named after the process, believed only while that process lives.

Standard library only: the keeper runs this in a process of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def start_time(pid: int) -> str | None:
    """When the kernel started the process, in clock ticks since boot; None when there is no such process, or only its corpse."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


def register(folder: Path) -> Path:
    """Note that this process uses the server; unlink the file when it no longer does."""
    pid = os.getpid()
    entry = folder / f"{pid}.{start_time(pid)}.{uuid4().hex[:8]}"
    entry.touch(mode=0o600)
    return entry


def living(folder: Path) -> int:
    """How many uses belong to living processes; the others are pruned. A reused pid has another start time."""
    count = 0
    for entry in folder.iterdir():
        pid, _, rest = entry.name.partition(".")
        if pid.isdecimal() and start_time(int(pid)) == rest.partition(".")[0]:
            count += 1
        else:
            entry.unlink(missing_ok=True)
    return count
