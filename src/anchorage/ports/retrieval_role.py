"""RetrievalRole: the search for a question, where another process does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from anchorage.model import EmbedderSpec, Principal
from anchorage.model.search import Ranking


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A question to search for: at least `k` passages, in these collections (None: all that the principal may read).

    `vector` is the question's by `embedder`, where it is known already.
    """

    question: str
    collections: tuple[str, ...] | None
    k: int
    vector: tuple[float, ...] | None = None
    embedder: EmbedderSpec | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What the index holds for it, before any reranking, with the question's vector by `embedder` (None where that is away)."""

    ranking: Ranking
    vector: tuple[float, ...] | None
    embedder: EmbedderSpec


class RetrievalRole(Protocol):
    """Embeds questions and searches, for whoever answers them."""

    async def find(self, principal: Principal, asked: Retrieval) -> Found:
        """Raises `Unavailable`, and whatever the search raises."""
        ...

    async def ping(self) -> None:
        """Cheap enough for a probe. Raises `Unavailable`."""
        ...
