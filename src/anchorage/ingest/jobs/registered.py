"""Registered sources as jobs use them: their records, read in common, and the sources themselves, which stay open."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from anchorage.batching import Batcher
from anchorage.errors import NotFound
from anchorage.model import Principal, RegisteredSource
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.source import Source

_OPEN_SOURCES = 100
_RECENT = 2.0  # seconds that a source's record serves the beginning of jobs
_RECORDS_AT_ONCE = 64
_PAUSE = 0.03  # seconds between two readings of records
PASSWORD = "password"  # noqa: S105  the option of a source that names a password of the settings

OpenSource = Callable[[RegisteredSource], AbstractAsyncContextManager[Source]]


class OpenSources:
    """Registered sources that are open: a site's manners and a client's connections outlive one document."""

    def __init__(self, open_source: OpenSource) -> None:
        self._open_source = open_source
        self._opened: OrderedDict[tuple[str, str, str], tuple[Source, AsyncExitStack]] = OrderedDict()

    async def open(self, registered: RegisteredSource, *, anew: bool = False) -> Source:
        """`anew`: opened again, so that what is wrong now shows. Raises what opening it raises."""
        key = (registered.id, registered.location, repr(registered.options))
        if anew or key not in self._opened:
            stack = AsyncExitStack()
            opened = await stack.enter_async_context(self._open_source(registered)), stack
            before, self._opened[key] = self._opened.get(key), opened
            if before:
                await before[1].aclose()
            await self._close_down_to(_OPEN_SOURCES)
        self._opened.move_to_end(key)
        return self._opened[key][0]

    async def close(self) -> None:
        """Close all. None may be in use."""
        await self._close_down_to(0)

    async def _close_down_to(self, most: int) -> None:
        """Close those that were used the longest ago."""
        while len(self._opened) > most:
            _, (_, stack) = self._opened.popitem(last=False)
            await stack.aclose()


class SourceRecords:
    """The records of registered sources, which the documents of one source share."""

    def __init__(self, registry: SourceRegistry) -> None:
        self._registry = registry
        self._recent: dict[tuple[str, str], tuple[float, RegisteredSource]] = {}
        self._batcher: Batcher[tuple[str, str], RegisteredSource | NotFound] = Batcher(
            self._read_batch, limit=_RECORDS_AT_ONCE, weight=lambda _: 1, pause=_PAUSE
        )

    async def read(self, owner: Principal, source_id: str) -> RegisteredSource:
        """As it is after this call began. Raises `NotFound`."""
        found = await self._batcher((owner.id, source_id))
        if isinstance(found, NotFound):
            raise found
        return found

    async def read_recent(self, owner: Principal, source_id: str) -> RegisteredSource:
        """As it was a moment ago, or is. Raises `NotFound`."""
        then, found = self._recent.get((owner.id, source_id), (-math.inf, None))
        if found and asyncio.get_running_loop().time() - then < _RECENT:
            return found
        return await self.read(owner, source_id)

    async def _read_batch(self, keys: Sequence[tuple[str, str]]) -> Sequence[RegisteredSource | NotFound]:
        found: dict[tuple[str, str], RegisteredSource | NotFound] = {}
        began = asyncio.get_running_loop().time()
        self._recent = {key: value for key, value in self._recent.items() if began - value[0] < _RECENT}
        for owner, source_id in dict.fromkeys(keys):
            try:
                record = await self._registry.source(Principal(owner), source_id)
            except NotFound as error:
                self._recent.pop((owner, source_id), None)
                found[owner, source_id] = error
            else:
                self._recent[owner, source_id] = began, record
                found[owner, source_id] = record
        return [found[key] for key in keys]
