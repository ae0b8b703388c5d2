"""Several models or servers behind one port: while one is down, the next one is asked.

A server that fails several times in a row is not asked for a while (Nygard, Release It!, 2007: "Circuit Breaker"), so that
questions do not wait for its timeouts.
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
    """A circuit breaker. It opens after `failures` in a row, for `pause` seconds. Then it allows one call, whose outcome decides."""

    name: str
    failures: int = 3
    pause: float = 30.0
    _count: int = 0
    _open_until: float = 0.0

    def allows_call(self) -> bool:
        """Whether to call now. After a pause only the first caller may."""
        if self._count < self.failures:
            return True
        now = time.monotonic()
        if now < self._open_until:
            return False
        self._open_until = now + self.pause
        return True

    def record_success(self) -> None:
        if self._count >= self.failures:
            _log.info("model_is_back", model=self.name)
        self._count = 0

    def record_failure(self, error: AnchorageError) -> None:
        """Count a failure that may pass by itself. A refusal says nothing about the server's health, and is not counted."""
        if not error.temporary:
            return
        self._count += 1
        if self._count >= self.failures:
            self._open_until = time.monotonic() + self.pause
            _log.warning("model_left_alone", model=self.name, seconds=self.pause, reason=error.message)


def _iterate_choices(
    choices: Sequence[tuple[T, Breaker]], out_of_budget: Sequence[AnchorageError] = ()
) -> Iterator[tuple[T, Breaker]]:
    """Yield the choices whose breaker is closed, then the others if none of those was really tried: trying is better than refusing.

    The caller appends the errors of those without a budget to `out_of_budget`; they do not count as tried.
    """
    tried = []
    for choice in choices:
        if choice[1].allows_call():
            tried.append(choice)
            yield choice
    if len(tried) == len(out_of_budget):
        yield from [choice for choice in choices if choice not in tried]


def _combine_errors(errors: Sequence[AnchorageError]) -> AnchorageError:
    if len(errors) == 1:
        return errors[0]
    reasons = " ".join(f"({number}) {error.message}" for number, error in enumerate(errors, 1))
    kind = ModelBudgetSpent if all(isinstance(error, ModelBudgetSpent) for error in errors) else ModelUnavailable
    waits = [error.retry_after for error in errors if isinstance(error, Unavailable) and error.retry_after is not None]
    return kind(f"None of {len(errors)} models answers. {reasons}", min(waits, default=None))


class FallbackGenerator:
    """A `Generator` over several models. Once a piece of an answer was yielded, no other model begins that answer anew.

    The error is raised instead. The caller may begin a new attempt, which uses the next model once the breaker is open.
    """

    def __init__(self, generators: Sequence[Generator], *, failures: int = 3, pause: float = 30.0) -> None:
        self._choices = [(item, Breaker(item.model, failures, pause)) for item in generators]

    @property
    def model(self) -> str:
        """The name of the first model. The `Usage` of an answer names the model that wrote it."""
        return self._choices[0][0].model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        errors: list[AnchorageError] = []
        out_of_budget: list[AnchorageError] = []
        for generator, breaker in _iterate_choices(self._choices, out_of_budget):
            started = False
            try:
                async with aclosing(generator.stream(messages, max_tokens=max_tokens)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        if not started and generator is not self._choices[0][0]:
                            yield Usage(generator.model)
                        started = True
                        yield piece
                breaker.record_success()
                return
            except ModelBudgetSpent as error:
                record_degradation("llm_budget", error.message)
                out_of_budget.append(error)
                errors.append(error)
            except AnchorageError as error:
                breaker.record_failure(error)
                if started or not error.temporary:
                    raise
                record_degradation("llm_fallback", error.message)
                errors.append(error)
        raise _combine_errors(errors) from errors[-1]

    async def ping(self) -> str:
        return await _ping_any([item.ping for item, _ in self._choices])


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

    def with_query_timeout(self) -> FallbackEmbedder:
        """A copy of this embedder with shorter timeouts, for passages that somebody waits for. Both share their breakers."""
        other = copy(self)
        other._choices = [(_shorten_timeout(item), breaker) for item, breaker in self._choices]
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
        return await self._ask_in_turn(lambda embedder: embedder.embed_passages(texts))

    async def embed_query(self, text: str) -> NDArray[Any]:
        return await self._ask_in_turn(lambda embedder: embedder.embed_query(text))

    async def ping(self) -> str:
        return await _ping_any([item.ping for item, _ in self._choices])

    async def _ask_in_turn(self, ask: Callable[[Embedder], Awaitable[T]]) -> T:
        errors: list[AnchorageError] = []
        for embedder, breaker in _iterate_choices(self._choices):
            try:
                found = await ask(embedder)
            except AnchorageError as error:
                breaker.record_failure(error)
                if not error.temporary:
                    raise
                record_degradation("embedding_fallback", error.message)
                errors.append(error)
            else:
                breaker.record_success()
                return found
        raise _combine_errors(errors) from errors[-1]


class BreakerEmbedder:
    """An `Embedder` with a circuit breaker for questions: after several failures in a row they fail at once for a while.

    Questions about other collections then do not wait for its timeouts. Documents are embedded as before: their jobs pause
    by themselves.
    """

    def __init__(self, embedder: Embedder, *, failures: int = 3, pause: float = 30.0) -> None:
        self._embedder, self._breaker = embedder, Breaker(embedder.spec.name, failures, pause)
        self._last = ""

    def with_query_timeout(self) -> BreakerEmbedder:
        """A copy of this embedder with shorter timeouts, for passages that somebody waits for."""
        other = copy(self)
        other._embedder = _shorten_timeout(self._embedder)
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
        if not self._breaker.allows_call():
            raise ModelUnavailable(f"{self._last} It failed several times in a row, and is asked again in a moment.")
        try:
            vector = await self._embedder.embed_query(text)
        except AnchorageError as error:
            self._last = error.message
            self._breaker.record_failure(error)
            raise
        self._breaker.record_success()
        return vector

    async def ping(self) -> str:
        return await self._embedder.ping()


def _shorten_timeout(embedder: Embedder) -> Embedder:
    shorten = getattr(embedder, "with_query_timeout", None)
    return shorten() if shorten else embedder


async def _ping_any(pings: Sequence[Callable[[], Awaitable[str]]]) -> str:
    """`available` if any of them is, else the state of the first."""
    first = ""
    for ping in pings:
        word = await ping()
        if word == "available":
            return word
        first = first or word
    return first
