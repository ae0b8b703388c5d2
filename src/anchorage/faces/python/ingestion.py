"""Ingestion in this process: sources are opened and read here, or their files are queued for a worker."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from anchorage.errors import AnchorageError
from anchorage.ingest.jobs.upload import upload_job
from anchorage.ingest.worker import maintain_once
from anchorage.model import DocumentStatus, Failure, Outcome
from anchorage.ports.source import Source
from anchorage.settings import Settings
from anchorage.wiring.services import Services
from anchorage.wiring.sources import open_location

Opening = Callable[[], Awaitable[Services]]
Counted = Callable[[int | None], object]
"""Is told how many documents there are, or None where counting them would fetch them all."""


async def ingest_places(
    settings: Settings, services: Opening, places: Sequence[str | Path], collection: str, *, wait: bool,
    web: Mapping[str, Any] | None, counted: Counted,
) -> AsyncGenerator[Outcome, None]:  # fmt: skip
    """What becomes of each document; all places are checked before anything is done. Raises `BadRequest`."""
    async with AsyncExitStack() as stack:
        sources = [await stack.enter_async_context(open_location(settings, str(place), web)) for place in places]
        total = None if web is not None else await _count(sources)
        opened = await services()
        counted(total)
        for source in sources:
            ingester = opened.ingest.ingester_for(opened.principal) if wait else None
            outcomes = ingester.ingest_source(collection, source) if ingester else _queue(opened, collection, source)
            async for outcome in outcomes:
                yield outcome
        while wait and await maintain_once(opened.storage.upkeep, settled=True):
            pass


async def _count(sources: Sequence[Source]) -> int | None:
    if not all(source.uri.startswith("file:") for source in sources):
        return None
    total = 0
    for source in sources:
        async for _ in source.list():
            total += 1
    return total


async def _queue(services: Services, collection: str, source: Source) -> AsyncGenerator[Outcome, None]:
    """Keep the files' bytes and leave the rest to a worker."""
    await services.ingest.indexes.open(services.principal, collection)
    async for entry in source.list():
        uri = entry.uri
        try:
            async with source.fetch(uri) as item:
                key = await services.storage.blobs.put(Path(item.path))
            job = upload_job(services.principal, collection, uri, item.name, key)
            await services.storage.queue.add(services.principal, [job])
        except AnchorageError as error:
            yield Outcome(uri, None, DocumentStatus.FAILED, error=Failure(error.code, error.message))
        else:
            yield Outcome(uri, None, DocumentStatus.QUEUED)
