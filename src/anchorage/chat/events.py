"""The events of a turn's stream, and their JSON form.

    start   conversation_id, message_id      the turn was accepted
    hits    hits                             what retrieval found
    token   text                             a piece of the answer
    answer  as `ask --json`                  the whole answer with its citations; replaces what the tokens showed
    error   code, message, temporary         the turn failed; `done` follows
    done                                     nothing comes after it

Every event has `n` (its number in the conversation), `turn` and `attempt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from anchorage.model import Answer, Citation, Hit


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    n: int
    turn: int
    attempt: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """The JSON object that is sent."""
        if self.type == "answer":
            values: dict[str, Any] = answer_json(self.data["answer"])
        elif self.type == "hits":
            values = {"hits": [hit_json(hit) for hit in self.data["hits"]]}
        else:
            values = {key: value for key, value in self.data.items() if key != "error"}
        return {"type": self.type, "n": self.n, "turn": self.turn, "attempt": self.attempt, **values}


def hit_json(hit: Hit) -> dict[str, Any]:
    """A hit as the contract's `search` shows it."""
    keys = ("chunk_id", "document_id", "collection", "uri", "title", "page", "start", "end", "score", "text")
    return {key: getattr(hit, key) for key in keys}


def citation_json(citation: Citation) -> dict[str, Any]:
    """A citation as the contract's `ask` shows it."""
    keys = (
        "marker",
        "claim",
        "document_id",
        "version",
        "uri",
        "title",
        "page",
        "start",
        "end",
        "quote",
        "prefix",
        "suffix",
    )
    return {key: getattr(citation, key) for key in keys}


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer as the contract's `ask` shows it."""
    return {
        "answer": answer.answer,
        "abstained": answer.abstained,
        "citations": [citation_json(citation) for citation in answer.citations],
        "hits": [hit_json(hit) for hit in answer.hits],
        "conversation_id": answer.conversation_id,
        "message_id": answer.message_id,
        "usage": asdict(answer.usage),
        "unsupported": [asdict(item) for item in answer.unsupported],
    }
