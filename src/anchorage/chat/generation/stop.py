"""stop: ends an answer early. The text written until then is the answer; it is cited and remembered like any other."""

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
        """Whether the answer was cut short. An answer that is asked to stop may be complete already."""
        self.waiting: asyncio.Task[Any] | None = None
        """The task that waits for the generator's next piece."""

    def now(self) -> None:
        """End the answer with the text written so far."""
        self.asked = True
        if self.waiting:
            self.waiting.cancel()


@dataclass(frozen=True, slots=True)
class _Stoppable:
    """A `Generator` whose answer ends when it is stopped."""

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
                    continue  # the cancellation came from `now`
                finally:
                    stop.waiting = None
                yield piece

    async def ping(self) -> str:
        return await self.generator.ping()


def make_stoppable(generator: Generator, stop: Stop | None) -> Generator:
    """Return a generator that `stop` can stop; the same one where there is no `stop`."""
    return generator if stop is None else _Stoppable(generator, stop)
