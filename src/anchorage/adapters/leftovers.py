"""Removes temporary files that killed processes left on disk."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

_MIN_AGE = 3600.0  # seconds; no upload and no copy of an original takes as long
_MAX_ENTRIES = 100_000  # entries of a folder that are looked at in one go
_TEMPORARY = re.compile(r"anchorage-(?:web|s3|confluence)-(\d{1,9})-")


def remove_leftovers(data: Path) -> int:
    """Remove leftovers older than an hour, and return how many were removed. What cannot be removed waits for a later call.

    `data` is the data directory, which machines may share: there, age alone decides. In this machine's folder for temporary
    files, the process that made a file must be gone, too.
    """
    before = time.time() - _MIN_AGE
    found = [entry for entry in _list_entries(data / "uploads") if entry.is_file(follow_symlinks=False)]
    found += [entry for entry in _list_entries(data / "blobs") if entry.name.startswith(".")]
    found += [entry for entry in _list_entries(Path(tempfile.gettempdir())) if _is_orphan(entry)]
    return sum(_remove_if_old(entry, before) for entry in found)


def _list_entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from islice(entries, _MAX_ENTRIES)


def _is_orphan(entry: os.DirEntry[str]) -> bool:
    match = _TEMPORARY.match(entry.name)
    return match is not None and not _is_alive(int(match.group(1)))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _remove_if_old(entry: os.DirEntry[str], before: float) -> bool:
    with suppress(OSError):
        state = entry.stat(follow_symlinks=False)
        if state.st_mtime >= before or state.st_uid != os.geteuid():
            return False
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            Path(entry.path).unlink()
        return True
    return False
