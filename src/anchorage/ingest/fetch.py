"""The first step: an item of a source as a local file, its original bytes kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anchorage.ingest.batching import Budget
from anchorage.model import SourceItem
from anchorage.ports.blob import BlobStore
from anchorage.ports.queue import Progress
from anchorage.ports.source import Source

_BYTES_IN_FLIGHT = 128 * 1024**2  # of files being parsed and embedded


@dataclass(frozen=True, slots=True)
class Fetched:
    """An item with its bytes in a local file, and the key under which the original is kept."""

    item: SourceItem
    blob_key: str


class Fetcher:
    """Fetches items and keeps their originals. What is in flight at once is bounded by its bytes."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._in_flight = Budget(_BYTES_IN_FLIGHT)

    @asynccontextmanager
    async def fetch(
        self, source: Source, uri: str, in_flight: AsyncExitStack, progress: Progress
    ) -> AsyncIterator[Fetched]:
        """The item, valid inside the context. Its bytes count as in flight until `in_flight` is closed.

        Raises what the source's `fetch` raises.
        """
        async with source.fetch(uri) as item:
            with progress.waiting():
                await in_flight.enter_async_context(self._in_flight.hold(item.size))
            yield Fetched(item, await self._blobs.put(Path(item.path)))
