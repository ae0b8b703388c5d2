"""The JSON shapes that command line and HTTP share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from anchorage.model import Document, Failure, Job, Outcome, Principal
from anchorage.ports.store import Store


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


async def document_with_text(store: Store, principal: Principal, document_id: str) -> dict[str, Any]:
    """The contract's `documents show`. A document that was never indexed has no text."""
    document = await store.document(principal, document_id)
    shown = {**document_json(document), "version": document.version, "pages": [], "text": None}
    if document.version:
        text = await store.text(principal, document_id)
        shown |= {"pages": [asdict(page) for page in text.pages], "text": text.text}
    return shown


def job_json(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "task": job.task,
        "status": job.status,
        "uri": job.uri,
        "collection": job.collection,
        "attempts": job.attempts,
        "document_id": job.document_id,
        "error": failure_json(job.error),
    }
