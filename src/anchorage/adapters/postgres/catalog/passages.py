"""Passages: what an index version holds of its documents. Rows, words and vectors come and go in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from anchorage.adapters.postgres.lexical.segments import add_segment, touch
from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorIndexes, VectorWrites
from anchorage.model import Chunk
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.vector_index import Point
from anchorage.text.analyser import load_analyser

_COLUMNS = {
    "id": "int8", "document_id": "uuid", "ordinal": "int4", "span_start": "int4", "span_end": "int4", "page": "int4",
    "heading_path": "text[]", "header": "text", "text": "text",
}  # fmt: skip


async def write_passages(
    connection: AsyncConnection[Any],
    vectors: VectorWrites,
    index: LiveIndex,
    changed: Sequence[tuple[UUID, IndexedDocument]],
    fresh: Sequence[tuple[UUID, IndexedDocument]] = (),
) -> None:
    """Make an index hold these passages of these documents and no others, inside the caller's transaction.

    Of the `fresh` ones it has nothing yet that could be reconciled.
    """
    new, removed = await _reconcile_chunks(connection, index, changed) if changed else ([], {})
    new += [(row_id, item, range(len(item.chunks))) for row_id, item in fresh]
    vectors.delete(index, removed)
    added = await _write_chunks(connection, vectors, index, new)
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


async def read_vectors(
    connection: AsyncConnection[Any], vectors: VectorIndexes, live: LiveIndex, document_id: UUID
) -> dict[tuple[str, str], NDArray[np.float32]]:
    """The vectors of a document's chunks, by header and text."""
    column = vectors.column(live.spec)
    cursor = await connection.execute(
        live.tables.fill(
            "SELECT header, text, {vector} FROM {chunks} WHERE document_id = %s".replace(
                "{vector}", "id" if column is None else column.as_reals
            )
        ),
        (document_id,),
        binary=True,
    )
    rows = await cursor.fetchall()
    if column is not None:
        return {(row[0], row[1]): np.array(row[2], dtype=np.float32) for row in rows}
    found = await vectors.server(live.spec).vectors(live.space, [row[2] for row in rows])
    return {(row[0], row[1]): found[row[2]] for row in rows if row[2] in found}


async def remove_passages(
    connection: AsyncConnection[Any], vectors: VectorWrites, index: LiveIndex, documents: Sequence[UUID]
) -> None:
    """Take documents from an index, inside the caller's transaction."""
    cursor = await connection.execute(
        index.tables.fill("DELETE FROM {chunks} WHERE document_id = ANY(%s) RETURNING id, header, text"),
        (list(documents),),
    )
    removed = {row[0]: f"{row[1]}\n{row[2]}" for row in await cursor.fetchall()}
    vectors.delete(index, removed)
    await add_segment(connection, index.tables, load_analyser(index.spec.analyser), {}, removed)


async def _write_chunks(
    connection: AsyncConnection[Any],
    vectors: VectorWrites,
    index: LiveIndex,
    new: Sequence[tuple[UUID, IndexedDocument, Sequence[int]]],
) -> dict[int, str]:
    """Write rows and vectors; returns the passages by chunk id. Vectors of a server are there before anybody sees the rows."""
    total = sum(len(numbers) for _, _, numbers in new)
    if not total:
        return {}
    name = f"anchorage.chunks_{index.tables.id}"
    cursor = await connection.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", (name, total)
    )
    ids = iter([row[0] for row in await cursor.fetchall()])
    column = vectors.column(index)
    columns = _COLUMNS if column is None else {**_COLUMNS, column.name: "bytea"}
    copying = "COPY {chunks} (" + ", ".join(columns) + ") FROM STDIN (FORMAT BINARY)"
    added: dict[int, str] = {}
    points: list[Point] = []
    async with connection.cursor() as writer, writer.copy(index.tables.fill(copying)) as copy:
        copy.set_types(list(columns.values()))
        for document_id, item, numbers in new:
            of_document = item.vectors[list(numbers)]
            extra = [()] * len(numbers) if column is None else [(value,) for value in column.encode(of_document)]
            for number, vector, more in zip(numbers, of_document, extra, strict=True):
                chunk, header, chunk_id = item.chunks[number], item.headers[number], next(ids)
                added[chunk_id] = f"{header}\n{chunk.text}"
                if column is None:
                    points.append(Point(chunk_id, str(document_id), vector))
                await copy.write_row((chunk_id, document_id, chunk.ordinal, chunk.start, chunk.end, chunk.page,
                                      list(chunk.heading_path), header, chunk.text, *more))  # fmt: skip
    await vectors.put(index, points)
    return added


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
