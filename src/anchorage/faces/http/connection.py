"""Runs work only while its client is connected, and reads streams in batches with heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")
_MAX_UNREAD = 256


async def run_while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Run the work and return its result. When the client leaves, cancel it and raise `ClientDisconnect`.

    The request's body must have been read.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.wait({task, gone})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def batch_events(events: AsyncGenerator[T, None], silence: float) -> AsyncGenerator[Sequence[T], None]:
    """Yield the events as they come, in batches of those that arrived meanwhile; an empty batch after `silence` seconds without one.

    It waits for a reader that falls behind. Closing it closes `events`. An error of theirs is raised after all events before it.
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
