"""The JSON shapes that command line and HTTP share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from anchorage.chat.streaming.events import serialise_citation, serialise_units
from anchorage.model import (
    Conversation,
    Document,
    DocumentText,
    Failure,
    Feedback,
    Job,
    Outcome,
    Principal,
    RegisteredSource,
    Turn,
)

if TYPE_CHECKING:  # command lines that show what a server sent need neither
    from anchorage.ports.catalog import Catalog
    from anchorage.ports.usage import Allowance, UsageRow


def failure_json(failure: Failure | None) -> dict[str, str] | None:
    return {"code": failure.code, "message": failure.message} if failure else None


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """A document of the contract's `ingest`."""
    return {
        "uri": outcome.uri,
        "document_id": outcome.document_id,
        "status": outcome.status.value,
        "chunks": outcome.chunks,
        "error": failure_json(outcome.error),
        **({"warning": outcome.warning} if outcome.warning else {}),
    }


def document_json(document: Document) -> dict[str, Any]:
    """A document of the contract's `documents list`."""
    return {
        "document_id": document.id,
        "uri": document.uri,
        "title": document.title,
        "collection": document.collection,
        "status": document.status.value,
        "error": failure_json(document.error),
        "chunks": document.chunks,
    }


def detailed_document_json(document: Document) -> dict[str, Any]:
    """A document with all that is known of it; `size` in bytes, `original`: whether its bytes were kept."""
    return {
        **document_json(document),
        "media_type": document.media_type,
        "size": document.size,
        "source_id": document.source_id,
        "original": bool(document.blob_key),
        "updated_at": _format_time(document.updated_at),
    }


async def read_document(
    catalog: Catalog, principal: Principal, document_id: str, version: str | None = None
) -> tuple[Document, DocumentText | None]:
    """A document with the text of a version, the current one by default. One that was never indexed has no text. Raises `NotFound`."""
    document = await catalog.document(principal, document_id)
    if not (version or document.version):
        return document, None
    return document, await catalog.text(principal, document_id, version)


def format_document_with_text(document: Document, text: DocumentText | None) -> dict[str, Any]:
    """The contract's `documents show`."""
    pages = [{"page": page.number, "start": page.start, "end": page.end} for page in text.pages] if text else []
    return {
        **detailed_document_json(document),
        "version": text.version if text else document.version,
        "pages": pages,
        "text": text.text if text else None,
    }


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """A conversation as `anchorage conversations` and /api/conversations show it."""
    return {
        "id": conversation.id,
        "title": conversation.title,
        "turns": conversation.turns,
        "created_at": _format_time(conversation.created_at),
        "updated_at": _format_time(conversation.updated_at),
    }


def turn_json(turn: Turn) -> dict[str, Any]:
    """A question with its answer, as a conversation shows it."""
    return {
        "number": turn.number,
        "parent": turn.parent,
        "message_id": turn.message_id,
        "question": turn.question,
        "answer": turn.answer,
        "abstained": turn.abstained,
        "stopped": turn.stopped,
        "citations": [serialise_citation(citation) for citation in turn.citations],
        "units": serialise_units(turn.citations),
        "unsupported": [asdict(item) for item in turn.unsupported],
        "created_at": _format_time(turn.created_at),
    }


def job_json(job: Job) -> dict[str, Any]:
    """A job as `anchorage jobs` and /api/jobs show it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "collection": job.collection,
        "uri": job.uri,
        "name": job.name,
        "source_id": job.source_id,
        "document_id": job.document_id,
        "attempts": job.attempts,
        "progress": {"done": job.done, "total": job.total} if job.done is not None else None,
        "error": failure_json(job.error),
        "next_attempt_at": _format_time(job.next_attempt_at),
        "created_at": _format_time(job.created_at),
        "started_at": _format_time(job.started_at),
        "finished_at": _format_time(job.finished_at),
        "updated_at": _format_time(job.updated_at),
    }


def source_json(source: RegisteredSource) -> dict[str, Any]:
    """A registered source as `anchorage sources` and /api/sources show it."""
    return {
        "id": source.id,
        "location": source.location,
        "collection": source.collection,
        "options": dict(source.options),
        "every": source.interval,
        "status": source.status,
        "error": failure_json(source.error),
        "report": dict(source.report),
        "synced_at": _format_time(source.synced_at),
        "next_sync_at": _format_time(source.next_sync_at),
        "failed": source.failed,
    }


def feedback_json(item: Feedback) -> dict[str, Any]:
    """A rating as `anchorage feedback` and /api/feedback show it."""
    return {
        "conversation_id": item.conversation_id,
        "message_id": item.message_id,
        "rating": "up" if item.rating > 0 else "down",
        "comment": item.comment,
        "question": item.question,
        "standalone_question": item.standalone_question,
        "answer": item.answer,
        "abstained": item.abstained,
        "citations": [serialise_citation(citation) for citation in item.citations],
        "trace": dict(item.trace),
        "created_at": _format_time(item.created_at),
    }


def _format_time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def usage_json(
    rows: Sequence[UsageRow], allowance: Allowance, principal: Principal, today: date, days: int
) -> dict[str, Any]:
    """Usage by day and model, with the principal's sums of the day and the month (UTC) and the budgets."""

    def sum_rows(own: Sequence[UsageRow]) -> dict[str, Any]:
        return {
            "requests": sum(row.requests for row in own),
            "prompt_tokens": sum(row.prompt_tokens for row in own),
            "completion_tokens": sum(row.completion_tokens for row in own),
            "cost": round(sum(row.cost for row in own), 6),
        }

    own = [row for row in rows if row.principal == principal.id]
    month = today.replace(day=1)
    first = today - timedelta(days=days - 1)
    return {
        "principal": principal.id,
        "today": sum_rows([row for row in own if row.day == today]),
        "month": sum_rows([row for row in own if row.day >= month]),
        "budget": asdict(allowance),
        "usage": [
            {**asdict(row), "day": row.day.isoformat(), "cost": round(row.cost, 6)} for row in rows if row.day >= first
        ],
    }
