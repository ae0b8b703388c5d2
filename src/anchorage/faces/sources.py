"""What command line and HTTP do with registered sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anchorage.ingest.pipeline import delete_documents
from anchorage.ingest.sync import sync_job
from anchorage.model import Principal, RegisteredSource
from anchorage.wiring import Services, Storage, check_location


async def register(
    services: Services, principal: Principal, location: str, collection: str, options: Mapping[str, Any], every: int | None
) -> tuple[RegisteredSource, str]:  # fmt: skip
    """Register a source and queue its first sync; returns it with that job's id. Raises `BadRequest` for a wrong location."""
    checked = check_location(services.settings, location, options)
    await services.storage.store.open_collection(principal, collection, services.ingest.index)
    source = await services.storage.registry.add(principal, collection, checked, options, every)
    return source, await request_sync(services.storage, principal, source.id)


async def request_sync(storage: Storage, principal: Principal, source_id: str, *, confirm: bool = False) -> str:
    """Queue a sync; returns the job's id. Raises `NotFound`."""
    source = await storage.registry.source(principal, source_id)
    (job_id,) = await storage.queue.add(principal, [sync_job(source, confirmed=confirm)])
    return job_id


async def remove_source(storage: Storage, principal: Principal, source_id: str, *, keep_documents: bool) -> int:
    """Forget a source with its jobs; returns how many documents went with it. Raises `NotFound`."""
    source = await storage.registry.source(principal, source_id)
    held = await storage.store.of_source(principal, source.collection, source.id)
    await storage.registry.remove(principal, source.id)  # first, so that no job brings back what is deleted next
    if keep_documents:
        return 0
    return len(await delete_documents(storage.store, storage.blobs, principal, list(held.values())))
