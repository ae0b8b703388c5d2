"""What a turn carries from node to node, and what the nodes work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypedDict

from numpy.typing import NDArray

from anchorage.chat.generation.stop import Stop
from anchorage.chat.memory.cache import Caching
from anchorage.chat.memory.history import Summaries
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.retrieval.rerank import Reranking
from anchorage.chat.safety.guard import Guards
from anchorage.model import Citation, EmbedderSpec, Hit, Principal, Turn, Unsupported, Usage
from anchorage.ports.cache import Slot
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedder, Embedders
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.retriever import Retriever
from anchorage.ports.search import Search
from anchorage.ports.usage import Ledger
from anchorage.text.tokens import CHARACTERS_PER_TOKEN

_PASSAGE_TOKENS = 512  # of the longest
Emit = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Takes an event's type and data."""


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """Bounds of a turn, from the settings."""

    k: int
    depth: int
    dense_weight: float
    passages: int
    max_sentences: int
    max_tokens: int
    history_turns: int
    question_limit: int
    abstain: bool
    unsupported: Literal["mark", "withhold"] = "mark"
    links: Literal["cited", "none", "all"] = "cited"
    align_meaning: bool = True
    likeness: float = 0.8
    queries: int = 1
    history_tokens: int = 2000


class Store(Catalog, Search, Protocol):
    """What a turn reads, until each of its steps has what it needs."""


@dataclass(frozen=True, slots=True)
class ChatServices:
    """What the nodes work with. Without a generator, answers are quotations."""

    store: Store
    embedder: Embedder
    embedders: Embedders
    memory: Memory
    generator: Generator | None
    sentence_vectors: SentenceVectors
    limits: ChatLimits
    language: str
    reranking: Reranking | None = None
    guards: Guards | None = None
    ledger: Ledger | None = None
    caching: Caching | None = None
    summaries: Summaries | None = None
    """Summarises long threads; without it they are read back as a window alone."""

    metered: Callable[[EmbedderSpec], bool] | None = None
    """Which embedders are paid for: their tokens count too."""

    retriever: Retriever | None = None
    """Searches for questions, where another process does that."""

    def pays_for(self, spec: EmbedderSpec) -> bool:
        """Whether vectors of this embedder cost something."""
        return self.metered is not None and self.metered(spec)

    async def vector_of(self, principal: Principal, question: str, embedder: Embedder | None = None) -> NDArray[Any]:
        """A question's vector, by the default embedder if none is given, on the principal's account. Raises what embedders raise."""
        embedder = embedder or self.embedder
        vector = await embedder.embed_query(question)
        if self.pays_for(embedder.spec):
            tokens = min(len(embedder.token_starts(question)), embedder.max_tokens)
            self.spent(principal, Usage(embedder.spec.name, tokens))
        return vector

    def on_account(self, principal: Principal) -> ChatServices:
        """These services, whose sentence vectors are counted for the principal where they cost something."""
        spec = self.embedder.spec
        if not self.pays_for(spec):
            return self
        vectors = self.sentence_vectors.on_account(lambda tokens: self.spent(principal, Usage(spec.name, tokens)))
        return replace(self, sentence_vectors=vectors)

    def underway(self, principal: Principal, question: str) -> AbstractAsyncContextManager[None]:
        """Within a turn: its principal's budget has room for it. Raises `BudgetExceeded`."""
        if self.ledger is None:
            return nullcontext()
        return self.ledger.hold(principal, self._most(question))

    def _most(self, question: str) -> Usage:
        """What a turn uses at most, about; nothing where answers are quotations."""
        if self.generator is None:
            return Usage()
        read = (
            self.limits.passages * _PASSAGE_TOKENS + self.limits.history_tokens + len(question) // CHARACTERS_PER_TOKEN
        )
        return Usage(self.generator.model, read, self.limits.max_tokens)

    def spent(self, principal: Principal, usage: Usage) -> None:
        """Put a model's call on the principal's account."""
        if self.ledger is not None and usage.model is not None:
            self.ledger.add(principal, usage)


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What stays the same throughout a turn."""

    services: ChatServices
    principal: Principal
    emit: Emit
    history: Sequence[Turn] | None = None
    """The turns before, where the caller keeps them: then memory is neither read nor written."""
    stop: Stop | None = None
    """Stops the answer in the middle, where the caller can."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of an answer with the passage it rests on: `hit.text[start:end]` supports `claim`."""

    claim: str
    hit: Hit
    start: int
    end: int
    marker: int


class TurnState(TypedDict, total=False):
    """Written by: the caller, then rewrite, retrieve, answer, cite and remember, in this order."""

    question: str
    conversation_id: str
    message_id: str
    collections: Sequence[str] | None
    fresh: bool
    """Set by the caller: an answer that was given before is not wanted."""
    history: Sequence[Turn]
    parent: int | None
    begun: bool
    about_conversation: bool
    standalone_question: str
    question_vector: Any
    hits: PackableHits
    slot: Slot | None
    recalled: bool
    answer: str
    abstained: bool
    statements: Sequence[Statement]
    unsupported: Sequence[Unsupported]
    citations: Sequence[Citation]
    usage: Usage
    number: int
