"""A folder, with all below it, or a single file of this machine."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from anchorage.adapters.sources.files.threads import FileThreads
from anchorage.errors import BadRequest, DocumentRefused, NotFound, TooLarge, Unavailable
from anchorage.model import SourceEntry, SourceItem

_LISTED_AT_ONCE = 500
_RACY_NS = 2 * 10**9  # the coarsest clock of a file system that is still in use: FAT's


class LocalSource:
    """Implements the `Source` port. Hidden files are passed over; links to folders are not followed, so no loop is."""

    def __init__(self, path: Path, *, max_bytes: int, file_timeout: float = 60) -> None:
        """Looks whether it is there, and so may wait for its file system. `file_timeout`: seconds that one call may take there.

        Raises `BadRequest`.
        """
        # Not resolved: a document is known by the path under which its owner knows it.
        self._path = Path(os.path.abspath(path))  # noqa: PTH100  Path.absolute keeps `..`
        self._max_bytes = max_bytes
        self._threads = FileThreads(file_timeout)
        try:
            self._is_folder = stat.S_ISDIR(self._path.stat().st_mode)
        except FileNotFoundError as error:
            raise BadRequest(f"{self._path} does not exist. Check its spelling.") from error
        except OSError as error:
            raise BadRequest(f"{self._path} cannot be opened: {error.strerror}.") from error
        if self._is_folder and not os.access(self._path, os.R_OK | os.X_OK):
            raise BadRequest(f"{self._path} may not be read by this user.")

    @property
    def uri(self) -> str:
        return self._path.as_uri()

    @property
    def prefix(self) -> str | None:
        return self._path.as_uri().rstrip("/") + "/" if self._is_folder else None

    @property
    def lists_all(self) -> bool:
        return True

    async def list(self) -> AsyncIterator[SourceEntry]:
        walk = (
            _walk_folder(self._path) if self._is_folder else iter([SourceEntry(self.uri, _tag_when_listed(self._path))])
        )
        while batch := await self._threads(str(self._path), _take_some, walk, limited=False):  # a job has a deadline
            for entry in batch:
                yield entry

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        path = Path(unquote(urlsplit(uri).path, errors="surrogateescape"))
        name = os.fsencode(path.name).decode("utf-8", "replace")  # a name in another encoding fits no database
        try:
            state = await self._threads(name, _check_readable, path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{name} is gone: it was removed or renamed while its folder was read.") from error
        except PermissionError as error:
            raise DocumentRefused(
                "no_access", f"{name} may not be read by this user. Change its permissions."
            ) from error
        except OSError as error:
            raise DocumentRefused("unreadable", f"{name} cannot be read: {error.strerror}.") from error
        if stat.S_ISDIR(state.st_mode):
            raise NotFound(f"{name} is a folder now.")
        if not stat.S_ISREG(state.st_mode):
            raise DocumentRefused("unreadable", f"{name} is not a regular file.")
        if state.st_size > self._max_bytes:
            raise TooLarge(
                f"{name} has {state.st_size} bytes; at most {self._max_bytes} are read (ANCHORAGE_INGEST__MAX_FILE_BYTES). "
                "Split it, or raise the limit."
            )
        yield SourceItem(uri, name, str(path), state.st_size, tag=_tag_of(state))
        if await self._threads(name, _tag_when_read, path) != _tag_of(state, settled=True):
            raise Unavailable(f"{name} changed while it was read. It is read again when it has come to rest.")


def _check_readable(path: Path) -> os.stat_result:
    """The state of a file that may be read. Raises `OSError`."""
    state = path.stat()
    # Not blocking: a named pipe without a writer would keep us here for ever.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(state.st_mode):
            os.read(file, 1)  # if this hangs, it does so here, and not where others wait
    finally:
        os.close(file)
    return state


def _walk_folder(folder: Path) -> Iterator[SourceEntry]:
    unreadable: list[OSError] = []
    for here, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(here, name)
                yield SourceEntry(path.as_uri(), _tag_when_listed(path))
    # Fetching these tells why they cannot be read; what they held stays.
    for error in unreadable:
        yield SourceEntry(Path(os.fsdecode(error.filename)).as_uri(), closed=True)


def _take_some(walk: Iterator[SourceEntry]) -> list[SourceEntry]:
    return list(islice(walk, _LISTED_AT_ONCE))


def _tag_when_listed(path: Path) -> str | None:
    try:
        return _tag_of(path.stat())
    except OSError:
        return None


def _tag_when_read(path: Path) -> str | None:
    try:
        return _tag_of(path.stat(), settled=True)
    except OSError:
        return None


def _tag_of(state: os.stat_result, *, settled: bool = False) -> str | None:
    """What changes with a file's bytes. The change time is there too, since programs may set the other back.

    None for a file written just now, unless `settled`: another write within the clock's resolution would not show. (Git
    calls such an entry racily clean: its Documentation/technical/racy-git.)
    """
    if not settled and time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) < _RACY_NS:
        return None
    return f"{state.st_size}-{state.st_mtime_ns}-{state.st_ctime_ns}-{state.st_ino}"
