"""Original bytes in a folder, each file under the SHA-256 of its content."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from anchorage.errors import ConfigurationError, NotFound, Unavailable

_KEY = re.compile(r"[0-9a-f]{64}")
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class FolderBlobStore:
    """Implements the `BlobStore` port. A file appears under its key only when it is whole."""

    root: Path

    def check(self) -> None:
        """Raises `ConfigurationError` when the folder is not writable. A full disk passes: it may have room again later."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            trial = self.root / f".{os.getpid()}-{uuid4().hex}"
            trial.touch()
            trial.unlink()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise ConfigurationError(
                    f"The originals of documents cannot be kept in {self.root}: {error.strerror}. Make it writable for this user (uid "
                    f"{os.geteuid()}; on Kubernetes a volume that is not mounted read-only and honours fsGroup), take another data directory "
                    "with ANCHORAGE_DATA, or keep them on S3 with ANCHORAGE_BLOBS__URL."
                ) from error

    async def put(self, path: Path) -> str:
        return await asyncio.to_thread(self._put_file, path)

    def _put_file(self, path: Path) -> str:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self.root / f".{os.getpid()}-{uuid4().hex}"
            try:
                with path.open("rb") as source, temporary.open("xb") as target:
                    shutil.copyfileobj(source, target, _PIECE)
                    target.flush()
                    os.fsync(target.fileno())
                with temporary.open("rb") as copy:
                    key = hashlib.file_digest(copy, "sha256").hexdigest()
                place = self._locate(key)
                place.parent.mkdir(mode=0o700, exist_ok=True)
                temporary.replace(place)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(
                f"The original of {path.name} could not be kept in {self.root}: {error.strerror}. Free space there, or take "
                "another data directory with ANCHORAGE_DATA."
            ) from error
        return key

    def _locate(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise NotFound(f"{key[:80]!r} is no key of an original.")
        return self.root / key[:2] / key

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        place = self._locate(key)
        if not await asyncio.to_thread(place.is_file):
            raise NotFound("The document's original bytes are gone from the data directory. Ingest the document again.")
        yield place

    async def read(self, key: str) -> AsyncIterator[bytes]:
        async with self.local(key) as place:
            with await asyncio.to_thread(place.open, "rb") as file:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    yield piece

    async def delete(self, key: str, *, grace: float = 0) -> bool:
        return await asyncio.to_thread(self._delete_file, self._locate(key), grace)

    def _delete_file(self, place: Path, grace: float) -> bool:
        with suppress(FileNotFoundError):
            if grace and time.time() - place.stat().st_mtime < grace:
                return False
            place.unlink()
        return True
