"""The index versions port on Postgres: building, switching and discarding the versions of a collection."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from anchorage.adapters.postgres.catalog.collections import create_index, index_version, live_indexes, other_indexes
from anchorage.adapters.postgres.catalog.documents import WRITE_TIMEOUT, as_uuid
from anchorage.adapters.postgres.catalog.passages import write_passages
from anchorage.adapters.postgres.catalog.tables import drop_tables, spec_from_json
from anchorage.adapters.postgres.pool import Pool, translate_errors
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorIndexes, VectorWrites
from anchorage.errors import Conflict
from anchorage.model import Block, BlockKind, IndexSpec, IndexVersion, Page, ParsedDocument, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.index_versions import Passages, StoredDocument

_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:\n(?=\S).*\S)*")
_VERSIONS = """
SELECT v.id, v.spec, v.live, v.created_at,
    CASE WHEN v.live THEN (SELECT count(*) FROM anchorage.documents d WHERE d.collection_id = c.id AND d.version IS NOT NULL)
    ELSE (SELECT count(*) FROM anchorage.index_documents i JOIN anchorage.documents d ON d.id = i.document_id
          WHERE i.index_id = v.id AND i.version = d.version) END
FROM anchorage.index_versions v JOIN anchorage.collections c ON c.id = v.collection_id
WHERE c.id = %s ORDER BY v.live DESC, v.id
"""
_BEHIND = """
FROM anchorage.documents d LEFT JOIN anchorage.index_documents i ON i.index_id = %(index)s AND i.document_id = d.id
{texts}
WHERE d.collection_id = %(collection)s AND d.version IS NOT NULL AND i.version IS DISTINCT FROM d.version
"""
_READ_BEHIND = (
    "SELECT d.id, d.uri, d.version, d.title, t.text, t.blocks, t.pages "
    + _BEHIND.format(texts="JOIN anchorage.document_texts t ON t.document_id = d.id AND t.version = d.version")
    + " AND (%(after)s::uuid IS NULL OR d.id > %(after)s) ORDER BY d.id LIMIT %(limit)s"
)
_COUNT_BEHIND = "SELECT count(*) " + _BEHIND.format(texts="")
# Locked in the order that writers lock in; held for the moment of the writing only.
_CLAIM = """
SELECT d.id, d.version FROM anchorage.documents d
LEFT JOIN anchorage.index_documents i ON i.index_id = %(index)s AND i.document_id = d.id
WHERE d.id = ANY(%(ids)s) AND i.version IS DISTINCT FROM d.version ORDER BY d.uri FOR NO KEY UPDATE OF d
"""
_NOTE = """
INSERT INTO anchorage.index_documents (index_id, document_id, version, chunks)
SELECT %s, n.id, n.version, n.chunks FROM unnest(%s::uuid[], %s::text[], %s::int[]) AS n(id, version, chunks)
ON CONFLICT (index_id, document_id) DO UPDATE SET version = excluded.version, chunks = excluded.chunks
"""
_SWITCH = (
    """
    INSERT INTO anchorage.index_documents (index_id, document_id, version, chunks)
    SELECT %(old)s, id, version, chunks FROM anchorage.documents WHERE collection_id = %(collection)s AND version IS NOT NULL
    """,
    """
    UPDATE anchorage.documents d SET chunks = i.chunks FROM anchorage.index_documents i
    WHERE i.index_id = %(new)s AND i.document_id = d.id AND d.chunks <> i.chunks
    """,
    "DELETE FROM anchorage.index_documents WHERE index_id = %(new)s",
    "UPDATE anchorage.index_versions SET live = false WHERE id = %(old)s",
    "UPDATE anchorage.index_versions SET live = true WHERE id = %(new)s",
)


class PostgresIndexVersions:
    """Implements the `IndexVersions` port over a connection pool of a migrated database."""

    def __init__(self, pool: Pool, vectors: VectorIndexes) -> None:
        self._pool = pool
        self._vectors = vectors

    @asynccontextmanager
    async def _transaction(self, what: str) -> AsyncIterator[AsyncConnection[Any]]:
        with translate_errors(what):
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(WRITE_TIMEOUT)
                yield connection

    @asynccontextmanager
    async def _writing(self, what: str) -> AsyncIterator[tuple[VectorWrites, AsyncConnection[Any]]]:
        """A transaction with the vectors' part in it."""
        async with self._vectors.writing() as vectors, self._transaction(what) as connection:
            yield vectors, connection

    async def versions(self, principal: Principal, collection: str) -> Sequence[IndexVersion]:
        async with self._transaction("reading index versions") as connection:
            (live,) = await live_indexes(connection, principal, [collection])
            cursor = await connection.execute(_VERSIONS, (live.collection_id,))
            return [
                IndexVersion(row[0], collection, spec_from_json(row[1]), row[2], row[4], row[3])
                for row in await cursor.fetchall()
            ]

    async def begin(self, principal: Principal, collection: str, spec: IndexSpec) -> IndexVersion:
        async with self._writing("beginning an index version") as (vectors, connection):
            live = await self._held(connection, principal, collection)
            if live.spec == spec:
                raise Conflict(f"The collection {collection!r} has this index already. There is nothing to build.")
            others = await other_indexes(connection, live)
            for other in others:
                if other.spec != spec:
                    raise Conflict(
                        f"The collection {collection!r} has another index version beside the live one. Go back to it with "
                        f"`anchorage reindex {collection} --back`, or remove it with `anchorage reindex {collection} --discard`."
                    )
            made = (
                others[0]
                if others
                else await create_index(connection, vectors, live.collection_id, collection, spec, live=False)
            )
            return IndexVersion(made.tables.id, collection, spec, live=False)

    async def behind(
        self, principal: Principal, index_id: int, *, after: str | None, limit: int
    ) -> Sequence[StoredDocument]:
        async with self._transaction("reading documents") as connection:
            index = await index_version(connection, principal, index_id)
            cursor = await connection.execute(
                _READ_BEHIND,
                {"index": index_id, "collection": index.collection_id, "after": after, "limit": limit},
            )
            return [_describe_document(row) for row in await cursor.fetchall()]

    async def fill(self, principal: Principal, index_id: int, items: Sequence[Passages]) -> int:
        async with self._writing("filling an index version") as (vectors, connection):
            index = await self._other(connection, principal, index_id)
            by_id = {as_uuid(item.document.id): item for item in items}
            cursor = await connection.execute(_CLAIM, {"index": index_id, "ids": list(by_id)})
            changed = [
                (row[0], _describe_passages(by_id[row[0]]))
                for row in await cursor.fetchall()
                if row[1] == by_id[row[0]].document.version
            ]
            await write_passages(connection, vectors, index, changed)
            columns: list[Any] = [
                [row_id for row_id, _ in changed],
                [item.version for _, item in changed],
                [len(item.chunks) for _, item in changed],
            ]
            await connection.execute(_NOTE, (index_id, *columns))
            return len(changed)

    async def switch(
        self, principal: Principal, index_id: int, catch_up: Callable[[], Awaitable[None]], *, most: int
    ) -> int:
        async with self._transaction("switching the index") as connection:
            name = (await index_version(connection, principal, index_id)).collection
            live = await self._held(connection, principal, name)
            if live.tables.id == index_id:
                return 0
            values = {"collection": live.collection_id, "old": live.tables.id, "new": index_id, "index": index_id}
            behind = await _count_behind(connection, values)
            if 0 < behind <= most:
                await catch_up()
                behind = await _count_behind(connection, values)
            if behind:
                return behind
            for statement in _SWITCH:
                await connection.execute(statement, values)
            return 0

    async def discard(self, principal: Principal, index_id: int) -> None:
        async with self._writing("discarding an index version") as (vectors, connection):
            index = await self._other(connection, principal, index_id, removing=True)
            await connection.execute("DELETE FROM anchorage.index_versions WHERE id = %s", (index_id,))
            await drop_tables(connection, index.tables)
            vectors.drop(index)

    async def _held(self, connection: AsyncConnection[Any], principal: Principal, collection: str) -> LiveIndex:
        """The live index, with all writers of the collection held up until the transaction ends."""
        (live,) = await live_indexes(connection, principal, [collection], write=True)
        # Those who build, switch or discard go one after the other; then the writers, who share the live version's row. Not FOR
        # UPDATE: a new document's foreign key locks its collection after that row.
        await connection.execute(
            "SELECT FROM anchorage.collections WHERE id = %s FOR NO KEY UPDATE", (live.collection_id,)
        )
        await connection.execute(
            "SELECT FROM anchorage.index_versions WHERE collection_id = %s AND live FOR UPDATE", (live.collection_id,)
        )
        (live,) = await live_indexes(connection, principal, [collection], write=True)
        return live

    async def _other(
        self, connection: AsyncConnection[Any], principal: Principal, index_id: int, *, removing: bool = False
    ) -> LiveIndex:
        """A version that is not live, and stays so until the transaction ends. Raises `Conflict` when it is live."""
        index = await index_version(connection, principal, index_id)
        await live_indexes(connection, principal, [index.collection], write=True)
        cursor = await connection.execute(
            f"SELECT live FROM anchorage.index_versions WHERE id = %s FOR {'UPDATE' if removing else 'SHARE'}",
            (index_id,),
        )
        row = await cursor.fetchone()
        if row is None or row[0]:
            raise Conflict(
                f"The index version {index_id} of {index.collection!r} is live or gone. "
                f"`anchorage reindex {index.collection} --status` shows what there is."
            )
        return index


async def _count_behind(connection: AsyncConnection[Any], values: Mapping[str, Any]) -> int:
    row = await (await connection.execute(_COUNT_BEHIND, values)).fetchone()
    return int(row[0]) if row else 0


def _describe_passages(item: Passages) -> IndexedDocument:
    document = item.document
    return IndexedDocument(document.uri, document.version, document.parsed, item.chunks, item.vectors, item.headers)


def _describe_document(row: Sequence[Any]) -> StoredDocument:
    document_id, uri, version, title, text, blocks, pages = row
    parsed = ParsedDocument(
        text=text,
        title=title,
        blocks=_paragraphs(text) if blocks is None else tuple(Block(BlockKind(b[0]), *b[1:]) for b in blocks),
        pages=tuple(Page(*page) for page in pages),
    )
    return StoredDocument(str(document_id) if isinstance(document_id, UUID) else document_id, uri, version, parsed)


def _paragraphs(text: str) -> tuple[Block, ...]:
    """The structure of a text that was stored before structures were."""
    return tuple(Block(BlockKind.PARAGRAPH, match.start(), match.end()) for match in _PARAGRAPH.finditer(text))
