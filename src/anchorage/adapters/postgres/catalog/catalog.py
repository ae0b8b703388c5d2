"""The catalog on Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from anchorage.adapters.postgres.catalog import claims, collections, documents, excerpts, passages
from anchorage.adapters.postgres.catalog.collections import live_indexes, other_indexes
from anchorage.adapters.postgres.pool import Pool, connection_for, ping, translate_errors
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorIndexes, VectorWrites
from anchorage.errors import IndexMoved, NotFound, Superseded
from anchorage.model import Block, Chunk, Collection, Document, DocumentText, Failure, IndexSpec, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.model.search import Excerpt, Span

_DELETE_AT_ONCE = 200
_LISTED = "(%(collection)s::text IS NULL AND c.kind <> 'eval' OR c.name = %(collection)s)"
_PAGE = (
    f"{_LISTED} AND (%(uri)s::text IS NULL OR (c.name, d.uri) > (%(name)s::text, %(uri)s::text)) "
    "AND (%(status)s::text IS NULL OR d.status = %(status)s) "
    "AND (%(words)s::text IS NULL OR strpos(lower(d.title), %(words)s) > 0 OR strpos(lower(d.uri), %(words)s) > 0) "
    "ORDER BY c.name, d.uri LIMIT %(limit)s"
)


class PostgresCatalog:
    """Implements the `Catalog` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool, vectors: VectorIndexes) -> None:
        self._pool = pool
        self._vectors = vectors

    @asynccontextmanager
    async def _writing(self, what: str) -> AsyncIterator[tuple[VectorWrites, AsyncConnection[Any]]]:
        """A connection, and the vectors' part in what is committed there."""
        async with self._vectors.writing() as vectors, connection_for(self._pool, what) as connection:
            yield vectors, connection

    async def open_collection(
        self, principal: Principal, name: str, index: IndexSpec, *, kind: str = "user"
    ) -> Collection:
        async with self._writing(f"opening the collection {name!r}") as (vectors, connection):
            live = await collections.open_collection(connection, vectors, principal, name, index, kind)
        return Collection(live.collection, live.spec, live.tables.id)

    async def collections(
        self, principal: Principal, *, kinds: Sequence[str] = ("user", "docs")
    ) -> Sequence[Collection]:
        async with connection_for(self._pool, "listing the collections") as connection:
            return await collections.list_collections(connection, principal, kinds)

    async def drop_collection(self, principal: Principal, name: str) -> None:
        async with self._writing(f"dropping the collection {name!r}") as (vectors, connection):
            await collections.drop_collection(connection, vectors, principal, name)

    async def versions(self, principal: Principal, collection: str, uris: Sequence[str]) -> Mapping[str, Document]:
        async with connection_for(self._pool, "looking up documents") as connection:
            # The hash is the index's expression; the uri itself decides.
            condition = (
                "c.name = %(name)s AND d.uri = ANY(%(uris)s) AND md5(d.uri) = "
                "ANY(SELECT md5(u) FROM unnest(%(uris)s::text[]) AS u)"
            )
            found = await documents.find(connection, principal, condition, {"name": collection, "uris": list(uris)})
        return {document.uri: document for document in found}

    async def uris_below(self, principal: Principal, collection: str, prefix: str) -> Mapping[str, str]:
        return await self._ids(principal, collection, "starts_with(d.uri, %(value)s)", prefix)

    async def of_source(self, principal: Principal, collection: str, source_id: str) -> Mapping[str, str]:
        return await self._ids(principal, collection, claims.OF_SOURCE, source_id)

    async def failures(self, principal: Principal, source_ids: Sequence[str]) -> Mapping[str, int]:
        async with connection_for(self._pool, "counting failed documents") as connection:
            return await claims.failures(connection, principal, source_ids)

    async def _ids(self, principal: Principal, collection: str, condition: str, value: str) -> Mapping[str, str]:
        """Document ids by uri, of the documents of a collection that meet an SQL condition on `d`."""
        async with connection_for(self._pool, "listing documents") as connection:
            cursor = await connection.execute(
                "SELECT d.uri, d.id::text FROM anchorage.documents d JOIN anchorage.collections c ON c.id = d.collection_id "
                f"WHERE c.name = %(name)s AND c.readers && %(readers)s AND {condition}",
                {"name": collection, "readers": principal.readers, "value": value},
            )
            return dict(await cursor.fetchall())

    async def claim(self, principal: Principal, collection: str, uris: Sequence[str], source_id: str) -> None:
        async with connection_for(self._pool, "noting who lists documents") as connection:
            live = await self._writable(connection, principal, collection)
            await claims.claim(connection, live, uris, source_id)

    async def release(
        self, principal: Principal, collection: str, document_ids: Sequence[str], source_id: str
    ) -> Sequence[str]:
        async with connection_for(self._pool, "taking documents from their source") as connection:
            live = await self._writable(connection, principal, collection)
            ids = [documents.as_uuid(item) for item in document_ids]
            return [str(item) for item in await claims.release(connection, live, ids, source_id)]

    async def disown(self, principal: Principal, collection: str, source_id: str) -> None:
        held = await self.of_source(principal, collection, source_id)
        async with connection_for(self._pool, "taking documents from their source") as connection:
            live = await self._writable(connection, principal, collection)
            left = await claims.release(connection, live, [UUID(item) for item in held.values()], source_id)
            await connection.execute("UPDATE anchorage.documents SET source_id = NULL WHERE id = ANY(%s)", (left,))

    async def _writable(
        self, connection: AsyncConnection[Any], principal: Principal, collection: str, *, lock: bool = False
    ) -> LiveIndex:
        (live,) = await live_indexes(connection, principal, [collection], write=True, lock=lock)
        return live

    async def replace(
        self, principal: Principal, collection: str, items: Sequence[IndexedDocument], *, index_id: int | None = None
    ) -> Sequence[str]:
        async with (
            self._writing(f"writing documents of {collection!r}") as (vectors, connection),
            connection.transaction(),
        ):
            await connection.execute(documents.WRITE_TIMEOUT)
            live = await self._writable(connection, principal, collection, lock=True)
            _check_live(live, index_id)
            return await documents.replace(connection, vectors, live, items)

    async def fail(
        self, principal: Principal, collection: str, uri: str, title: str, failure: Failure,
        metadata: Mapping[str, Any], *, tag: str | None = None, source_id: str | None = None,
    ) -> str:  # fmt: skip
        async with connection_for(self._pool, "recording a failed document") as connection:
            live = await self._writable(connection, principal, collection)
            return await documents.fail(connection, live, uri, title, failure, metadata, tag, source_id)

    async def confirm(
        self, principal: Principal, document_id: str, version: str, tag: str | None, source_id: str | None = None
    ) -> None:
        document = await self.document(principal, document_id)
        async with connection_for(self._pool, "confirming a document") as connection:
            await self._writable(connection, principal, document.collection)
            cursor = await connection.execute(
                "UPDATE anchorage.documents SET status = 'indexed', error_code = NULL, error_message = NULL, tag = %s, "
                "source_id = coalesce(source_id, %s), "
                "updated_at = now() WHERE id = %s AND version = %s",
                (tag, source_id, documents.as_uuid(document_id), version),
            )
        if not cursor.rowcount:
            raise Superseded(f"{document.uri} has changed in the index since it was read. Ingest it again.")

    async def read_vectors(
        self, principal: Principal, document_id: str, *, index_id: int | None = None
    ) -> Mapping[tuple[str, str], NDArray[np.float32]]:
        document = await self.document(principal, document_id)
        async with connection_for(self._pool, "reading a document's vectors") as connection:
            (live,) = await live_indexes(connection, principal, [document.collection])
            _check_live(live, index_id)
            return await passages.read_vectors(connection, self._vectors, live, documents.as_uuid(document_id))

    async def blob_keys(self, principal: Principal, document_ids: Sequence[str]) -> Sequence[str]:
        ids = [documents.as_uuid(item) for item in document_ids]
        async with connection_for(self._pool, "looking up documents") as connection:
            found = await documents.find(connection, principal, "d.id = ANY(%(ids)s)", {"ids": ids})
        return sorted({document.blob_key for document in found if document.blob_key})

    async def unused_blobs(self, keys: Sequence[str]) -> Sequence[str]:
        async with connection_for(self._pool, "looking up originals") as connection:
            cursor = await connection.execute(
                "SELECT key FROM unnest(%s::text[]) AS key WHERE NOT EXISTS "
                "(SELECT FROM anchorage.documents WHERE blob_key = key)",
                (list(keys),),
            )
            return [row[0] for row in await cursor.fetchall()]

    async def delete(self, principal: Principal, document_ids: Sequence[str]) -> Sequence[str]:
        wanted = [documents.as_uuid(item) for item in document_ids]
        async with self._writing("deleting documents") as (vectors, connection):
            found = await documents.find(connection, principal, "d.id = ANY(%(ids)s)", {"ids": wanted})
            deleted: list[str] = []
            for name in sorted({document.collection for document in found}):
                ids = [UUID(document.id) for document in found if document.collection == name]
                for start in range(0, len(ids), _DELETE_AT_ONCE):
                    async with connection.transaction():
                        await connection.execute(documents.WRITE_TIMEOUT)
                        live = await self._writable(connection, principal, name, lock=True)
                        indexes = [live, *await other_indexes(connection, live)]
                        piece = ids[start : start + _DELETE_AT_ONCE]
                        deleted += await documents.delete(connection, vectors, indexes, piece)
        return deleted

    async def documents(
        self, principal: Principal, *, collection: str | None = None, limit: int = 1000,
        after: tuple[str, str] | None = None, status: str | None = None, matching: str = "",
    ) -> Sequence[Document]:  # fmt: skip
        values = {
            "collection": collection, "name": after and after[0], "uri": after and after[1], "limit": limit, "status": status,
            "words": matching.lower() or None,
        }  # fmt: skip
        async with connection_for(self._pool, "listing documents") as connection:
            if collection is not None:
                await live_indexes(connection, principal, [collection])
            return await documents.find(connection, principal, _PAGE, values)

    async def chunks(
        self, principal: Principal, document_id: str, *, after: int = -1, limit: int = 100
    ) -> Sequence[tuple[str, Chunk]]:
        document = await self.document(principal, document_id)
        async with connection_for(self._pool, "reading a document's passages") as connection:
            (live,) = await live_indexes(connection, principal, [document.collection])
            return await passages.chunks(connection, live, documents.as_uuid(document_id), after, limit)

    async def document(self, principal: Principal, document_id: str) -> Document:
        async with connection_for(self._pool, "reading a document") as connection:
            found = await documents.find(connection, principal, "d.id = %(id)s", {"id": documents.as_uuid(document_id)})
        if not found:
            raise NotFound(f"No document {document_id!r} that you may read. `anchorage documents list` shows them.")
        return found[0]

    async def text(self, principal: Principal, document_id: str, version: str | None = None) -> DocumentText:
        async with connection_for(self._pool, "reading a document's text") as connection:
            text = await documents.text_of(connection, principal, documents.as_uuid(document_id), version)
        if text is None:
            raise NotFound(f"No text of document {document_id!r} (version {version or 'current'}) that you may read.")
        return text

    async def structures(
        self, principal: Principal, versions: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Sequence[Block]]:
        async with connection_for(self._pool, "reading the structure of documents") as connection:
            return await excerpts.structures(connection, principal, versions)

    async def excerpts(
        self, principal: Principal, spans: Sequence[Span], width: int = 32, *, keep: bool = False
    ) -> Sequence[Excerpt | None]:
        async with connection_for(self._pool, "reading cited passages") as connection:
            return await excerpts.excerpts(connection, principal, spans, width, keep=keep)

    async def ping(self) -> None:
        with translate_errors("asking the vector database"):
            await ping(self._pool)


def _check_live(live: LiveIndex, index_id: int | None) -> None:
    """Raises `IndexMoved` when what was prepared for an index meets another one."""
    if index_id not in (None, live.tables.id):
        raise IndexMoved(
            f"The collection {live.collection!r} was switched to another index meanwhile. What was to be written is made anew."
        )
