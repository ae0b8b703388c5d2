"""excerpts: what the kept texts of document versions hold at a span, and what stands around it.

A text may have millions of characters and lies compressed, so that a piece of it costs as much as all that is before it. Of what the
caller has already, nothing is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from anchorage.adapters.postgres.batch import PLAN_ONCE, Named, numbers, run
from anchorage.adapters.postgres.catalog.documents import as_uuid
from anchorage.model import Block, BlockKind, Principal
from anchorage.model.search import Excerpt, Span

# A piece is read once, whole: each look at the text would unpack it anew. From -1 on, nothing.
_READ = Named("""
SELECT n.place, t.cited, CASE WHEN n.lower >= 0 THEN substr(t.text, n.lower + 1, n.upper - n.lower) END,
    (SELECT (p ->> 0)::int FROM jsonb_array_elements(t.pages) AS p
     WHERE (p ->> 1)::int <= n.start ORDER BY (p ->> 1)::int DESC, (p ->> 0)::int DESC LIMIT 1)
FROM unnest(%(ids)s::uuid[], %(versions)s::text[], %(starts)s::int[], %(lowers)s::int[], %(uppers)s::int[]) WITH ORDINALITY
    AS n(id, version, start, lower, upper, place)
JOIN anchorage.documents d ON d.id = n.id
JOIN anchorage.collections c ON c.id = d.collection_id AND c.readers && %(readers)s::text[]
JOIN anchorage.document_texts t ON t.document_id = d.id AND t.version = n.version
""")
_STRUCTURES = Named("""
SELECT d.id::text, t.version, t.blocks::text FROM unnest(%(ids)s::uuid[], %(versions)s::text[]) AS n(id, version)
JOIN anchorage.documents d ON d.id = n.id
JOIN anchorage.collections c ON c.id = d.collection_id AND c.readers && %(readers)s::text[]
JOIN anchorage.document_texts t ON t.document_id = d.id AND t.version = n.version
WHERE t.blocks IS NOT NULL
""")
_KEEP = """
UPDATE anchorage.document_texts t SET cited = true FROM unnest(%s::uuid[], %s::text[]) AS v(id, version)
WHERE t.document_id = v.id AND t.version = v.version RETURNING t.document_id::text, t.version
"""


async def excerpts(
    connection: AsyncConnection[Any], principal: Principal, spans: Sequence[Span], width: int, *, keep: bool
) -> list[Excerpt | None]:
    """The text at each span with its surroundings; None where the principal can read no such version."""
    around = [(max(span.start - width, 0), span.end + width) for span in spans]
    known = [span.known(*place) for span, place in zip(spans, around, strict=True)]
    values = {
        "readers": principal.readers,
        "ids": [str(as_uuid(span.document_id)) for span in spans],
        "versions": [span.version for span in spans],
        "starts": numbers(span.start for span in spans),
        "lowers": numbers(-1 if text is not None else lower for (lower, _), text in zip(around, known, strict=True)),
        "uppers": numbers(upper for _, upper in around),
    }
    _, rows = await run(connection, [PLAN_ONCE, _READ(values)])
    gone = await _gone(connection, spans, [spans[row[0] - 1] for row in rows if not row[1]]) if keep else ()
    found: dict[int, Excerpt] = {}
    for place, _, read, page in rows:
        if (at := place - 1) not in gone:
            text = known[at]
            found[at] = _excerpt(spans[at], around[at][0], read if text is None else text, page)
    return [found.get(at) for at in range(len(spans))]


async def structures(
    connection: AsyncConnection[Any], principal: Principal, versions: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Sequence[Block]]:
    """The blocks of these versions that the principal may read, and whose blocks are kept."""
    values = {
        "readers": principal.readers,
        "ids": [str(as_uuid(document_id)) for document_id, _ in versions],
        "versions": [version for _, version in versions],
    }
    _, rows = await run(connection, [PLAN_ONCE, _STRUCTURES(values)])
    return {(row[0], row[1]): [Block(BlockKind(kind), *place) for kind, *place in json.loads(row[2])] for row in rows}


def _excerpt(span: Span, lower: int, text: str, page: int | None) -> Excerpt:
    """From the text that begins at `lower`."""
    start, end = span.start - lower, span.end - lower
    return Excerpt(text[:start], text[start:end], text[end:], page)


async def _gone(connection: AsyncConnection[Any], spans: Sequence[Span], new: Sequence[Span]) -> Sequence[int]:
    """Mark versions as cited that were not; the places of the spans whose text has gone since it was read."""
    if not new:
        return ()
    versions = sorted({(span.document_id, span.version) for span in new})
    cursor = await connection.execute(_KEEP, ([as_uuid(item[0]) for item in versions], [item[1] for item in versions]))
    gone = set(versions) - {(row[0], row[1]) for row in await cursor.fetchall()}
    return [place for place, span in enumerate(spans) if (span.document_id, span.version) in gone]
