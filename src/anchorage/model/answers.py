"""Answers: hits, citations, the turns of a conversation, and what people think of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk with its scores. `score` is the fused one or the reranker's, between 0 and 1; the parts are None where a
    list lacks it.
    """

    chunk_id: str
    document_id: str
    version: str
    collection: str
    uri: str
    title: str
    start: int
    end: int
    score: float
    text: str
    page: int | None = None
    heading_path: tuple[str, ...] = ()
    dense_score: float | None = None
    lexical_score: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A claim of an answer tied to the span of a document version that supports it (W3C TextQuoteSelector)."""

    marker: int
    claim: str
    document_id: str
    version: str
    uri: str
    title: str
    start: int
    end: int
    quote: str
    prefix: str
    suffix: str
    page: int | None = None
    kind: str | None = None
    """What was quoted: sentence, list, item, row, line, code or heading; `computed` over the rows of a table. None: a model wrote the claim."""
    heading_path: tuple[str, ...] = ()


def read_citation(stored: Mapping[str, Any]) -> Citation:
    """Make a citation of its JSON. Those of before know neither their kind nor their headings."""
    return Citation(**{**stored, "heading_path": tuple(stored.get("heading_path", ()))})


@dataclass(frozen=True, slots=True)
class AnswerUnit:
    """A piece of an answer without a model, as it is shown: what is quoted, or what was computed with the rows that it rests on."""

    kind: str
    text: str
    markers: tuple[int, ...]
    document_id: str
    title: str
    heading_path: tuple[str, ...]
    page: int | None


def list_units(citations: Sequence[Citation]) -> list[AnswerUnit]:
    """The units of an answer that was quoted, in order; none of one that a model wrote."""
    units: list[AnswerUnit] = []
    for item in citations:
        if item.kind is None:
            return []
        last = units[-1] if units else None
        if last is not None and last.kind == "computed" == item.kind and last.text == item.claim:
            units[-1] = replace(last, markers=(*last.markers, item.marker))
        else:
            units.append(
                AnswerUnit(
                    item.kind, item.claim, (item.marker,), item.document_id, item.title, item.heading_path, item.page
                )
            )
    return units


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A sentence of an answer, `answer[start:end]`, that no passage supports; empty where it is withheld."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a model charged for; zeros where no model was asked. `cut`: it ended at its limit of tokens, not by itself."""

    model: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    conversation_id: str
    message_id: str
    usage: Usage = Usage()
    unsupported: tuple[Unsupported, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One turn's half as a model sees it: `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, numbered from 1. `parent` is the turn that it follows: 0 the beginning, None whichever is last."""

    number: int
    message_id: str
    question: str
    answer: str
    abstained: bool = False
    citations: tuple[Citation, ...] = ()
    standalone_question: str | None = None
    created_at: datetime | None = None
    trace: Mapping[str, Any] = field(default_factory=dict)
    unsupported: tuple[Unsupported, ...] = ()
    parent: int | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thinks of an answer: `rating` is 1 (good) or -1 (bad). The answer is kept as it was rated, with its trace."""

    conversation_id: str
    message_id: str
    rating: int
    comment: str
    question: str
    standalone_question: str | None
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    trace: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    turns: int
    created_at: datetime
    updated_at: datetime
    head: int = 0
