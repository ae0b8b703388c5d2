"""Caches vectors of sentences, so that the sentences of a passage that is found often are embedded once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.errors import ModelUnavailable
from anchorage.model import Principal, Usage
from anchorage.ports.embedder import Embedder, Vectors

_Vectors = TypeVar("_Vectors")


class SentenceVectors:
    """Embeds sentences and remembers the last `size` of them (1.5 kB each with 384 dimensions)."""

    def __init__(self, embedder: Embedder, wait: float = 15.0, *, size: int = 8192) -> None:
        self._embedder, self._size, self._timeout = embedder, size, wait
        self._cache: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._charge: Callable[[int], None] | None = None

    def charge_to(self, principal: Principal, usage: UsageRecorder) -> SentenceVectors:
        """Return a copy with the same cache that embeds on the principal's account, where embedding costs something."""
        spec = self._embedder.spec
        if not usage.is_metered(spec):
            return self
        other = copy(self)
        other._charge = lambda tokens: usage.record_usage(principal, Usage(spec.name, tokens))
        return other

    async def embed_sentences(self, sentences: Sequence[str]) -> Vectors:
        """Return one unit vector a sentence, shape (sentences, dimension).

        Raises what the embedder raises, and `ModelUnavailable` after `wait` seconds.
        """
        found = {sentence: self._cache[sentence] for sentence in sentences if sentence in self._cache}
        missing = list(dict.fromkeys(sentence for sentence in sentences if sentence not in found))
        if missing:
            found |= zip(missing, await self._embed_missing(missing), strict=True)
        for sentence, vector in found.items():
            self._cache[sentence] = vector
            self._cache.move_to_end(sentence)
        while len(self._cache) > self._size:
            self._cache.popitem(last=False)
        if not sentences:
            return np.zeros((0, self._embedder.spec.dimension), dtype=np.float32)
        return np.stack([found[sentence] for sentence in sentences])

    async def embed_questions(self, questions: Sequence[str]) -> Sequence[NDArray[Any]]:
        """Return one unit vector a question, shape (dimension,): many embedders tell questions from passages. Raises as above."""
        if not questions:
            return []
        vectors = await self._wait_for(asyncio.gather(*map(self._embedder.embed_query, questions)), questions)
        self._charge_for(questions)
        return vectors

    async def _embed_missing(self, sentences: list[str]) -> Vectors:
        vectors = await self._wait_for(self._embedder.embed_passages(sentences), sentences)
        self._charge_for(sentences)
        return vectors

    async def _wait_for(self, vectors: Awaitable[_Vectors], texts: Sequence[str]) -> _Vectors:
        try:
            async with asyncio.timeout(self._timeout):  # an answer waits for them
                return await vectors
        except TimeoutError as error:
            raise ModelUnavailable(
                f"The embedder {self._embedder.spec.name} gave no vectors of {len(texts)} sentences within {self._timeout:g} s "
                "(ANCHORAGE_EMBEDDING__QUERY_TIMEOUT). Check its server, or raise the setting."
            ) from error

    def _charge_for(self, texts: Sequence[str]) -> None:
        if self._charge is not None:
            limit = self._embedder.max_tokens
            self._charge(sum(min(len(self._embedder.token_starts(text)), limit) for text in texts))
