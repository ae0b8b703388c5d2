"""Documents that several registered sources list: each belongs to one of them, and the others claim it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from anchorage.adapters.postgres.tables import LiveIndex
from anchorage.model import Principal

OF_SOURCE = "(d.source_id = %(value)s OR d.id IN (SELECT document_id FROM anchorage.document_claims WHERE source_id = %(value)s))"
_FAILURES = """
SELECT l.source_id, count(*) FROM (
    SELECT id, source_id FROM anchorage.documents WHERE source_id = ANY(%(sources)s)
    UNION ALL SELECT document_id, source_id FROM anchorage.document_claims WHERE source_id = ANY(%(sources)s)
) AS l JOIN anchorage.documents d ON d.id = l.id JOIN anchorage.collections c ON c.id = d.collection_id
WHERE d.status = 'failed' AND c.readers && %(readers)s GROUP BY l.source_id
"""
_CLAIM = """
INSERT INTO anchorage.document_claims (document_id, source_id)
SELECT id, %(source)s FROM anchorage.documents WHERE collection_id = %(collection)s AND uri = ANY(%(uris)s)
    AND md5(uri) = ANY(SELECT md5(u) FROM unnest(%(uris)s::text[]) AS u) AND source_id <> %(source)s
ON CONFLICT DO NOTHING
"""
_INHERIT = """
WITH heirs AS (
    SELECT document_id, min(source_id) AS source_id FROM anchorage.document_claims
    WHERE document_id = ANY(%(ids)s) GROUP BY document_id
), moved AS (
    UPDATE anchorage.documents d SET source_id = h.source_id FROM heirs h
    WHERE d.id = h.document_id AND d.source_id = %(source)s RETURNING d.id, d.source_id
)
DELETE FROM anchorage.document_claims k USING moved m WHERE k.document_id = m.id AND k.source_id = m.source_id
"""


async def failures(
    connection: AsyncConnection[Any], principal: Principal, source_ids: Sequence[str]
) -> Mapping[str, int]:
    """How many of the documents that each source lists have failed."""
    values = {"sources": list(source_ids), "readers": principal.readers}
    return dict(await (await connection.execute(_FAILURES, values)).fetchall())


async def claim(connection: AsyncConnection[Any], live: LiveIndex, uris: Sequence[str], source_id: str) -> None:
    """Note that a source lists these documents of others, too."""
    values = {"collection": live.collection_id, "uris": list(uris), "source": source_id}
    await connection.execute(_CLAIM, values)


async def release(connection: AsyncConnection[Any], live: LiveIndex, ids: Sequence[UUID], source_id: str) -> list[UUID]:
    """Take documents from a source; those that another one claims become its own. Returns the ids of the rest."""
    values = {"collection": live.collection_id, "ids": list(ids), "source": source_id}
    async with connection.transaction():
        await connection.execute(
            "DELETE FROM anchorage.document_claims WHERE source_id = %(source)s AND document_id = ANY(%(ids)s)", values
        )
        await connection.execute(_INHERIT, values)
        cursor = await connection.execute(
            "SELECT id FROM anchorage.documents WHERE id = ANY(%(ids)s) AND source_id = %(source)s "
            "AND collection_id = %(collection)s",
            values,
        )
        return [row[0] for row in await cursor.fetchall()]
