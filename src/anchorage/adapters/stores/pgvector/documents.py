"""Documents in Postgres: replacing, failing, deleting and reading them. A document's chunks come and go in one transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from anchorage.adapters.stores.pgvector.lexical import add_segment, touch
from anchorage.adapters.stores.pgvector.tables import LiveIndex
from anchorage.errors import NotFound, Superseded
from anchorage.model import Chunk, Document, DocumentStatus, DocumentText, Failure, Page, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.text.analyser import load_analyser

# A document of 20 million characters takes minutes to index; questions keep the shorter limit of the settings.
WRITE_TIMEOUT = "SET LOCAL statement_timeout = '15min'"
_COLUMNS = (
    "d.id::text, c.name, d.uri, d.title, d.status, d.version, d.chunks, d.error_code, d.error_message, d.media_type, "
    "d.blob_key, d.size, d.metadata, d.updated_at, d.tag, d.source_id"
)
_FROM = "anchorage.documents d JOIN anchorage.collections c ON c.id = d.collection_id AND c.readers && %(readers)s"
_COPY_CHUNKS = (
    "COPY {chunks} (id, document_id, ordinal, span_start, span_end, page, heading_path, header, text, embedding) "
    "FROM STDIN (FORMAT BINARY)"
)
# A halfvec's binary form is handed over as it stands, so its column is declared as plain bytes here.
_COPY_TYPES = ["int8", "uuid", "int4", "int4", "int4", "int4", "text[]", "text", "text", "bytea"]
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


def halfvec_bytes(vectors: np.ndarray[Any, Any]) -> list[bytes]:
    """Each row in the binary form of pgvector's halfvec: dimension and zero as int16, then float16, big-endian."""
    head = np.array([vectors.shape[1], 0], dtype=">i2").tobytes()
    return [head + row.tobytes() for row in vectors.astype(">f2")]


async def replace(connection: AsyncConnection[Any], live: LiveIndex, documents: Sequence[IndexedDocument]) -> list[str]:
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
    await write_passages(connection, live, older, fresh)
    await _finish(connection, changed)
    return [str(ids[document.uri]) for document in documents]


async def write_passages(
    connection: AsyncConnection[Any],
    index: LiveIndex,
    changed: Sequence[tuple[UUID, IndexedDocument]],
    fresh: Sequence[tuple[UUID, IndexedDocument]] = (),
) -> None:
    """Make an index hold these passages of these documents and no others, inside the caller's transaction.

    Of the `fresh` ones it has nothing yet that could be reconciled.
    """
    new, removed = await _reconcile_chunks(connection, index, changed) if changed else ([], {})
    new += [(row_id, item, range(len(item.chunks))) for row_id, item in fresh]
    added = await _write_chunks(connection, index, new)
    await add_segment(connection, index.tables, load_analyser(index.spec.analyser), added, removed)
    if changed and not added and not removed:
        await touch(connection, index.tables)


async def _reconcile_chunks(
    connection: AsyncConnection[Any], live: LiveIndex, changed: Sequence[tuple[UUID, IndexedDocument]]
) -> tuple[list[tuple[UUID, IndexedDocument, Sequence[int]]], dict[int, str]]:
    """Keep the chunks that are the same in both versions, at their new places, and remove the others of the old.

    Returns, for each document, which of its chunks are still to be written, and the removed passages by chunk id.
    """
    cursor = await connection.execute(
        live.tables.fill(
            "SELECT id, document_id, header, text, ordinal, span_start, span_end, page, heading_path FROM {chunks} "
            "WHERE document_id = ANY(%s) ORDER BY id"
        ),
        ([row_id for row_id, _ in changed],),
    )
    had: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in await cursor.fetchall():
        had[row[1:4]].append(row)
    new: list[tuple[UUID, IndexedDocument, Sequence[int]]] = []
    moved: list[tuple[Any, ...]] = []
    for row_id, item in changed:
        missing = []
        for number, (chunk, header) in enumerate(zip(item.chunks, item.headers, strict=True)):
            same = had.get((row_id, header, chunk.text))
            if not same:
                missing.append(number)
                continue
            old = same.pop(0)
            place = (chunk.ordinal, chunk.start, chunk.end, chunk.page, list(chunk.heading_path))
            if old[4:] != place:
                moved.append((*place, old[0]))
        new.append((row_id, item, missing))
    removed = {row[0]: f"{row[2]}\n{row[3]}" for rows in had.values() for row in rows}
    await connection.execute(live.tables.fill("DELETE FROM {chunks} WHERE id = ANY(%s)"), (list(removed),))
    async with connection.cursor() as writer:
        await writer.executemany(
            live.tables.fill(
                "UPDATE {chunks} SET ordinal = %s, span_start = %s, span_end = %s, page = %s, heading_path = %s WHERE id = %s"
            ),
            moved,
        )
    return new, removed


