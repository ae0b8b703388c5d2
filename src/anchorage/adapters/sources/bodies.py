"""What sources over HTTP share: bodies within a limit on what they unpack to, TLS, and connections for several calls."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import httpx

from anchorage.errors import DocumentRefused, TooLarge, Unavailable

ACCEPT_ENCODING = "gzip"  # the one that can be unpacked in steps, with the standard library
_STEP = 64 * 1024
_GATHERED = 1024 * 1024

T = TypeVar("T")


class _Unpacker(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


def _refusal_of_too_large(shown: str, limit: int, setting: str) -> TooLarge:
    return TooLarge(
        f"{shown} has more than {limit} bytes; no more are read ({setting}). Leave it out, or raise the limit."
    )


async def read_pieces(
    response: httpx.Response, shown: str, limit: int, setting: str = "ANCHORAGE_INGEST__MAX_FILE_BYTES"
) -> AsyncIterator[bytes]:
    """The unpacked body, piece by piece, with at most 64 KiB of it in memory.

    Raises `TooLarge` as soon as more than `limit` bytes come, or are announced; `DocumentRefused` for an encoding that was not
    asked for; `Unavailable` for a packed body that is broken or cut off; httpx's errors.
    """
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _refusal_of_too_large(shown, limit, setting)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise DocumentRefused("encoding", f"{shown} comes packed as {encoding[:40]!r}, which was not asked for.")
    unpacker = None if encoding in ("", "identity") else zlib.decompressobj(47 if "gzip" in encoding else 15)
    total = 0
    try:
        async for raw in response.aiter_raw(_STEP):
            for piece in _unpack(unpacker, raw):
                total += len(piece)
                if total > limit:
                    raise _refusal_of_too_large(shown, limit, setting)
                yield piece
    except zlib.error as error:
        raise Unavailable(f"{shown} came packed, and damaged. Try again.") from error
    if unpacker and total and not unpacker.eof:
        raise Unavailable(f"{shown} was cut off before its end. Try again.")


def _unpack(unpacker: _Unpacker | None, raw: bytes) -> Iterator[bytes]:
    if unpacker is None:
        yield raw
        return
    while raw and not unpacker.eof:
        yield unpacker.decompress(raw, _STEP)
        raw = unpacker.unconsumed_tail


async def read_bytes(response: httpx.Response, shown: str, limit: int, setting: str) -> bytes:
    """The whole unpacked body. Raises what `read_pieces` does."""
    return b"".join([piece async for piece in read_pieces(response, shown, limit, setting)])


@contextmanager
def translate_disk_errors(shown: str) -> Iterator[None]:
    """Whatever writes to the folder for temporary files. Raises `Unavailable` where that fails: mostly, the disk is full."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{shown} could not be kept in the folder for temporary files: {error.strerror}. Free space there, or name another "
            "folder with TMPDIR."
        ) from error


async def save_pieces(pieces: AsyncIterator[bytes], path: Path) -> int:
    """Write pieces to a new file, off the event loop; returns how many bytes. Call it within `translate_disk_errors`."""
    size, waiting, gathered = 0, [], 0
    with await asyncio.to_thread(path.open, "wb") as file:
        async for piece in pieces:
            waiting.append(piece)
            gathered += len(piece)
            size += len(piece)
            if gathered >= _GATHERED:
                await asyncio.to_thread(file.write, b"".join(waiting))
                waiting, gathered = [], 0
        await asyncio.to_thread(file.write, b"".join(waiting))
    return size


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the answer asks to wait (RFC 9110, 10.2.3); None where it does not say, or says a date."""
    value = response.headers.get("retry-after", "").strip()
    return float(value[:9]) if value.isdecimal() else None


def make_tls_context() -> ssl.SSLContext:
    """Verifies by the usual authorities and by those of this machine, as wikis of one's own need. Takes a while to make."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


Sleep = Callable[[float], Awaitable[None]]


class SharedResource(Generic[T]):
    """One resource for all that use it at the same time: opened for the first, closed after the last."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._users = 0
        self._stack = AsyncExitStack()
        self._value: T | None = None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[T]:
        async with self._lock:
            if self._value is None:
                self._stack = AsyncExitStack()
                self._value = await self._stack.enter_async_context(self._make())
            self._users += 1
            value = self._value
        try:
            yield value
        finally:
            async with self._lock:
                self._users -= 1
                if not self._users:
                    self._value = None
                    await self._stack.aclose()
