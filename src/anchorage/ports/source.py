"""Source: where documents come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from anchorage.model import SourceItem


class Source(Protocol):
    """Lists what there is and hands over one item at a time."""

    @property
    def uri(self) -> str:
        """What the user named, as a URI."""
        ...

    @property
    def prefix(self) -> str | None:
        """The URI prefix under which a document that is not listed any more is gone; None where that cannot be told."""
        ...

    def list(self) -> AsyncIterator[str]:
        """The URIs of all items, in a stable order."""
        ...

    def fetch(self, uri: str) -> AbstractAsyncContextManager[SourceItem]:
        """The item's bytes as a local file, valid inside the context. Raises `NotFound`, `TooLarge`, `DocumentRefused`."""
        ...
