"""Original bytes on S3, each object under the SHA-256 of its content, so that every machine reaches them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from anchorage.adapters.s3.client import S3
from anchorage.adapters.s3.download import download
from anchorage.adapters.s3.place import Place
from anchorage.errors import AnchorageError, NotFound, Unavailable

_KEY = re.compile(r"[0-9a-f]{64}")
_PIECE = 256 * 1024
_PART = 8 * 1024**2  # larger files go up in parts of this size
_MAX_PARTS = 10_000  # S3's limit
_NEW = 60.0  # seconds for which an object counts as new
_COPIED = 5 * 1024**3  # S3's limit of a copy in one request
_PARTS_AT_ONCE = 4  # in memory, too


class S3BlobStore:
    """Implements the `BlobStore` port. An object appears under its key only when it is whole: S3 sees to that."""

    def __init__(self, s3: S3, place: Place, *, part_bytes: int = _PART) -> None:
        self._s3 = s3
        self._bucket = place.bucket
        self._prefix = place.key + ("/" if place.key and not place.key.endswith("/") else "")
        self._part_bytes = part_bytes

    async def put(self, path: Path) -> str:
        try:
            return await self._put(path)
        except OSError as error:
            raise Unavailable(f"The original of {path.name} could not be read: {error.strerror}.") from error

    async def _put(self, path: Path) -> str:
        size = (await asyncio.to_thread(path.stat)).st_size
        if size <= self._part_bytes:
            content = await asyncio.to_thread(path.read_bytes)  # hashed and sent from memory: the same bytes for sure
            key = await asyncio.to_thread(_hash_bytes, content)
            if not await self._renew(key, len(content)):
                await self._send_object("put_object", self._locate(key), content)
            return key
        key = await asyncio.to_thread(_hash_file, path)
        if not await self._renew(key, size):
            await self._put_parts(path, self._locate(key), key, size)
        return key

    def _locate(self, key: str) -> Place:
        if not _KEY.fullmatch(key):
            raise NotFound(f"{key[:80]!r} is no key of an original.")
        return Place(self._bucket, f"{self._prefix}{key[:2]}/{key}")

    async def _renew(self, key: str, size: int) -> bool:
        """Whether the object exists. An old one is copied onto itself, so that it counts as new and no sweep deletes it."""
        place = self._locate(key)
        found = await self._s3.head_object(place)
        if found is None or found.get("ContentLength") != size:
            return False
        if _measure_age(found) <= _NEW:
            return True
        if size > _COPIED:
            return False
        try:
            await self._s3.call(
                "copy_object", place.uri, self._bucket, seconds=self._s3.config.transfer_timeout, Key=place.key,
                CopySource={"Bucket": self._bucket, "Key": place.key}, MetadataDirective="REPLACE",
            )  # fmt: skip
        except NotFound:  # swept meanwhile: it is sent again
            return False
        return True

    async def _send_object(self, operation: str, place: Place, content: bytes, **parameters: Any) -> dict[str, Any]:
        digest = await asyncio.to_thread(lambda: hashlib.md5(content, usedforsecurity=False).digest())
        async with self._s3.slots:
            return await self._s3.call(
                operation, place.uri, self._bucket, seconds=self._s3.config.transfer_timeout,
                Key=place.key, Body=content, ContentMD5=base64.b64encode(digest).decode(), **parameters,
            )  # fmt: skip

    async def _put_parts(self, path: Path, place: Place, key: str, size: int) -> None:
        begun = await self._s3.call("create_multipart_upload", place.uri, self._bucket, Key=place.key)
        upload = {"Key": place.key, "UploadId": begun["UploadId"]}
        try:
            parts = await self._send_parts(path, place, key, size, begun["UploadId"])
            await self._s3.call(
                "complete_multipart_upload", place.uri, self._bucket, seconds=self._s3.config.transfer_timeout,
                MultipartUpload={"Parts": parts}, **upload,
            )  # fmt: skip
        except BaseException:
            # Parts that nobody completes are paid for until a rule of the bucket removes them.
            with suppress(AnchorageError):
                await asyncio.shield(self._s3.call("abort_multipart_upload", place.uri, self._bucket, **upload))
            raise

    async def _send_parts(self, path: Path, place: Place, key: str, size: int, upload: str) -> list[dict[str, Any]]:
        length = max(self._part_bytes, -(-size // _MAX_PARTS))
        content = hashlib.sha256()
        sent: list[dict[str, Any]] = []

        async def send(number: int, part: bytes) -> dict[str, Any]:
            answer = await self._send_object("upload_part", place, part, PartNumber=number, UploadId=upload)
            return {"PartNumber": number, "ETag": answer["ETag"]}

        file = await asyncio.to_thread(path.open, "rb")
        try:
            while parts := await asyncio.to_thread(_read_next_parts, file, length, content):
                sent += await _run_together(send(len(sent) + number, part) for number, part in enumerate(parts, 1))
        finally:
            file.close()
        if content.hexdigest() != key:
            raise Unavailable(f"{path.name} changed while its original was kept. It is read again later.")
        return sent

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        place = self._locate(key)
        async with download(self._s3, place) as file:
            if await asyncio.to_thread(_hash_file, file.path) != key:
                raise Unavailable(
                    f"{place.uri} is damaged: its bytes are not those that were kept. Delete it, and ingest again."
                )
            yield file.path

    async def read(self, key: str) -> AsyncIterator[bytes]:
        async with self.local(key) as path:  # whole and verified first, so a slow reader keeps no connection
            with await asyncio.to_thread(path.open, "rb") as file:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    yield piece

    async def delete(self, key: str, *, grace: float = 0) -> bool:
        place = self._locate(key)
        if grace and (found := await self._s3.head_object(place)) is not None and _measure_age(found) < grace:
            return False
        await self._s3.call("delete_object", place.uri, self._bucket, Key=place.key)
        return True


def _measure_age(found: Mapping[str, Any]) -> float:
    """Seconds since an object was written."""
    written: datetime = found["LastModified"]
    return (datetime.now(UTC) - written).total_seconds()


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _read_next_parts(file: IO[bytes], length: int, content: _Digest) -> list[bytes]:
    parts = [part for _ in range(_PARTS_AT_ONCE) if (part := file.read(length))]
    for part in parts:
        content.update(part)
    return parts


async def _run_together(work: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Run all and return the results in order. The first error cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]


def _hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
