"""Work that many do at once, done in common batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

from anchorage.errors import AnchorageError, Unavailable

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Calls `run` with what has gathered while its last batch was busy: alone a call waits for nobody, in a crowd all share.

    `run` takes a batch and returns a result for each item. `limit` bounds a batch by the sum of its items' `weight`s; an item
    above it goes alone. When a batch fails for good, its items are tried one by one, so that one bad item fails alone.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        limit: int,
        weight: Callable[[T], int],
        at_once: int = 1,
    ) -> None:
        self._run, self._limit, self._weight, self._free = run, limit, weight, at_once
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, item: T) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        asyncio.get_running_loop().call_soon(self._start)  # after all who call in this very moment
        return await future

    def _start(self) -> None:
        while self._free and (batch := self._next()):
            self._free -= 1
            task = asyncio.create_task(self._work(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> list[tuple[T, asyncio.Future[R]]]:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        total = 0
        while self._waiting:
            item, future = self._waiting[0]
            if not future.done():  # else its caller has gone
                total += self._weight(item)
                if batch and total > self._limit:
                    break
                batch.append((item, future))
            self._waiting.popleft()
        return batch

    async def _work(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            await self._settle(batch)
        finally:
            for _, future in batch:
                if not future.done():  # this task itself was cancelled
                    future.set_exception(Unavailable("The work was stopped before its end. It is tried again."))
            self._free += 1
            self._start()

    async def _settle(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            if len(batch) > 1 and isinstance(error, AnchorageError) and not error.temporary:
                for pair in batch:
                    await self._settle([pair])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


class Budget:
    """Bounds the sum of what is held at once, such as bytes in memory. More than all of it counts as all of it.

    First come, first served: who asks for much waits for those before, and those after wait for them.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, amount: int) -> int:
        """Wait until so much is free and take it; returns what to `give` back."""
        amount = min(amount, self._total)
        if not self._waiting and amount <= self._left:
            self._left -= amount
            return amount
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give(amount)
            else:
                self._waiting.remove((amount, future))
                self.give(0)
            raise
        return amount

    def give(self, amount: int) -> None:
        """Give back what was taken."""
        self._left += amount
        while self._waiting and self._waiting[0][0] <= self._left:
            amount, future = self._waiting.popleft()
            if not future.done():
                self._left -= amount
                future.set_result(None)


async def concurrently(items: AsyncIterator[T], work: Callable[[T], Awaitable[R]], at_once: int) -> AsyncIterator[R]:
    """The results, as they come, of work on the items, `at_once` of them at a time. The first error ends it all."""
    tasks: set[asyncio.Task[R]] = set()

    async def one(item: T) -> R:
        return await work(item)

    try:
        async with aclosing(items):  # type: ignore[type-var]
            async for item in items:
                tasks.add(asyncio.create_task(one(item)))
                if len(tasks) >= at_once:
                    done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        yield task.result()
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def grouped(items: AsyncIterator[T], size: int) -> AsyncIterator[list[T]]:
    """The items in groups of `size`; the last one may be smaller."""
    group: list[T] = []
    async with aclosing(items):  # type: ignore[type-var]
        async for item in items:
            group.append(item)
            if len(group) == size:
                yield group
                group = []
    if group:
        yield group
