"""What command line and HTTP do with registered sources."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from anchorage.errors import Conflict
from anchorage.ingest.indexing import open_indexing
from anchorage.ingest.removal import delete_documents
from anchorage.ingest.sync import sync_job
from anchorage.model import Principal, RegisteredSource
from anchorage.wiring import Services, Storage, check_location

_PATIENCE = 30.0  # seconds to wait for documents that are being processed


async def register_source(
    services: Services, principal: Principal, location: str, collection: str, options: Mapping[str, Any],
    every: int | None, *, local: bool,
) -> tuple[RegisteredSource, str]:  # fmt: skip
    """Register a source and queue its first sync; returns it with that job's id.

    Raises `BadRequest` for a wrong location, and `NotAllowed` for one on this machine unless `local` allows it.
    """
    checked = check_location(services.settings, location, options, local=local)
    await open_indexing(services.ingest, principal, collection)
    source = await services.storage.registry.add(principal, collection, checked, options, every)
    return source, await request_sync(services.storage, principal, source.id)


async def count_failed_documents(
    storage: Storage, principal: Principal, sources: Sequence[RegisteredSource]
) -> Sequence[tuple[RegisteredSource, int]]:
    """Count, for each source, the documents whose last reading failed. Returns (source, count) pairs."""
    failures = await storage.store.failures(principal, [source.id for source in sources]) if sources else {}
    return [(source, failures.get(source.id, 0)) for source in sources]


async def request_sync(storage: Storage, principal: Principal, source_id: str, *, confirm: bool = False) -> str:
    """Queue a sync; returns the job's id. Raises `NotFound`."""
    source = await storage.registry.source(principal, source_id)
    (job_id,) = await storage.queue.add(principal, [sync_job(source, confirmed=confirm)])
    return job_id


async def remove_source(storage: Storage, principal: Principal, source_id: str, *, keep_documents: bool) -> int:
    """Forget a source with its jobs; returns how many documents went with it.

    Its record goes last, so that what fails on the way can be done again. Raises `NotFound`, and `Conflict` when its documents are in
    work for too long.
    """
    source = await storage.registry.source(principal, source_id)
    end = time.monotonic() + _PATIENCE
    while await storage.queue.cancel_source(source.id):  # running jobs would bring documents back
        if time.monotonic() > end:
            await storage.queue.add(principal, [sync_job(source)])  # the source stays: a sync finds again what waited
            raise Conflict(
                f"Documents of {source.location} are in work. Remove the source when they are done, or cancel their jobs."
            )
        await asyncio.sleep(0.2)
    if keep_documents:
        await storage.store.disown(principal, source.collection, source.id)
        await storage.registry.remove(principal, source.id)
        return 0
    deleted = await _delete_documents_of(storage, principal, source)
    await storage.registry.remove(principal, source.id)
    return deleted + await _delete_documents_of(storage, principal, source)  # a sync may have come in between


async def _delete_documents_of(storage: Storage, principal: Principal, source: RegisteredSource) -> int:
    held = await storage.store.of_source(principal, source.collection, source.id)
    alone = await storage.store.release(principal, source.collection, list(held.values()), source.id) if held else []
    return len(await delete_documents(storage, principal, alone))
