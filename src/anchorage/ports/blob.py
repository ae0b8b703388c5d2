"""Blob store: keeps the original bytes of documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol


class BlobStore(Protocol):
    """Content-addressed: a key is the SHA-256 of the bytes, so writing twice is harmless."""

    async def put(self, path: Path) -> str:
        """Keep a copy of the file and return its key. To `delete`, it is as new then, even if the bytes were there before."""
        ...

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A readable local file with the bytes, valid inside the context. Raises `NotFound`."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces. Raises `NotFound` before the first."""
        ...

    async def delete(self, key: str, *, grace: float = 0) -> bool:
        """Forget the bytes, unless they were put within so many seconds; returns whether they are gone."""
        ...
