"""Several models or servers behind one port: while one is down, the next is taken.

Whoever fails several times in a row is left alone for a while (Nygard, Release It!, 2007: "Circuit Breaker"), so that not
every question waits for its time-outs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from numpy.typing import NDArray

from anchorage.errors import AnchorageError, ConfigurationError, ModelBudgetSpent, ModelUnavailable, Unavailable
from anchorage.model import EmbedderSpec, Message, Usage
from anchorage.ports.embedder import Embedder, Vectors
from anchorage.ports.llm import Generator
from anchorage.telemetry import record_degradation

_log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Breaker:
    """Opens after `failures` in a row, for `pause` seconds; then one call is let through, and its outcome decides."""

    name: str
    failures: int = 3
    pause: float = 30.0
    _count: int = 0
    _open_until: float = 0.0

    def lets_through(self) -> bool:
        """Whether to call now. Of the callers after a pause only the first may."""
        if self._count < self.failures:
            return True
        now = time.monotonic()
        if now < self._open_until:
            return False
        self._open_until = now + self.pause
        return True

    def succeeded(self) -> None:
        if self._count >= self.failures:
            _log.info("model_is_back", model=self.name)
        self._count = 0

    def failed(self, error: AnchorageError) -> None:
        """Counts a failure that may pass by itself; a refusal says nothing of the server's health."""
        if not error.temporary:
            return
        self._count += 1
        if self._count >= self.failures:
            self._open_until = time.monotonic() + self.pause
            _log.warning("model_left_alone", model=self.name, seconds=self.pause, reason=error.message)


def _in_turn(choices: Sequence[tuple[T, Breaker]], spent: Sequence[AnchorageError] = ()) -> Iterator[tuple[T, Breaker]]:
    """Those whose breaker is closed; all of them where none is, since trying is better than refusing.

    `spent` grows by those that had no budget left, which is no trial.
    """
    closed = []
    for choice in choices:
        if choice[1].lets_through():
            closed.append(choice)
            yield choice
    if len(closed) == len(spent):
        yield from [choice for choice in choices if choice not in closed]


def _none_left(errors: Sequence[AnchorageError]) -> AnchorageError:
    if len(errors) == 1:
        return errors[0]
    told = " ".join(f"({number}) {error.message}" for number, error in enumerate(errors, 1))
    kind = ModelBudgetSpent if all(isinstance(error, ModelBudgetSpent) for error in errors) else ModelUnavailable
    waits = [error.retry_after for error in errors if isinstance(error, Unavailable) and error.retry_after is not None]
    return kind(f"None of {len(errors)} models answers. {told}", min(waits, default=None))


