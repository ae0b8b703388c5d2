"""The worker: runs queued jobs, syncs sources when they are due, and keeps the index tidy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from anchorage.cancellation import raise_if_cancelled
from anchorage.errors import AnchorageError
from anchorage.ingest.jobs.registered import OpenSources
from anchorage.ingest.jobs.runner import JobRunner
from anchorage.ingest.removal import BlobSweeper
from anchorage.ingest.sync import sync_job
from anchorage.model import Principal
from anchorage.ports.queue import Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.upkeep import Upkeep
from anchorage.telemetry import record_degradation

_log = structlog.get_logger(__name__)
_MAINTENANCE_PAUSE = 5.0
_SCHEDULE_PAUSE = 2.0
_SWEEP_PAUSE = 600.0
_GRACE = 3600.0  # seconds that bytes stay after they were let go of

RemoveLeftovers = Callable[[], Awaitable[None]]


class Worker:
    """Takes jobs from the queue, and does what must be done again and again beside them."""

    def __init__(
        self, queue: Queue, runner: JobRunner, sources: OpenSources, scheduler: Scheduler, sweeper: Sweeper,
        upkeep: Upkeep,
    ) -> None:  # fmt: skip
        self._queue, self._runner, self._sources = queue, runner, sources
        self._scheduler, self._sweeper, self._upkeep = scheduler, sweeper, upkeep

    async def work(self, concurrency: int) -> None:
        """Work until cancelled, on so many jobs at once; then close the sources that are open."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.work(self._runner.run, concurrency=concurrency))
                group.create_task(self._scheduler.run())
                group.create_task(self._sweeper.run())
                group.create_task(maintain_forever(self._upkeep))
        finally:
            await self._sources.close()


class Scheduler:
    """Queues the syncs that are due."""

    def __init__(self, registry: SourceRegistry, queue: Queue) -> None:
        self._registry, self._queue = registry, queue

    async def run(self) -> None:
        """Until cancelled; trouble is logged and tried again."""
        while True:
            try:
                due = await self._registry.due()
            except AnchorageError as error:
                _log.warning("scheduling_failed", reason=error.message)
                due = []
            for source in due:
                try:
                    await self._queue.add(Principal(source.owner), [sync_job(source)])
                except AnchorageError as error:  # removed in this moment, or Postgres is away: its next turn comes
                    _log.warning("scheduling_failed", source=source.location, reason=error.message)
            raise_if_cancelled()
            await asyncio.sleep(_SCHEDULE_PAUSE)


class Sweeper:
    """Forgets old jobs, the bytes of uploads that came to nothing, and what killed processes left."""

    def __init__(self, blobs: BlobSweeper, remove_leftovers: RemoveLeftovers) -> None:
        self._blobs, self._remove_leftovers = blobs, remove_leftovers

    async def run(self) -> None:
        """Until cancelled; trouble is logged and tried again."""
        while True:
            try:
                await self._remove_leftovers()
                await self._blobs.sweep_blobs(_GRACE)
            except AnchorageError as error:
                _log.warning("sweeping_failed", reason=error.message)
            raise_if_cancelled()
            await asyncio.sleep(_SWEEP_PAUSE)


async def maintain_forever(upkeep: Upkeep) -> None:
    """Merge index segments in the background, piece by piece; trouble is logged and tried again."""
    while True:
        done = await maintain_once(upkeep)
        raise_if_cancelled()
        if not done:
            await asyncio.sleep(_MAINTENANCE_PAUSE)


async def maintain_once(upkeep: Upkeep, *, settled: bool = False) -> int:
    """One piece of it; 0 when nothing is left, or when it went wrong, which is no matter of the documents."""
    try:
        return await upkeep.maintain(settled=settled)
    except AnchorageError as error:
        raise_if_cancelled()  # it may have broken its connection by that
        record_degradation("index_maintenance", error.message)
        return 0