async def embedded(
    connection: AsyncConnection[Any], live: LiveIndex, document_id: UUID
) -> dict[tuple[str, str], NDArray[np.float32]]:
    """The vectors of a document's chunks, by header and text."""
    cursor = await connection.execute(
        live.tables.fill("SELECT header, text, embedding::real[] FROM {chunks} WHERE document_id = %s"),
        (document_id,),
        binary=True,
    )
    return {(row[0], row[1]): np.array(row[2], dtype=np.float32) for row in await cursor.fetchall()}


async def _remove_chunks(connection: AsyncConnection[Any], live: LiveIndex, ids: Sequence[UUID]) -> dict[int, str]:
    cursor = await connection.execute(
        live.tables.fill("DELETE FROM {chunks} WHERE document_id = ANY(%s) RETURNING id, header, text"), (list(ids),)
    )
    return {row[0]: f"{row[1]}\n{row[2]}" for row in await cursor.fetchall()}


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


async def _write_chunks(
    connection: AsyncConnection[Any], live: LiveIndex, new: Sequence[tuple[UUID, IndexedDocument, Sequence[int]]]
) -> dict[int, str]:
    total = sum(len(numbers) for _, _, numbers in new)
    if not total:
        return {}
    name = f"anchorage.chunks_{live.tables.id}"
    cursor = await connection.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", (name, total)
    )
    ids = iter([row[0] for row in await cursor.fetchall()])
    added: dict[int, str] = {}
    async with connection.cursor() as writer, writer.copy(live.tables.fill(_COPY_CHUNKS)) as copy:
        copy.set_types(_COPY_TYPES)
        for document_id, item, numbers in new:
            for number, vector in zip(numbers, halfvec_bytes(item.vectors[list(numbers)]), strict=True):
                chunk, header, chunk_id = item.chunks[number], item.headers[number], next(ids)
                added[chunk_id] = f"{header}\n{chunk.text}"
                await copy.write_row((chunk_id, document_id, chunk.ordinal, chunk.start, chunk.end, chunk.page,
                                      list(chunk.heading_path), header, chunk.text, vector))  # fmt: skip
    return added


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


async def delete(connection: AsyncConnection[Any], indexes: Sequence[LiveIndex], ids: Sequence[UUID]) -> list[str]:
    """Remove documents of one collection from all its indexes, with their texts, inside the caller's transaction."""
    cursor = await connection.execute(
        "SELECT id FROM anchorage.documents WHERE collection_id = %s AND id = ANY(%s) ORDER BY uri FOR UPDATE",
        (indexes[0].collection_id, list(ids)),
    )
    found = [row[0] for row in await cursor.fetchall()]
    for index in indexes:
        removed = await _remove_chunks(connection, index, found)
        await add_segment(connection, index.tables, load_analyser(index.spec.analyser), {}, removed)
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


async def chunks(
    connection: AsyncConnection[Any], live: LiveIndex, document_id: UUID, after: int, limit: int
) -> list[tuple[str, Chunk]]:
    """The passages of a document behind an ordinal, with their ids as hits have them."""
    cursor = await connection.execute(
        live.tables.fill(
            "SELECT id, ordinal, text, span_start, span_end, page, heading_path FROM {chunks} "
            "WHERE document_id = %s AND ordinal > %s ORDER BY ordinal LIMIT %s"
        ),
        (document_id, after, limit),
    )
    return [
        (f"{live.tables.id}.{row_id}", Chunk(ordinal, text, start, end, page, tuple(path)))
        for row_id, ordinal, text, start, end, page, path in await cursor.fetchall()
    ]


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
