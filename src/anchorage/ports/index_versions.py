"""Index versions: a second index of a collection, built beside the one that answers, and put in its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anchorage.model import Chunk, IndexSpec, IndexVersion, ParsedDocument, Principal


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document's current version as the store keeps it, ready to be cut and embedded anew."""

    id: str
    uri: str
    version: str
    parsed: ParsedDocument


@dataclass(frozen=True, slots=True)
class Passages:
    """What an index holds of a document version: chunks, a header line for each, and vectors of shape (chunks, dimension)."""

    document: StoredDocument
    chunks: Sequence[Chunk]
    headers: Sequence[str]
    vectors: NDArray[np.float32]


class IndexVersions(Protocol):
    """A collection has one live version and at most one other. Raises `NotFound` and `NotAllowed` like the store."""

    async def versions(self, principal: Principal, collection: str) -> Sequence[IndexVersion]:
        """The live one first."""
        ...

    async def begin(self, principal: Principal, collection: str, spec: IndexSpec) -> IndexVersion:
        """The version of this spec beside the live one, made when there is none.

        Raises `Conflict` when another is there, or the live one has this spec.
        """
        ...

    async def behind(
        self, principal: Principal, index_id: int, *, after: str | None, limit: int
    ) -> Sequence[StoredDocument]:
        """Documents, in the order of their ids, whose current version this index does not hold."""
        ...

    async def fill(self, principal: Principal, index_id: int, items: Sequence[Passages]) -> int:
        """Put passages into a version that is not live; returns of how many documents. What has changed since is left out."""
        ...

    async def switch(
        self, principal: Principal, index_id: int, catch_up: Callable[[], Awaitable[None]], *, most: int
    ) -> int:
        """Make this version the live one, and the live one the other, at once for everybody.

        Writers of the collection are held up meanwhile, and `catch_up` is called to fill in the documents that it lacks, up to
        `most`. Returns 0; else how many it lacks, and nothing was changed.
        """
        ...

    async def discard(self, principal: Principal, index_id: int) -> None:
        """Remove a version that is not live. Raises `Conflict` when it is."""
        ...
