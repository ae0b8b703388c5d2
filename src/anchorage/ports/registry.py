"""Registry: the sources that are kept in sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from anchorage.model import Failure, Principal, RegisteredSource


class SourceRegistry(Protocol):
    """Every call takes the principal and sees only what is theirs; the last two serve the workers."""

    async def add(
        self, principal: Principal, collection: str, location: str, options: Mapping[str, Any], interval: int | None
    ) -> RegisteredSource:
        """Register a source, due after its interval (seconds); one that is registered already takes the new options and interval."""
        ...

    async def sources(self, principal: Principal) -> Sequence[RegisteredSource]:
        """All of the principal's, the oldest first."""
        ...

    async def source(self, principal: Principal, source_id: str) -> RegisteredSource:
        """Raises `NotFound`."""
        ...

    async def remove(self, principal: Principal, source_id: str) -> None:
        """Forget it, with its jobs. Raises `NotFound`."""
        ...

    async def due(self) -> Sequence[RegisteredSource]:
        """The sources whose time has come; each is due again after its interval."""
        ...

    async def note(
        self, source_id: str, status: str, failure: Failure | None = None, report: Mapping[str, Any] | None = None
    ) -> None:
        """Record where a sync stands or how it ended: syncing, synced, held or failed."""
        ...
