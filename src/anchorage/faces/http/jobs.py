"""Jobs: list, show, follow as a stream, retry, cancel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from anchorage.errors import NotFound
from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.shapes import Jobs, JobShape
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices, ProcessState
from anchorage.faces.shapes import job_json
from anchorage.model import Principal
from anchorage.ports.queue import Queue

router = APIRouter(prefix="/api/jobs")
_PAUSE = 1.0
_WINDOW = timedelta(seconds=5)
_AT_ONCE = 1000
_ENDED = ("done", "failed", "cancelled")


@router.get("", summary="List or follow jobs", **describe_answer(Jobs))
async def jobs(
    request: Request, services: CurrentServices, principal: CurrentPrincipal, status: str | None = None,
    source_id: str | None = None, limit: int = Query(100, ge=1, le=10_000), accept: Annotated[str, Header()] = "",
) -> Response:  # fmt: skip
    """Ingestion jobs, the newest first, and how many there are of each status; with `Accept: text/event-stream` a stream of
    every change from now on.
    """
    queue = services.storage.queue
    found = await queue.jobs(principal, status=status, source_id=source_id, limit=limit)
    if "text/event-stream" in accept:
        stream = _stream_changes(request, queue, principal, services.settings.http.sse_heartbeat, source_id)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    return JSONResponse({"jobs": [job_json(job) for job in found], "counts": dict(await queue.counts(principal))})


@router.get("/{job_id}", summary="Show or follow a job", **describe_answer(JobShape))
async def job(
    job_id: str, request: Request, services: CurrentServices, principal: CurrentPrincipal,
    accept: Annotated[str, Header()] = "",
) -> Response:  # fmt: skip
    """One job, with the document that came of it and the reason where it failed."""
    queue = services.storage.queue
    found = await queue.job(principal, job_id)
    if "text/event-stream" in accept:
        stream = _stream_job(request, queue, principal, job_id, services.settings.http.sse_heartbeat)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    return JSONResponse(job_json(found))


@router.post("/{job_id}/retry", summary="Retry a job", **describe_answer(JobShape))
async def retry(job_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """Queue a failed or cancelled job anew."""
    return job_json(await services.storage.queue.retry(principal, job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job", **describe_answer(JobShape))
async def cancel(job_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """End a job that waits or runs. A document that it has stored already stays."""
    return job_json(await services.storage.queue.cancel(principal, job_id))


def _is_ending(request: Request) -> bool:
    process: ProcessState = request.app.state.process
    return process.ending


async def _stream_changes(
    request: Request, queue: Queue, principal: Principal, heartbeat: float, source_id: str | None
) -> AsyncIterator[bytes]:
    # A change may be committed after a later one: each is looked for again for some seconds, and sent once.
    after, silent, sent = datetime.now(UTC) - _WINDOW, 0.0, dict[str, datetime | None]()
    for item in await queue.jobs(principal, source_id=source_id, changed_after=after, limit=_AT_ONCE):
        sent[item.id] = item.updated_at
    yield _format_event("counts", dict(await queue.counts(principal)))
    while not _is_ending(request):
        changed = await queue.jobs(principal, source_id=source_id, changed_after=after, limit=_AT_ONCE)
        changed = [item for item in changed if sent.get(item.id) != item.updated_at]
        for item in changed:
            yield _format_event("job", job_json(item))
            sent[item.id] = item.updated_at
            after = max(after, (item.updated_at or after) - _WINDOW)
        sent = {job_id: moment for job_id, moment in sent.items() if moment and moment > after}
        if changed:
            yield _format_event("counts", dict(await queue.counts(principal)))
        silent = 0.0 if changed else silent + _PAUSE
        if silent >= heartbeat:
            silent = 0.0
            yield KEEPALIVE_COMMENT
        await asyncio.sleep(_PAUSE)


async def _stream_job(
    request: Request, queue: Queue, principal: Principal, job_id: str, heartbeat: float
) -> AsyncIterator[bytes]:
    last, silent = None, 0.0
    while not _is_ending(request):
        try:
            found = await queue.job(principal, job_id)
        except NotFound as error:  # its source was removed
            yield _format_event("gone", {"id": job_id, "detail": error.message})
            return
        if found.updated_at != last:
            last, silent = found.updated_at, 0.0
            yield _format_event("job", job_json(found))
        if found.status in _ENDED:
            return
        silent += _PAUSE
        if silent >= heartbeat:
            silent = 0.0
            yield KEEPALIVE_COMMENT
        await asyncio.sleep(_PAUSE)


def _format_event(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data))
