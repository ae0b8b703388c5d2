"""What a turn carries from step to step: data only."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from anchorage.chat.generation.stop import Stop
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.model import Citation, Hit, Principal, Turn, Unsupported, Usage
from anchorage.ports.cache import Slot
from anchorage.ports.memory import Thread

ABSTENTION = "I could not find an answer to this in these documents."
ABSTENTION_PATTERN = re.compile(re.escape(ABSTENTION.rstrip(".")) + r"[.!]?", re.IGNORECASE)
"""Matches the abstention in a text."""
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


@dataclass(frozen=True, slots=True)
class PreparedQuestion:
    """A question with its conversation, ready to be answered."""

    question: str
    conversation_id: str
    message_id: str
    collections: Sequence[str] | None
    thread: Thread
    parent: int | None
    """The turn that it follows, where the caller chose one."""
    history: Sequence[Turn] | None = None
    """The turns before, where the caller keeps them."""
    fresh: bool = False
    """Whether the caller wants a new answer, not one that was given before."""
    max_tokens: int | None = None
    """Of the answer, where the caller wants fewer than the limit."""

    @property
    def turn(self) -> int:
        """The number of its turn; an expected one if it is not answered yet, since another turn may come first."""
        return self.answered_as or self.thread.turns + 1

    @property
    def answered_as(self) -> int | None:
        """The number of its turn, if it was answered before."""
        return self.thread.earlier.number if self.thread.earlier else None


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What stays the same throughout a turn."""

    principal: Principal
    emit: Emit
    history: Sequence[Turn] | None = None
    """The turns before, where the caller keeps them: then memory is neither read nor written."""
    stop: Stop | None = None
    """Stops the answer in the middle, where the caller can."""
    holds_text: bool = False
    """Whether the answer's text is held until the guard has passed it."""
    max_tokens: int | None = None
    """Of the answer, where the caller wants fewer than the limit. Such an answer is not kept for others."""

    async def emit_text(self, text: str) -> None:
        """Emit a piece of the answer, unless the text is held."""
        if not self.holds_text:
            await self.emit("token", {"text": text})


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of an answer with the passage it rests on: `hit.text[start:end]` supports `claim`."""

    claim: str
    hit: Hit
    start: int
    end: int
    marker: int
    kind: str | None = None
    """What is quoted, where the claim is a quotation."""
    heading_path: tuple[str, ...] | None = None
    """That of the place itself, where it is known better than by its passage."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer with what it rests on, before its citations are resolved. `claims`: sentences that claim something."""

    text: str
    abstained: bool
    statements: Sequence[Statement] = ()
    usage: Usage = Usage()
    unsupported: Sequence[Unsupported] = ()
    claims: int = 0


class TurnState(TypedDict, total=False):
    """What is known of a turn. The steps add to it in the order of the pipeline."""

    question: str
    conversation_id: str
    message_id: str
    collections: Sequence[str] | None
    fresh: bool
    """Set by the caller who wants a new answer, not one that was given before."""
    history: Sequence[Turn]
    thread: Thread
    parent: int | None
    standalone_question: str
    question_vector: Any
    hits: PackableHits
    slot: Slot | None
    written: str
    """What a generator wrote, until it is verified."""
    answer: str
    abstained: bool
    statements: Sequence[Statement]
    unsupported: Sequence[Unsupported]
    citations: Sequence[Citation]
    usage: Usage
    number: int


Step = Callable[[TurnState, TurnContext], Awaitable[TurnState]]
"""Takes the state of a turn and its context; returns what it adds to the state."""
