"""Documents in Postgres: replacing, failing, deleting and reading them. A document's chunks come and go in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from anchorage.adapters.postgres.catalog.passages import remove_passages, write_passages
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorWrites
from anchorage.errors import NotFound, Superseded
from anchorage.model import Document, DocumentStatus, DocumentText, Failure, Page, Principal
from anchorage.model.indexing import IndexedDocument

# A document of 20 million characters takes minutes to index; questions keep the shorter limit of the settings.
WRITE_TIMEOUT = "SET LOCAL statement_timeout = '15min'"
_COLUMNS = (
    "d.id::text, c.name, d.uri, d.title, d.status, d.version, d.chunks, d.error_code, d.error_message, d.media_type, "
    "d.blob_key, d.size, d.metadata, d.updated_at, d.tag, d.source_id"
)
_FROM = "anchorage.documents d JOIN anchorage.collections c ON c.id = d.collection_id AND c.readers && %(readers)s"
_CLAIM = """
INSERT INTO anchorage.documents AS d (collection_id, uri, title, status)
SELECT %(collection)s, uri, '', 'queued' FROM unnest(%(uris)s::text[]) AS uri ORDER BY uri
ON CONFLICT (collection_id, md5(uri)) DO UPDATE SET updated_at = now()
RETURNING d.id, d.uri, d.version, d.status
"""
_FINISH = """
UPDATE anchorage.documents d SET version = n.version, title = n.title, status = 'indexed', chunks = n.chunks,
    error_code = NULL, error_message = NULL, media_type = n.media_type, blob_key = n.blob_key, size = n.size,
    metadata = n.metadata::jsonb, tag = n.tag, source_id = coalesce(d.source_id, n.source_id), updated_at = now()
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[],
    %s::text[]) AS n(id, version, title, chunks, media_type, blob_key, size, metadata, tag, source_id)
