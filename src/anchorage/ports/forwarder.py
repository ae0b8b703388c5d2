"""Forwarder: passes a request on to the process that does its work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from anchorage.model import Principal


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A request as it was understood. `path` and `query` are as in an address, percent-encoded; no `body`: there is none."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Reading `body` raises `Unavailable` where it breaks off."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class Forwarder(Protocol):
    """Stands in for another role, on behalf of a principal."""

    def forward(self, principal: Principal, request: Forwarded) -> AbstractAsyncContextManager[Reply]:
        """Raises `Unavailable` where no answer comes."""
        ...
