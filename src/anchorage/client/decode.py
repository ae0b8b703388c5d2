"""What a server sends, as the nouns of `anchorage.model`. What it keeps to itself is left at its default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anchorage.model import (
    Answer,
    Citation,
    Conversation,
    Document,
    DocumentStatus,
    DocumentText,
    Failure,
    Hit,
    Job,
    Page,
    RegisteredSource,
    Turn,
    Unsupported,
    Usage,
    read_citation,
)

Json = Mapping[str, Any]
_CITATION = Citation.__dataclass_fields__.keys()
_HIT = Hit.__dataclass_fields__.keys() - {"heading_path"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode_failure(value: Json | None) -> Failure | None:
    return Failure(value["code"], value["message"]) if value else None


def decode_time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def decode_hit(value: Json) -> Hit:
    return Hit(**{key: value[key] for key in _HIT}, heading_path=tuple(value["heading_path"]))


def decode_citation(value: Json) -> Citation:
    return read_citation({key: value[key] for key in _CITATION if key in value})


def decode_answer(value: Json) -> Answer:
    usage = value["usage"]
    return Answer(
        answer=value["answer"],
        abstained=value["abstained"],
        citations=tuple(map(decode_citation, value["citations"])),
        hits=tuple(map(decode_hit, value["hits"])),
        conversation_id=value["conversation_id"],
        message_id=value["message_id"],
        usage=Usage(usage["model"], usage["prompt_tokens"], usage["completion_tokens"], bool(value.get("cut"))),
        unsupported=tuple(map(_decode_unsupported, value["unsupported"])),
        stopped=bool(value.get("stopped")),
    )


def _decode_unsupported(value: Json) -> Unsupported:
    return Unsupported(value["start"], value["end"], value["text"])


def decode_document(value: Json) -> Document:
    """A document. The key of its original bytes is the server's own: it is told here only that they are kept."""
    return Document(
        id=value["document_id"],
        collection=value["collection"],
        uri=value["uri"],
        title=value["title"],
        status=DocumentStatus(value["status"]),
        version=value.get("version"),
        chunks=value["chunks"],
        error=decode_failure(value["error"]),
        media_type=value["media_type"],
        blob_key=value["document_id"] if value["original"] else None,
        size=value["size"],
        updated_at=decode_time(value["updated_at"]),
        source_id=value["source_id"],
    )


def decode_document_text(value: Json) -> DocumentText | None:
    if value["text"] is None:
        return None
    pages = tuple(Page(page["page"], page["start"], page["end"]) for page in value["pages"])
    return DocumentText(value["document_id"], value["version"], value["text"], pages)


def decode_conversation(value: Json) -> Conversation:
    return Conversation(
        id=value["id"],
        title=value["title"],
        turns=value["turns"] if isinstance(value["turns"], int) else len(value["turns"]),
        created_at=decode_time(value["created_at"]) or _EPOCH,
        updated_at=decode_time(value["updated_at"]) or _EPOCH,
    )


def decode_turn(value: Json) -> Turn:
    return Turn(
        number=value["number"],
        message_id=value["message_id"],
        question=value["question"],
        answer=value["answer"],
        abstained=value["abstained"],
        citations=tuple(map(decode_citation, value["citations"])),
        created_at=decode_time(value["created_at"]),
        unsupported=tuple(map(_decode_unsupported, value["unsupported"])),
        parent=value["parent"],
        stopped=value["stopped"],
    )


def decode_job(value: Json) -> Job:
    progress = value["progress"] or {"done": None, "total": None}
    return Job(
        id=value["id"],
        kind=value["kind"],
        status=value["status"],
        collection=value["collection"],
        uri=value["uri"],
        name=value["name"],
        owner="",
        source_id=value["source_id"],
        attempts=value["attempts"],
        done=progress["done"],
        total=progress["total"],
        document_id=value["document_id"],
        error=decode_failure(value["error"]),
        next_attempt_at=decode_time(value["next_attempt_at"]),
        created_at=decode_time(value["created_at"]),
        started_at=decode_time(value["started_at"]),
        finished_at=decode_time(value["finished_at"]),
        updated_at=decode_time(value["updated_at"]),
    )


def decode_source(value: Json) -> RegisteredSource:
    return RegisteredSource(
        id=value["id"],
        owner="",
        collection=value["collection"],
        location=value["location"],
        options=value["options"],
        interval=value["every"],
        status=value["status"],
        error=decode_failure(value["error"]),
        report=value["report"],
        synced_at=decode_time(value["synced_at"]),
        next_sync_at=decode_time(value["next_sync_at"]),
        failed=value["failed"],
    )
