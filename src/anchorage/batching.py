"""Collects the calls of many into common batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from anchorage.errors import AnchorageError, Unavailable

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Calls `run` with the items that came while the last batch was running. A single call does not wait; many calls share a batch.

    `run` takes a batch and returns a result for each item. `limit` bounds a batch by the sum of its items' `weight`s; an item
    above it goes alone. Batches that are not full start at least `pause` seconds apart, so that they fill. When a batch fails for
    good, its items are tried one by one, so that one bad item fails alone.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        limit: int,
        weight: Callable[[T], int],
        at_once: int = 1,
        pause: float = 0,
    ) -> None:
        self._pause, self._next_start, self._is_holding = pause, 0.0, False
        self._run, self._limit, self._weight, self._free = run, limit, weight, at_once
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, item: T) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        asyncio.get_running_loop().call_soon(self._start_batches)  # after all calls of this moment
        return await future

    def _end_hold(self) -> None:
        self._is_holding = False
        self._start_batches()

    def _must_wait(self) -> bool:
        """Whether it is too early for the next batch. If so, schedule it."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_start or sum(self._weight(item) for item, _ in self._waiting) >= self._limit:
            return False
        if not self._is_holding:
            self._is_holding = True
            loop.call_at(self._next_start, self._end_hold)
        return True

    def _start_batches(self) -> None:
        while (
            self._free and self._waiting and not (self._pause and self._must_wait()) and (batch := self._take_batch())
        ):
            self._free -= 1
            self._next_start = asyncio.get_running_loop().time() + self._pause
            task = asyncio.create_task(self._run_batch(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take_batch(self) -> list[tuple[T, asyncio.Future[R]]]:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        total = 0
        while self._waiting:
            item, future = self._waiting[0]
            if not future.done():  # else its caller was cancelled
                total += self._weight(item)
                if batch and total > self._limit:
                    break
                batch.append((item, future))
            self._waiting.popleft()
        return batch

    async def _run_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            await self._settle_batch(batch)
        finally:
            for _, future in batch:
                if not future.done():  # this task itself was cancelled
                    future.set_exception(Unavailable("The work was stopped before its end. It is tried again."))
            self._free += 1
            self._start_batches()

    async def _settle_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  all callers must get it, whatever it is
            if len(batch) > 1 and isinstance(error, AnchorageError) and not error.temporary:
                for pair in batch:
                    await self._settle_batch([pair])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
