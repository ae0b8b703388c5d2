"""Upkeep: background maintenance of what is indexed."""

from __future__ import annotations

from typing import Protocol


class Upkeep(Protocol):
    """Done in bounded pieces, by one process at a time."""

    async def maintain(self, *, settled: bool = False, wait: bool = False) -> int:
        """One piece; returns how much was done, 0 when nothing is left or somebody else is at it.

        `settled` says that a load is over: what waits for that is done now. `wait`: who is at it is waited for.
        """
        ...
