"""Much at once, within bounds."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Budget:
    """Bounds the sum of what is held at once, such as bytes in memory. More than all of it counts as all of it.

    First come, first served: who asks for much waits for those before, and those after wait for them.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, amount: int) -> AsyncIterator[None]:
        """Take so much as soon as it is free, for as long as the context lasts."""
        taken = await self.take(amount)
        try:
            yield
        finally:
            self.give(taken)

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


async def run_concurrently(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[R]], at_once: int
) -> AsyncIterator[R]:
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


async def group_items(items: AsyncIterator[T], size: int, seconds: float = math.inf) -> AsyncIterator[list[T]]:
    """The items in groups of `size`; smaller at the end, and where the first would wait longer than so many seconds for the last."""
    group: list[T] = []
    clock, due = asyncio.get_running_loop().time, math.inf
    async with aclosing(items):  # type: ignore[type-var]
        async for item in items:
            due = due if group else clock() + seconds
            group.append(item)
            if len(group) == size or clock() >= due:
                yield group
                group = []
    if group:
        yield group
