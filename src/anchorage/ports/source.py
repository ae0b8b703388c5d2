"""Source: where documents come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from anchorage.model import SourceEntry, SourceItem


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

    @property
    def lists_all(self) -> bool:
        """Whether what its last list did not name is gone; else only `fetch` can tell, by `NotFound`."""
        ...

    def list(self) -> AsyncIterator[SourceEntry]:
        """All items, in a stable order, each URI once.

        Raises `Unavailable` when it does not answer now, `NotAllowed` for wrong credentials, `NotFound` when it is gone: an
        incomplete list never ends as if it were whole.
        """
        ...

    def fetch(self, uri: str) -> AbstractAsyncContextManager[SourceItem]:
        """The item's bytes as a local file, valid inside the context.

        Raises `NotFound` when the source says that it is gone, `TooLarge`, `DocumentRefused`, `NotAllowed`, and `Unavailable`
        when the source does not answer now or the item changed while it was read.
        """
        ...