class FallbackGenerator:
    """A `Generator` over several. An answer of which a piece was handed over is never begun anew by another model.

    Such a failure is raised, for the caller to begin a new attempt, which takes the next model once the breaker opens.
    """

    def __init__(self, generators: Sequence[Generator], *, failures: int = 3, pause: float = 30.0) -> None:
        self._choices = [(item, Breaker(item.model, failures, pause)) for item in generators]

    @property
    def model(self) -> str:
        """The first one's; the `Usage` of an answer names the one that wrote it."""
        return self._choices[0][0].model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        errors: list[AnchorageError] = []
        spent: list[AnchorageError] = []
        for generator, breaker in _in_turn(self._choices, spent):
            started = False
            try:
                async with aclosing(generator.stream(messages, max_tokens=max_tokens)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        if not started and generator is not self._choices[0][0]:
                            yield Usage(generator.model)
                        started = True
                        yield piece
                breaker.succeeded()
                return
            except ModelBudgetSpent as error:
                record_degradation("llm_budget", error.message)
                spent.append(error)
                errors.append(error)
            except AnchorageError as error:
                breaker.failed(error)
                if started or not error.temporary:
                    raise
                record_degradation("llm_fallback", error.message)
                errors.append(error)
        raise _none_left(errors) from errors[-1]

    async def ping(self) -> str:
        return await _first_word([item.ping for item, _ in self._choices])


class FallbackEmbedder:
    """An `Embedder` over several servers of one model: vectors of another model would not fit the index."""

    def __init__(self, embedders: Sequence[Embedder], *, failures: int = 3, pause: float = 30.0) -> None:
        first = embedders[0]
        for number, other in enumerate(embedders[1:], 1):
            if other.spec != first.spec:
                raise ConfigurationError(
                    f"Fallback {number} of the embeddings makes other vectors ({other.spec}) than the first server ({first.spec}). "
                    "ANCHORAGE_EMBEDDING__FALLBACKS takes servers of the same model only."
                )
        self._choices = [
            (item, Breaker(f"{first.spec.name} ({n})", failures, pause)) for n, item in enumerate(embedders, 1)
        ]
        self._first = first

    def hurried(self) -> FallbackEmbedder:
        """The same, whose servers are given up early; what they fail at counts for both."""
        other = copy(self)
        other._choices = [(_hurried(item), breaker) for item, breaker in self._choices]
        return other

    @property
    def spec(self) -> EmbedderSpec:
        return self._first.spec

    @property
    def max_tokens(self) -> int:
        return self._first.max_tokens

    def token_starts(self, text: str) -> NDArray[Any]:
        return self._first.token_starts(text)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await self._ask(lambda embedder: embedder.embed_passages(texts))

    async def embed_query(self, text: str) -> NDArray[Any]:
        return await self._ask(lambda embedder: embedder.embed_query(text))

    async def ping(self) -> str:
        return await _first_word([item.ping for item, _ in self._choices])

    async def _ask(self, ask: Callable[[Embedder], Awaitable[T]]) -> T:
        errors: list[AnchorageError] = []
        for embedder, breaker in _in_turn(self._choices):
            try:
                found = await ask(embedder)
            except AnchorageError as error:
                breaker.failed(error)
                if not error.temporary:
                    raise
                record_degradation("embedding_fallback", error.message)
                errors.append(error)
            else:
                breaker.succeeded()
                return found
        raise _none_left(errors) from errors[-1]


class RestedEmbedder:
    """An `Embedder` that fails at once for a while where its server failed several questions in a row.

    Questions over other collections then need not wait for its time-outs each time. Documents are embedded as ever: their
    jobs have pauses of their own.
    """

    def __init__(self, embedder: Embedder, *, failures: int = 3, pause: float = 30.0) -> None:
        self._embedder, self._breaker = embedder, Breaker(embedder.spec.name, failures, pause)
        self._last = ""

    def hurried(self) -> RestedEmbedder:
        """The same, whose servers are given up early."""
        other = copy(self)
        other._embedder = _hurried(self._embedder)
        return other

    @property
    def spec(self) -> EmbedderSpec:
        return self._embedder.spec

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    def token_starts(self, text: str) -> NDArray[Any]:
        return self._embedder.token_starts(text)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await self._embedder.embed_passages(texts)

    async def embed_query(self, text: str) -> NDArray[Any]:
        if not self._breaker.lets_through():
            raise ModelUnavailable(f"{self._last} It failed several times in a row, and is asked again in a moment.")
        try:
            vector = await self._embedder.embed_query(text)
        except AnchorageError as error:
            self._last = error.message
            self._breaker.failed(error)
            raise
        self._breaker.succeeded()
        return vector

    async def ping(self) -> str:
        return await self._embedder.ping()


def _hurried(embedder: Embedder) -> Embedder:
    hurried = getattr(embedder, "hurried", None)
    return hurried() if hurried else embedder


async def _first_word(pings: Sequence[Callable[[], Awaitable[str]]]) -> str:
    """`available` where one is, else what the first says."""
    first = ""
    for ping in pings:
        word = await ping()
        if word == "available":
            return word
        first = first or word
    return first
