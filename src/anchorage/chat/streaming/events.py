"""The events of a turn's stream, and their JSON form.

    start   conversation_id, message_id      the turn was accepted
    reset   conversation_id, message_id      a new attempt at it begins: what it has shown so far is void
    hits    hits                             what retrieval found
    token   text                             a piece of the answer
    answer  as `ask --json`                  the whole answer with its citations; replaces what the tokens showed
    error   code, message, temporary         the turn failed; `done` follows
    done                                     nothing comes after it

Every event has `n` (its number in the conversation), `turn` and `attempt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from anchorage.fastjson import dumps
from anchorage.model import Answer, Citation, Hit, list_units


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    n: int
    turn: int
    attempt: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)

    def build_payload(self) -> dict[str, Any]:
        """Build the JSON object to send."""
        values = _serialise_data(self.type, self.data)
        return {"type": self.type, "n": self.n, "turn": self.turn, "attempt": self.attempt, **values}


def _serialise_data(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "answer":
        return serialise_answer(data["answer"])
    if kind == "hits":
        return {"hits": [serialise_explained_hit(hit) for hit in data["hits"]]}
    return {key: value for key, value in data.items() if key != "error"}


def format_event(kind: str, turn: int, attempt: int, data: Mapping[str, Any]) -> str:
    """Format an event for the log: its type and its JSON object, on one line. It gets its number when it is written."""
    values = {"turn": turn, "attempt": attempt, **_serialise_data(kind, data)}
    return f"{kind} {dumps(values).decode()}"


def read_event_type(logged: str) -> str:
    """Return the type of a logged event."""
    return logged[: logged.index(" ")]


def format_sent_event(n: int, logged: str) -> tuple[str, str]:
    """Return the type of a logged event, and the JSON to send."""
    kind, _, values = logged.partition(" ")
    return kind, f'{{"type":"{kind}","n":{n},{values[1:]}'


def serialise_hit(hit: Hit) -> dict[str, Any]:
    """A hit as the contract's `search` shows it."""
    keys = ("chunk_id", "document_id", "collection", "uri", "title", "page", "start", "end", "score", "text")
    return {key: getattr(hit, key) for key in keys}


def serialise_explained_hit(hit: Hit) -> dict[str, Any]:
    """A hit with the scores that it was chosen by, its version and its headings."""
    more = {key: getattr(hit, key) for key in ("version", "dense_score", "lexical_score")}
    return {**serialise_hit(hit), **more, "heading_path": list(hit.heading_path)}


def serialise_citation(citation: Citation) -> dict[str, Any]:
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
        "kind",
    )
    return {**{key: getattr(citation, key) for key in keys}, "heading_path": list(citation.heading_path)}


def serialise_units(citations: Sequence[Citation]) -> list[dict[str, Any]]:
    """What an answer without a model is made of; nothing of one that a model wrote."""
    return [asdict(unit) for unit in list_units(citations)]


def serialise_answer(answer: Answer) -> dict[str, Any]:
    """An answer as the contract's `ask` shows it."""
    return {
        "answer": answer.answer,
        "abstained": answer.abstained,
        "citations": [serialise_citation(citation) for citation in answer.citations],
        "units": serialise_units(answer.citations),
        "hits": [serialise_explained_hit(hit) for hit in answer.hits],
        "conversation_id": answer.conversation_id,
        "message_id": answer.message_id,
        "usage": {key: value for key, value in asdict(answer.usage).items() if key != "cut"},
        "unsupported": [asdict(item) for item in answer.unsupported],
        **({"stopped": True} if answer.stopped else {}),
        **({"cut": True} if answer.usage.cut else {}),
    }
