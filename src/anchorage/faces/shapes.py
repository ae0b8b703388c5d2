"""The JSON shapes that command line and HTTP share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from anchorage.chat.streaming.events import serialise_citation
from anchorage.model import Document, Failure, Feedback, Job, Outcome, Principal, RegisteredSource
from anchorage.ports.store import Store
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
        "updated_at": _time(document.updated_at),
    }


async def document_with_text(
    store: Store, principal: Principal, document_id: str, version: str | None = None
) -> dict[str, Any]:
    """The contract's `documents show`, with the text of a version, the current one by default. A document that was never indexed has
    no text.
    """
    document = await store.document(principal, document_id)
    shown = {**detailed_document_json(document), "version": version or document.version, "pages": [], "text": None}
    if shown["version"]:
        text = await store.text(principal, document_id, version)
        pages = [{"page": page.number, "start": page.start, "end": page.end} for page in text.pages]
        shown |= {"pages": pages, "text": text.text}
    return shown


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
        "next_attempt_at": _time(job.next_attempt_at),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "updated_at": _time(job.updated_at),
    }


def source_json(source: RegisteredSource, failed: int = 0) -> dict[str, Any]:
    """A registered source as `anchorage sources` and /api/sources show it, with how many of its documents failed."""
    return {
        "id": source.id,
        "location": source.location,
        "collection": source.collection,
        "options": dict(source.options),
        "every": source.interval,
        "status": source.status,
        "error": failure_json(source.error),
        "report": dict(source.report),
        "synced_at": _time(source.synced_at),
        "next_sync_at": _time(source.next_sync_at),
        "failed": failed,
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
        "created_at": _time(item.created_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def usage_json(
    rows: Sequence[UsageRow], allowance: Allowance, principal: Principal, today: date, days: int
) -> dict[str, Any]:
    """What was used: by day and model, and summed up for the principal's day and month (UTC) beside the budgets."""

    def total(own: Sequence[UsageRow]) -> dict[str, Any]:
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
        "today": total([row for row in own if row.day == today]),
        "month": total([row for row in own if row.day >= month]),
        "budget": asdict(allowance),
        "usage": [
            {**asdict(row), "day": row.day.isoformat(), "cost": round(row.cost, 6)} for row in rows if row.day >= first
        ],
    }
