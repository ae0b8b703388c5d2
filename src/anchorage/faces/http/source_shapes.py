"""What the API says of registered sources, for OpenAPI; `faces.shapes` builds it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from anchorage.faces.http.shapes import FailureShape, JobShape


class SourceShape(BaseModel):
    """A registered source with what its last sync found; `failed` documents could not be read when that was last tried."""

    id: str
    location: str
    collection: str
    options: dict[str, Any]
    every: int | None
    status: Literal["new", "syncing", "synced", "held", "failed"]
    error: FailureShape | None
    report: dict[str, Any]
    synced_at: str | None
    next_sync_at: str | None
    failed: int


class SourceWithJob(SourceShape):
    """A source as it was registered, with its first sync."""

    job_id: str


class SourceWithJobs(SourceShape):
    """A source with its latest jobs."""

    jobs: list[JobShape]


class Sources(BaseModel):
    """All registered sources."""

    sources: list[SourceShape]
