"""Threads of their own for files that may never answer, as those of a network file system that hangs.

A thread that waits for such a file can neither be stopped nor joined. In the pool that all share, a few of them would keep out embedding,
uploads and everything else, and the process could not end. These are daemons, a few for each source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from anchorage.errors import Unavailable

T = TypeVar("T")
_AT_ONCE = 8


class FileThreads:
    """Runs what blocks, `_AT_ONCE` calls at a time; those that hang keep their place, and only their place."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, what: str, work: Callable[..., T], *args: Any, limited: bool = True) -> T:
        """What `work` returns or raises. Raises `Unavailable` where there is nothing of either in time, if it is `limited`."""
        try:
            async with asyncio.timeout(self._seconds if limited else None):
                await self._free.acquire()
                answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
                Thread(target=self._run_in_thread, args=(answer, work, args), daemon=True, name="files").start()
                return await answer
        except TimeoutError as error:
            raise Unavailable(
                f"{what} did not answer within {self._seconds:g} s (ANCHORAGE_INGEST__FILE_TIMEOUT): its file system may hang. "
                "It is tried again; look at the mount."
            ) from error

    def _run_in_thread(self, answer: asyncio.Future[T], work: Callable[..., T], args: Any) -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = work(*args)
        except BaseException as error:  # noqa: BLE001  it is for whoever waits
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            answer.get_loop().call_soon_threadsafe(self._settle, answer, result, failure)

    def _settle(self, answer: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
        self._free.release()
        if answer.done():  # nobody waits any more
            return
        if failure is None:
            answer.set_result(result)
        else:
            answer.set_exception(failure)
