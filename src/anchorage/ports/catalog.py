"""Catalog: collections and their documents. Every read takes the principal and filters by it inside the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anchorage.model import Block, Chunk, Collection, Document, DocumentText, Failure, IndexSpec, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.model.search import Excerpt, Span

Ids = Sequence[str]
Vectors = Mapping[tuple[str, str], NDArray[np.float32]]
USER_KINDS = ("user", "docs")


# fmt: off
class Catalog(Protocol):
    """What there is, what it says, and how it changes. Those that look for one thing raise `NotFound`."""

    async def open_collection(self, principal: Principal, name: str, index: IndexSpec, *, kind: str = "user") -> Collection:
        """The collection; made with this index when it is new, or empty. Another keeps the index that it has."""
    async def collections(self, principal: Principal, *, kinds: Sequence[str] = USER_KINDS) -> Sequence[Collection]:
        """All that the principal may read, by name."""
    async def drop_collection(self, principal: Principal, name: str) -> None:
        """Remove it with all it holds."""
    async def documents(self, principal: Principal, *, collection: str | None = None, limit: int = 1000,
                        after: tuple[str, str] | None = None, status: str | None = None, matching: str = "") -> Sequence[Document]:
        """By collection and uri, behind `after` (those of the last one seen), of this status, with `matching` in title or uri."""
    async def document(self, principal: Principal, document_id: str) -> Document:
        """The record of one document."""
    async def versions(self, principal: Principal, collection: str, uris: Sequence[str]) -> Mapping[str, Document]:
        """The documents among `uris` that the collection holds, by uri."""
    async def uris_below(self, principal: Principal, collection: str, prefix: str) -> Mapping[str, str]:
        """Document ids by uri, of every document whose uri starts with `prefix`."""
    async def chunks(self, principal: Principal, document_id: str, *, after: int = -1, limit: int = 100) -> Sequence[tuple[str, Chunk]]:
        """The passages of the indexed version with their ids, in order, behind the ordinal `after`."""
    async def text(self, principal: Principal, document_id: str, version: str | None = None) -> DocumentText:
        """The text of a version, of the current one by default."""
    async def structures(self, principal: Principal, versions: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Block]]:
        """The blocks of the texts of these versions, by document id and version; none where there is no text, or where they are not known."""
    async def excerpts(self, principal: Principal, spans: Sequence[Span], width: int = 32, *, keep: bool = False) -> Sequence[Excerpt | None]:
        """What the texts hold at the spans, with `width` characters on both sides; None where there is no text.

        `keep`: these texts stay when their versions are replaced, since something that lasts is going to cite them.
        """
    async def read_vectors(self, principal: Principal, document_id: str, *, index_id: int | None = None) -> Vectors:
        """The vectors of the indexed version's chunks, by header and text. Raises `IndexMoved` as `replace` does."""
    async def replace(self, principal: Principal, collection: str, documents: Sequence[IndexedDocument], *, index_id: int | None = None) -> Ids:
        """Make these versions visible and the older ones not, all in one transaction; returns their ids.

        Raises `IndexMoved` when `index_id`, which they were made for, is not the live index any more, and `Superseded` when one
        of them `replaces` what is not there any more.
        """
    async def fail(self, principal: Principal, collection: str, uri: str, title: str, failure: Failure, metadata: Mapping[str, Any],
                   *, tag: str | None = None, source_id: str | None = None) -> str:
        """Record why a document could not be processed. An older indexed version stays."""
    async def confirm(self, principal: Principal, document_id: str, version: str, tag: str | None, source_id: str | None = None) -> None:
        """The indexed version is right (again): its failure is taken back; source and tag are noted. Raises `Superseded`."""
    async def delete(self, principal: Principal, document_ids: Ids) -> Ids:
        """Remove documents from every answer at once; returns the ids that were there."""
    async def blob_keys(self, principal: Principal, document_ids: Ids) -> Sequence[str]:
        """The blob keys of these documents."""
    async def unused_blobs(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of the keys that no document has."""
    async def of_source(self, principal: Principal, collection: str, source_id: str) -> Mapping[str, str]:
        """Document ids by uri, of every document that a registered source lists."""
    async def failures(self, principal: Principal, source_ids: Ids) -> Mapping[str, int]:
        """How many documents of each registered source could not be read when last tried; none is no entry."""
    async def claim(self, principal: Principal, collection: str, uris: Sequence[str], source_id: str) -> None:
        """Note that a registered source lists these documents, which belong to another one."""
    async def release(self, principal: Principal, collection: str, document_ids: Ids, source_id: str) -> Ids:
        """Take documents from a source that lists them no more; returns the ids of those that no other one lists."""
    async def disown(self, principal: Principal, collection: str, source_id: str) -> None:
        """Keep the documents of a registered source that is to be removed."""
    async def ping(self) -> None:
        """Raises `DatabaseUnavailable`."""
