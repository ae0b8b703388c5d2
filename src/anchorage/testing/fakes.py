"""Small real implementations of ports, without files, servers or models: for tests, and to learn a port from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.errors import AnchorageError, IndexMismatch
from anchorage.model import EmbedderSpec, Message, Usage
from anchorage.ports.embedder import Embedder, Vectors
from anchorage.testing.hashing import hash_texts


@dataclass(frozen=True, slots=True)
class HashEmbedder:
    """An `Embedder` of bags of words: texts that share words are near each other."""

    dimension: int = 64
    name: str = "hash"
    max_tokens: int = 256

    @property
    def spec(self) -> EmbedderSpec:
        return EmbedderSpec(self.name, "1", self.dimension)

    def token_starts(self, text: str) -> NDArray[Any]:
        """One token a word."""
        return np.array([match.start() for match in re.finditer(r"\S+", text)], dtype=np.int64)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return hash_texts(texts, self.dimension)

    async def embed_query(self, text: str) -> NDArray[Any]:
        vector: NDArray[Any] = hash_texts([text], self.dimension)[0]
        return vector

    async def ping(self) -> str:
        return "available"


@dataclass(frozen=True, slots=True)
class FixedEmbedders:
    """`Embedders` that are there from the start, the default one first."""

    embedders: Sequence[Embedder]

    @property
    def default(self) -> Embedder:
        return self.embedders[0]

    async def of(self, spec: EmbedderSpec) -> Embedder:
        for embedder in self.embedders:
            if embedder.spec == spec:
                return embedder
        raise IndexMismatch(f"No embedder {spec.name} of {spec.dimension} dimensions. Index anew: `anchorage reindex`.")


@dataclass(slots=True)
class ScriptedGenerator:
    """A `Generator` that says what it was told to, and keeps the prompts that it was given."""

    answers: list[str | AnchorageError]
    model: str = "scripted"
    prompts: list[Sequence[Message]] = field(default_factory=list)

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        prompt = tuple(messages)  # the caller lets go of its own when the first piece comes
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, AnchorageError):
            raise answer
        for word in answer.split(" "):
            yield word if word is answer else f"{word} "
        yield Usage(self.model, sum(len(message.content.split()) for message in prompt), len(answer.split()))

    async def ping(self) -> str:
        return "available"
