"""Sources that are kept in sync: register, list, show, sync, remove."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.shapes import JobId
from anchorage.faces.http.source_shapes import Sources, SourceWithJob, SourceWithJobs
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.faces.shapes import job_json, source_json
from anchorage.faces.sources import count_failed_documents, register_source, remove_source, request_sync
from anchorage.model import DEFAULT_COLLECTION

router = APIRouter(prefix="/api/sources")


class NewSource(BaseModel):
    """What to keep in sync; `every` is in seconds, and without it the source is synced on demand only."""

    location: str = Field(min_length=1, max_length=4096)
    collection: str = DEFAULT_COLLECTION
    every: int | None = Field(None, ge=60, le=366 * 86400)
    options: dict[str, Any] = Field(default_factory=dict)


@router.get("", summary="List sources", **describe_answer(Sources))
async def sources(services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """All registered sources with what their last sync found."""
    storage = services.storage
    found = await count_failed_documents(storage, principal, await storage.registry.sources(principal))
    return {"sources": [source_json(item) for item in found]}


@router.post("", status_code=201, summary="Register a source", **describe_answer(SourceWithJob, 201))
async def add(body: NewSource, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """Register a source and sync it for the first time. Folders of the server are registered by its command line only."""
    source, job_id = await register_source(
        services, principal, body.location, body.collection, body.options, body.every, local=False
    )
    return {**source_json(source), "job_id": job_id}


@router.get("/{source_id}", summary="Show a source", **describe_answer(SourceWithJobs))
async def show(source_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """A source with its latest jobs."""
    storage = services.storage
    (found,) = await count_failed_documents(storage, principal, [await storage.registry.source(principal, source_id)])
    jobs = await storage.queue.jobs(principal, source_id=source_id, limit=20)
    return {**source_json(found), "jobs": [job_json(job) for job in jobs]}


@router.post("/{source_id}/sync", status_code=202, summary="Sync a source", **describe_answer(JobId, 202))
async def sync(
    source_id: str, services: CurrentServices, principal: CurrentPrincipal, confirm: bool = False
) -> dict[str, Any]:
    """Sync now; `confirm` lets it delete as much as it finds gone."""
    return {"job_id": await request_sync(services.storage, principal, source_id, confirm=confirm)}


@router.delete("/{source_id}", status_code=204, summary="Remove a source")
async def remove(
    source_id: str, services: CurrentServices, principal: CurrentPrincipal, keep_documents: bool = False
) -> Response:
    """Forget the source; its documents go from every answer with it, unless they are to be kept. `X-Documents-Deleted` says how many."""
    deleted = await remove_source(services.storage, principal, source_id, keep_documents=keep_documents)
    return Response(status_code=204, headers={"X-Documents-Deleted": str(deleted)})
