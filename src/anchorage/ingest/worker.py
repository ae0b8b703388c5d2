"""The worker: ingests queued documents and keeps the index tidy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from anchorage.errors import AnchorageError
from anchorage.ingest.pipeline import IngestServices, ingest_source
from anchorage.model import Outcome, Principal, SourceEntry, SourceItem
from anchorage.ports.blob import BlobStore
from anchorage.ports.queue import Queue
from anchorage.ports.store import Store
from anchorage.telemetry import degraded

_log = structlog.get_logger(__name__)
_MAINTENANCE_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class UploadedSource:
    """A source of one document, whose bytes are in the blob store already."""

    blobs: BlobStore
    uri: str
    name: str
    blob_key: str
    prefix: None = None

    async def list(self) -> AsyncIterator[SourceEntry]:
        yield SourceEntry(self.uri)

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        async with self.blobs.local(self.blob_key) as path:
            size = (await asyncio.to_thread(path.stat)).st_size
            yield SourceItem(uri, self.name, str(path), size)


async def ingest_upload(
    services: IngestServices, principal: Principal, collection: str, uri: str, name: str, blob_key: str
) -> Outcome:
    """Ingest one uploaded file."""
    source = UploadedSource(services.blobs, uri, name, blob_key)
    outcomes = [outcome async for outcome in ingest_source(services, principal, collection, source)]
    return outcomes[0]


async def run_worker(services: IngestServices, queue: Queue, principal: Principal, concurrency: int) -> None:
    """Work until cancelled."""

    async def handle(collection: str, uri: str, name: str, blob_key: str | None) -> Outcome:
        assert blob_key is not None
        return await ingest_upload(services, principal, collection, uri, name, blob_key)

    async with asyncio.TaskGroup() as group:
        group.create_task(queue.work(handle, concurrency=concurrency))
        group.create_task(maintain_forever(services.store))


async def maintain_forever(store: Store) -> None:
    """Merge index segments in the background, piece by piece; trouble is logged and tried again."""
    while True:
        if not await maintain_once(store):
            await asyncio.sleep(_MAINTENANCE_PAUSE)


async def maintain_once(store: Store) -> int:
    """One piece of it; 0 when nothing is left, or when it went wrong, which is no matter of the documents."""
    try:
        return await store.maintain()
    except AnchorageError as error:
        degraded("index_maintenance", error.message)
        return 0
