"""Work that lasts no longer than the client's interest in it, and streams that keep their connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")
_MAX_UNREAD = 256


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, which is cancelled when the client leaves. Raises `ClientDisconnect` then.

    The request's body must have been read.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.wait({task, gone})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def batched(events: AsyncGenerator[T, None], silence: float) -> AsyncGenerator[Sequence[T], None]:
    """The events as they come, those together that came meanwhile; nothing after so many seconds of silence.

    A reader that falls behind is waited for. Closing this closes `events`; what they raise is raised when all before it is read.
    """
    waiting: list[T] = []
    wake, room = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with aclosing(events):
            async for event in events:
                waiting.append(event)
                wake.set()
                while len(waiting) >= _MAX_UNREAD:
                    room.clear()
                    await room.wait()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: wake.set())
    try:
        while True:
            if waiting:
                batch = waiting.copy()
                waiting.clear()
                room.set()
                yield batch
                continue
            if reading.done():
                reading.result()
                return
            wake.clear()
            try:
                async with asyncio.timeout(silence):
                    await wake.wait()
            except TimeoutError:
                yield ()
    finally:
        reading.cancel()
        await asyncio.wait({reading})
