"""stop: ends an answer in the middle. What was written until then is the answer, and is cited and remembered like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from anchorage.model import Message, Usage
from anchorage.ports.llm import Generator


class Stop:
    """Stops the generator of one turn."""

    __slots__ = ("asked", "stopped", "waiting")

    def __init__(self) -> None:
        self.asked = False
        self.stopped = False
        """Whether an answer was cut short; one that is asked to stop may be whole already."""
        self.waiting: asyncio.Task[Any] | None = None
        """The task that waits for the generator's next piece."""

    def now(self) -> None:
        """Take the answer as it is."""
        self.asked = True
        if self.waiting:
            self.waiting.cancel()


@dataclass(frozen=True, slots=True)
class _Stoppable:
    """A `Generator` whose answer ends where it was stopped."""

    generator: Generator
    stop: Stop

    @property
    def model(self) -> str:
        return self.generator.model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        stop, before = self.stop, self.stop.asked
        task = asyncio.current_task()
        async with aclosing(cast(Any, self.generator.stream(messages, max_tokens=max_tokens))) as pieces:
            while True:
                if stop.asked and not before:
                    stop.stopped = True
                    return
                stop.waiting = task
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except asyncio.CancelledError:
                    if not stop.asked or not task or task.uncancel() > 0:
                        raise
                    continue  # it was ours
                finally:
                    stop.waiting = None
                yield piece

    async def ping(self) -> str:
        return await self.generator.ping()


def make_stoppable(generator: Generator, stop: Stop | None) -> Generator:
    """The generator, which `stop` stops where there is one."""
    return generator if stop is None else _Stoppable(generator, stop)
