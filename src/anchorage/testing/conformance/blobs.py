"""What every `BlobStore` must do. Subclass with a fixture `blobs`."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from anchorage.errors import NotFound
from anchorage.ports.blob import BlobStore


class BlobConformance:
    """Content-addressed, whole or not there."""

    async def test_bytes_come_back_under_their_hash(self, blobs: BlobStore, tmp_path: Path) -> None:
        content = bytes(range(256)) * 3000
        (tmp_path / "a").write_bytes(content)
        key = await blobs.put(tmp_path / "a")
        assert key == hashlib.sha256(content).hexdigest()
        assert b"".join([piece async for piece in blobs.read(key)]) == content
        async with blobs.local(key) as path:
            assert path.read_bytes() == content

    async def test_writing_twice_at_once_is_harmless(self, blobs: BlobStore, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"same")
        keys = await asyncio.gather(*(blobs.put(tmp_path / "a") for _ in range(8)))
        assert len(set(keys)) == 1

    async def test_what_is_deleted_is_gone(self, blobs: BlobStore, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"gone soon")
        key = await blobs.put(tmp_path / "a")
        assert not await blobs.delete(key, grace=3600)  # it was put just now
        assert await blobs.delete(key)
        assert await blobs.delete(key, grace=3600)  # what is not there is no trouble
        with pytest.raises(NotFound):
            async with blobs.local(key):
                pass
        with pytest.raises(NotFound):
            await anext(aiter(blobs.read(key)))

    @pytest.mark.parametrize("key", ["", "../../etc/passwd", "0" * 63, "G" * 64])
    async def test_a_key_that_is_none_is_not_found(self, blobs: BlobStore, key: str) -> None:
        with pytest.raises(NotFound):
            async with blobs.local(key):
                pass
