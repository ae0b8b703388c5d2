"""What command line and HTTP do with registered sources."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from anchorage.errors import Conflict
from anchorage.ingest.sync import sync_job
from anchorage.model import Principal, RegisteredSource
from anchorage.wiring.services import Services, Storage
from anchorage.wiring.sources import check_location

_PATIENCE = 30.0  # seconds to wait for documents that are being processed


async def register_source(
    services: Services, principal: Principal, location: str, collection: str, options: Mapping[str, Any],
    every: int | None, *, local: bool,
) -> tuple[RegisteredSource, str]:  # fmt: skip
    """Register a source and queue its first sync; returns it with that job's id.

    Raises `BadRequest` for a wrong location, and `NotAllowed` for one on this machine unless `local` allows it.
    """
    checked = check_location(services.settings, location, options, local=local)
    await services.ingest.indexes.open(principal, collection)
    source = await services.storage.registry.add(principal, collection, checked, options, every)
    return source, await request_sync(services.storage, principal, source.id)


async def count_failed_documents(
    storage: Storage, principal: Principal, sources: Sequence[RegisteredSource]
) -> Sequence[RegisteredSource]:
    """Each source with how many of its documents could not be read when that was last tried."""
    failures = await storage.catalog.failures(principal, [source.id for source in sources]) if sources else {}
    return [replace(source, failed=failures.get(source.id, 0)) for source in sources]


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
        await storage.catalog.disown(principal, source.collection, source.id)
        await storage.registry.remove(principal, source.id)
        return 0
    deleted = await _delete_documents_of(storage, principal, source)
    await storage.registry.remove(principal, source.id)
    return deleted + await _delete_documents_of(storage, principal, source)  # a sync may have come in between


async def _delete_documents_of(storage: Storage, principal: Principal, source: RegisteredSource) -> int:
    held = await storage.catalog.of_source(principal, source.collection, source.id)
    alone = await storage.catalog.release(principal, source.collection, list(held.values()), source.id) if held else []
    return len(await storage.remover.delete_documents(principal, alone))
