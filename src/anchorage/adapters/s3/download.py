"""Downloads an object into a local file: streamed, resumed when the connection breaks, within limits of time and size."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from anchorage.adapters.s3.client import S3
from anchorage.adapters.s3.failures import load_error_types, translate_error
from anchorage.adapters.s3.place import Place
from anchorage.errors import AnchorageError, TooLarge, Unavailable

_PIECE = 1024**2
_PAUSE = 0.2  # seconds before the first resumption; doubled for each further one


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A temporary file with an object's bytes; `answer` is the server's answer."""

    path: Path
    size: int
    answer: dict[str, Any]


@asynccontextmanager
async def download(s3: S3, place: Place, *, limit: int | None = None) -> AsyncIterator[DownloadedFile]:
    """Download an object into a file that is removed when the context ends.

    Raises `NotFound`, `NotAllowed`, `TooLarge` beyond `limit` bytes, and `Unavailable` when it cannot be had whole in time,
    changed while it was read, or when there is no room for it.
    """
    file = await _use_file(
        place, tempfile.NamedTemporaryFile, "w+b", prefix=f"anchorage-s3-{os.getpid()}-", delete=False
    )
    try:
        async with s3.slots:
            answer = await _receive_object(s3, place, file, limit)
        await _use_file(place, file.flush)
        yield DownloadedFile(Path(file.name), file.tell(), answer)
    finally:
        await asyncio.shield(asyncio.to_thread(_remove, file))


def _remove(file: IO[bytes]) -> None:
    try:
        file.close()
    except OSError:
        pass  # what could not be flushed is not wanted either
    finally:
        Path(file.name).unlink(missing_ok=True)


async def _use_file(place: Place, write: Any, *arguments: Any, **options: Any) -> Any:
    """Run an operation on the temporary file in a thread. Raises `Unavailable` when the disk is full."""
    try:
        return await asyncio.to_thread(write, *arguments, **options)
    except OSError as error:
        raise Unavailable(
            f"{place.uri} could not be kept in the folder for temporary files: {os.strerror(error.errno or 0)}. Free space there, or "
            "name another folder with TMPDIR."
        ) from error


class _Budget:
    """The total seconds to wait for the server, so that one that sends a byte now and then comes to an end too."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            async with asyncio.timeout(max(self._left, 0)):
                yield
        finally:
            self._left -= clock() - started

    @property
    def exhausted(self) -> bool:
        return self._left <= 0


async def _receive_object(s3: S3, place: Place, file: IO[bytes], limit: int | None) -> dict[str, Any]:
    budget = _Budget(s3.config.transfer_timeout)
    with s3.translate_errors(place.uri, place.bucket):
        async with budget.spend():
            first = answer = await s3.call_library("get_object", Bucket=place.bucket, Key=place.key)
    size: int | None = first.get("ContentLength")
    received = failures = 0
    while True:
        trouble: AnchorageError | None = None
        try:
            _check_size(place, size or 0, limit)
            async with aclosing(_read_pieces(answer["Body"], budget)) as pieces:
                async for piece in pieces:
                    received += len(piece)
                    _check_size(place, received, limit)
                    await _use_file(place, file.write, piece)
        except load_error_types() as error:
            trouble = translate_error(error, place.uri, place.bucket, s3.config.shown)
        finally:
            answer["Body"].close()
        if received == size or (size is None and trouble is None):
            return first
        failures += 1
        if failures > s3.config.retries or budget.exhausted or not first.get("ETag"):
            raise trouble or Unavailable(f"{place.uri}: {s3.config.shown} sent {received} of {size} bytes. Try again.")
        answer = await _resume_download(s3, place, first["ETag"], received, failures, budget)


async def _read_pieces(body: Any, budget: _Budget) -> AsyncGenerator[bytes, None]:
    """Read the body in pieces of about a megabyte, so that a small object takes one write."""
    gathered = bytearray()
    while True:
        async with budget.spend():
            some = await body.read(_PIECE)
        gathered += some
        if gathered and (len(gathered) >= _PIECE or not some):
            yield bytes(gathered)
            gathered.clear()
        if not some:
            return


async def _resume_download(s3: S3, place: Place, etag: str, at: int, failures: int, budget: _Budget) -> dict[str, Any]:
    """Request the rest of the same version. Raises `Unavailable` when the object has changed."""
    with s3.translate_errors(place.uri, place.bucket):
        async with budget.spend():
            await asyncio.sleep(_PAUSE * 2 ** (failures - 1))
            answer = await s3.call_library(
                "get_object", Bucket=place.bucket, Key=place.key, Range=f"bytes={at}-", IfMatch=etag
            )  # fmt: skip
    if answer.get("ETag") != etag or not str(answer.get("ContentRange", "")).startswith(f"bytes {at}-"):
        answer["Body"].close()
        raise Unavailable(f"{place.uri} broke off, and changed or cannot be resumed. It is read again later.")
    return answer


def _check_size(place: Place, size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise TooLarge(
            f"{place.name} has {size} bytes or more; at most {limit} are read (ANCHORAGE_INGEST__MAX_FILE_BYTES). "
            "Split it, or raise the limit."
        )
