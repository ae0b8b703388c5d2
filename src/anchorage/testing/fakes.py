"""Small real implementations of ports, without files, servers or models: for tests, and to learn a port from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.errors import AnchorageError, IndexMismatch, NotFound
from anchorage.model import Conversation, EmbedderSpec, Message, Principal, Turn, Usage
from anchorage.ports.embedder import Embedder, Vectors
from anchorage.testing.hashing import hashed_vectors


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
        return hashed_vectors(texts, self.dimension)

    async def embed_query(self, text: str) -> NDArray[Any]:
        vector: NDArray[Any] = hashed_vectors([text], self.dimension)[0]
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
        self.prompts.append(messages)
        answer = self.answers.pop(0)
        if isinstance(answer, AnchorageError):
            raise answer
        for word in answer.split(" "):
            yield word if word is answer else f"{word} "
        yield Usage(self.model, sum(len(message.content.split()) for message in messages), len(answer.split()))

    async def ping(self) -> str:
        return "available"


@dataclass(slots=True)
class InMemoryMemory:
    """A `Memory` that lasts as long as its process."""

    _threads: dict[str, tuple[str, list[Turn]]] = field(default_factory=dict)

    def _turns(self, principal: Principal, conversation_id: str) -> list[Turn]:
        owner, turns = self._threads.get(conversation_id, (principal.id, []))
        if owner != principal.id:
            raise NotFound(f"No conversation {conversation_id!r} of yours.")
        return turns

    async def append(self, principal: Principal, conversation_id: str, turn: Turn) -> Turn:
        turns = self._turns(principal, conversation_id)
        known = next((item for item in turns if item.message_id == turn.message_id), None)
        if known:
            return known
        numbered = replace(turn, number=len(turns) + 1, created_at=datetime.now(UTC))
        self._threads[conversation_id] = (principal.id, [*turns, numbered])
        return numbered

    async def window(self, principal: Principal, conversation_id: str, limit: int) -> Sequence[Turn]:
        turns = self._turns(principal, conversation_id)
        return turns[max(0, len(turns) - limit) :]

    async def find(self, principal: Principal, conversation_id: str, message_id: str) -> Turn | None:
        turns = self._turns(principal, conversation_id)
        return next((turn for turn in turns if turn.message_id == message_id), None)

    async def conversations(self, principal: Principal, *, limit: int = 100) -> Sequence[Conversation]:
        found = []
        for key, (owner, turns) in self._threads.items():
            first, last = turns[0].created_at, turns[-1].created_at
            if owner == principal.id and first and last:
                found.append(Conversation(key, turns[0].question[:80], len(turns), first, last))
        return sorted(found, key=lambda item: item.updated_at, reverse=True)[:limit]

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        if not self._turns(principal, conversation_id):
            raise NotFound(f"No conversation {conversation_id!r} of yours.")
        del self._threads[conversation_id]

    async def ping(self) -> None:
        return None