WHERE d.id = n.id
"""


def as_document(row: Sequence[Any]) -> Document:
    error = Failure(row[7], row[8] or "") if row[7] else None
    return Document(
        id=row[0], collection=row[1], uri=row[2], title=row[3], status=DocumentStatus(row[4]), version=row[5],
        chunks=row[6], error=error, media_type=row[9], blob_key=row[10], size=row[11], metadata=row[12], updated_at=row[13],
        tag=row[14], source_id=row[15],
    )  # fmt: skip


def as_uuid(document_id: str) -> UUID:
    """Raises `NotFound`, since an id of another form can belong to no document."""
    try:
        return UUID(document_id)
    except ValueError:
        raise NotFound(
            f"No document {document_id[:80]!r}. `anchorage documents list` shows them with their ids."
        ) from None


async def replace(
    connection: AsyncConnection[Any], vectors: VectorWrites, live: LiveIndex, documents: Sequence[IndexedDocument]
) -> list[str]:
    """Put new versions in place of old ones, inside the caller's transaction.

    One that another process put there meanwhile is left as it is. Raises `Superseded` when another version has come since one
    was read.
    """
    by_uri = {document.uri: document for document in documents}
    ids: dict[str, UUID] = {}
    # Rows are locked in the order of their uris, so that two writers of the same folder cannot deadlock.
    cursor = await connection.execute(_CLAIM, {"collection": live.collection_id, "uris": sorted(by_uri)})
    fresh: list[tuple[UUID, IndexedDocument]] = []
    older: list[tuple[UUID, IndexedDocument]] = []
    for document_id, uri, version, status in await cursor.fetchall():
        ids[uri], item = document_id, by_uri[uri]
        if (version, status) == (item.version, "indexed"):
            continue
        if item.replaces is not None and item.replaces != (version or "") and version != item.version:
            raise Superseded(f"{uri} has changed in the index since it was read. Ingest it again.")
        (fresh if version is None else older).append((document_id, item))
    changed = [*fresh, *older]
    await _write_texts(connection, changed, older)
    await write_passages(connection, vectors, live, older, fresh)
    await _finish(connection, changed)
    return [str(ids[document.uri]) for document in documents]


async def _write_texts(
    connection: AsyncConnection[Any],
    changed: Sequence[tuple[UUID, IndexedDocument]],
    older: Sequence[tuple[UUID, IndexedDocument]],
) -> None:
    if older:
        await connection.execute(
            "DELETE FROM anchorage.document_texts WHERE document_id = ANY(%s) AND NOT cited",
            ([row[0] for row in older],),
        )
    await connection.execute(
        "INSERT INTO anchorage.document_texts (document_id, version, text, pages, blocks) SELECT id, version, text, "
        "pages::jsonb, blocks::jsonb FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[]) "
        "AS n(id, version, text, pages, blocks) "
        "ON CONFLICT (document_id, version) DO UPDATE SET blocks = excluded.blocks",
        (
            [row_id for row_id, _ in changed],
            [item.version for _, item in changed],
            [item.parsed.text for _, item in changed],
            [json.dumps([[page.number, page.start, page.end] for page in item.parsed.pages]) for _, item in changed],
            [json.dumps([[b.kind, b.start, b.end, b.level] for b in item.parsed.blocks]) for _, item in changed],
        ),
    )


async def _finish(connection: AsyncConnection[Any], changed: Sequence[tuple[UUID, IndexedDocument]]) -> None:
    columns: list[list[Any]] = [
        [row_id for row_id, _ in changed],
        [item.version for _, item in changed],
        [item.parsed.title for _, item in changed],
        [len(item.chunks) for _, item in changed],
        [item.media_type for _, item in changed],
        [item.blob_key for _, item in changed],
        [item.size for _, item in changed],
        [json.dumps(dict(item.parsed.metadata)) for _, item in changed],
        [item.tag for _, item in changed],
        [item.source_id for _, item in changed],
    ]
    await connection.execute(_FINISH, columns)


async def fail(
    connection: AsyncConnection[Any],
    live: LiveIndex,
    uri: str,
    title: str,
    failure: Failure,
    metadata: Mapping[str, Any],
    tag: str | None,
    source_id: str | None,
) -> str:
    """Record a failure. A version that was indexed before goes on answering."""
    cursor = await connection.execute(
        """
        INSERT INTO anchorage.documents AS d (collection_id, uri, title, status, error_code, error_message, metadata, tag, source_id)
        VALUES (%s, %s, %s, 'failed', %s, %s, %s, %s, %s)
        ON CONFLICT (collection_id, md5(uri)) DO UPDATE
        SET status = 'failed', error_code = excluded.error_code, error_message = excluded.error_message, tag = excluded.tag,
            source_id = coalesce(d.source_id, excluded.source_id), updated_at = now()
        RETURNING id::text
        """,
        (live.collection_id, uri, title, failure.code, failure.message, Jsonb(dict(metadata)), tag, source_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def delete(
    connection: AsyncConnection[Any], vectors: VectorWrites, indexes: Sequence[LiveIndex], ids: Sequence[UUID]
) -> list[str]:
    """Remove documents of one collection from all its indexes, with their texts, inside the caller's transaction."""
    cursor = await connection.execute(
        "SELECT id FROM anchorage.documents WHERE collection_id = %s AND id = ANY(%s) ORDER BY uri FOR UPDATE",
        (indexes[0].collection_id, list(ids)),
    )
    found = [row[0] for row in await cursor.fetchall()]
    for index in indexes:
        await remove_passages(connection, vectors, index, found)
    await connection.execute("DELETE FROM anchorage.documents WHERE id = ANY(%s)", (found,))
    return [str(item) for item in found]


async def find(
    connection: AsyncConnection[Any], principal: Principal, condition: str, parameters: Mapping[str, Any]
) -> list[Document]:
    """The readable documents that meet an SQL condition on `d` (documents) and `c` (collections)."""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE {condition}", {**parameters, "readers": principal.readers}
    )
    return [as_document(row) for row in await cursor.fetchall()]


async def text_of(
    connection: AsyncConnection[Any], principal: Principal, document_id: UUID, version: str | None
) -> DocumentText | None:
    """The text of a version, of the current one by default."""
    cursor = await connection.execute(
        f"SELECT t.version, t.text, t.pages FROM {_FROM} JOIN anchorage.document_texts t ON t.document_id = d.id "
        "WHERE d.id = %(id)s AND t.version = coalesce(%(version)s, d.version)",
        {"readers": principal.readers, "id": document_id, "version": version},
    )
    row = await cursor.fetchone()
    return DocumentText(str(document_id), row[0], row[1], tuple(Page(*page) for page in row[2])) if row else None
