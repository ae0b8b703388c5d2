"""Queue: durable work for any worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from anchorage.model import Job, Outcome, Principal

Ingest = Callable[[str, str, str, str | None], Awaitable[Outcome]]
"""Handles one queued document: collection, uri, name, blob key."""


class Queue(Protocol):
    """A job is a document to ingest. Jobs survive restarts; a worker takes one at a time per slot."""

    async def defer(self, collection: str, uri: str, name: str, blob_key: str, principal: Principal) -> str:
        """Queue a document whose bytes are in the blob store; returns the job's id."""
        ...

    async def jobs(self, principal: Principal, *, limit: int = 100) -> Sequence[Job]:
        """The newest jobs first."""
        ...

    async def job(self, principal: Principal, job_id: str) -> Job:
        """Raises `NotFound`."""
        ...

    async def work(self, handle: Ingest, *, concurrency: int) -> None:
        """Take and run jobs until cancelled; a running job is finished or given back."""
        ...
