"""The last step, and its counterpart: documents written to the catalog and looked up in it, many in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from anchorage.batching import Batcher
from anchorage.errors import Contended, DatabaseUnavailable
from anchorage.model import Document, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.catalog import Catalog

_log = structlog.get_logger(__name__)
_DATABASE_RETRIES = (0.5, 1, 2, 4, 8, 8, 8)  # seconds between tries to store a batch while Postgres is away
_PAUSE = 0.05  # seconds between the beginnings of two small batches
_WRITERS = 2  # a vector index takes one row at a time of each connection
LOOKED_UP_AT_ONCE = 500


class DocumentLookup:
    """What the catalog has of documents; who asks at the same time shares a query."""

    def __init__(self, catalog: Catalog, principal: Principal) -> None:
        self._catalog, self._principal = catalog, principal
        self._batcher: Batcher[tuple[str, str], Document | None] = Batcher(
            self._find_batch, limit=LOOKED_UP_AT_ONCE, weight=lambda _: 1, pause=_PAUSE
        )

    async def find(self, collection: str, uri: str) -> Document | None:
        """One document; None where there is none."""
        return await self._batcher((collection, uri))

    async def find_many(self, collection: str, uris: Sequence[str]) -> Mapping[str, Document]:
        """Those of the collection that are there, by uri."""
        return await self._catalog.versions(self._principal, collection, uris)

    async def _find_batch(self, keys: Sequence[tuple[str, str]]) -> Sequence[Document | None]:
        found: dict[tuple[str, str], Document] = {}
        for collection in dict.fromkeys(name for name, _ in keys):
            documents = await self.find_many(collection, [uri for name, uri in keys if name == collection])
            found |= {(collection, uri): document for uri, document in documents.items()}
        return [found.get(key) for key in keys]


class DocumentWriter:
    """Stores documents in common transactions; one that fails for want of the database is tried again."""

    def __init__(self, catalog: Catalog, principal: Principal, batch_chunks: int) -> None:
        self._catalog, self._principal = catalog, principal
        self._batcher: Batcher[tuple[str, int, IndexedDocument], str] = Batcher(
            self._write_batch, limit=batch_chunks, weight=lambda item: max(1, len(item[2].chunks)),
            at_once=_WRITERS, pause=_PAUSE,
        )  # fmt: skip

    async def write(self, collection: str, index_id: int, document: IndexedDocument) -> str:
        """Make the document visible, and its older version not; returns its id.

        Raises `DatabaseUnavailable` when Postgres stays away, and what the catalog's `replace` raises.
        """
        return await self._batcher((collection, index_id, document))

    async def confirm(self, known: Document, tag: str | None, source_id: str | None) -> None:
        """The indexed version is right as it is. Raises what the catalog's `confirm` raises."""
        await self._catalog.confirm(self._principal, known.id, known.version or "", tag, source_id)

    async def _write_batch(self, items: Sequence[tuple[str, int, IndexedDocument]]) -> Sequence[str]:
        ids: dict[tuple[str, str], str] = {}
        for target in dict.fromkeys((name, index_id) for name, index_id, _ in items):
            documents = list({item.uri: item for name, index_id, item in items if (name, index_id) == target}.values())
            for item, document_id in zip(documents, await self._replace_patiently(*target, documents), strict=True):
                ids[target[0], item.uri] = document_id
        return [ids[collection, item.uri] for collection, _, item in items]

    async def _replace_patiently(
        self, collection: str, index_id: int, documents: Sequence[IndexedDocument]
    ) -> Sequence[str]:
        for delay in _DATABASE_RETRIES:
            try:
                return await self._catalog.replace(self._principal, collection, documents, index_id=index_id)
            except (DatabaseUnavailable, Contended) as error:
                _log.warning("storing_retried", reason=error.message, seconds=delay)
                await asyncio.sleep(delay)
        return await self._catalog.replace(self._principal, collection, documents, index_id=index_id)
