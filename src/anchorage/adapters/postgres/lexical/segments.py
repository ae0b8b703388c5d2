"""The lexical index in Postgres: adding, removing and merging segments. What questions read of it is in lexical_search.py."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from anchorage.adapters.postgres.lexical import postings as bm25
from anchorage.adapters.postgres.tables import IndexTables
from anchorage.text.analyser import Analyser

_FAN_IN = 16  # this many segments of one level become one of the next
_MERGE_AT_ONCE = 64
_DEAD_SHARE = 0.2
_ROWS_AT_ONCE = 5000
_COPY = "COPY {postings} (term, segment, block, df, first_id, gaps, frequencies, lengths) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ["text", "int8", "int4", "int4", "int8", "bytea", "bytea", "bytea"]

Counts = Mapping[int, Mapping[str, int]]
Row = tuple[str, int, int, int, int, bytes, bytes, bytes]


def analyse(analyser: Analyser, passages: Mapping[int, str]) -> dict[int, Mapping[str, int]]:
    """Term counts of passages by chunk id."""
    return {chunk_id: analyser.count_terms(text) for chunk_id, text in passages.items()}


def _rows(segment: int, terms: Sequence[str], changes: Sequence[int], table: bm25.Table) -> list[Row]:
    """The rows of a segment: `changes` are the terms' document frequencies, `table` holds their postings by number."""
    rows: list[Row] = []
    written = set()
    for term, number, block in bm25.encode(table):
        written.add(term)
        rows.append((terms[term], segment, number, changes[term] if number == 0 else 0, block.first_id, block.gaps,
                     block.frequencies, block.lengths))  # fmt: skip
    if len(written) < len(terms):
        rows += [
            (term, segment, 0, changes[number], 0, b"", b"", b"")
            for number, term in enumerate(terms)
            if number not in written and changes[number]
        ]
    return rows


def _segment_rows(segment: int, new: Counts, old: Counts) -> list[Row]:
    """What passages that came and went add to the index."""
    terms, table = bm25.invert(new)
    changes = Counter(chain.from_iterable(new.values()))
    if old:
        changes.subtract(Counter(chain.from_iterable(old.values())))
        known = set(terms)
        terms += [term for term in changes if term not in known]
    return _rows(segment, terms, [changes[term] for term in terms], table)


async def add_segment(
    connection: AsyncConnection[Any],
    tables: IndexTables,
    analyser: Analyser,
    added: Mapping[int, str],
    removed: Mapping[int, str],
) -> None:
    """Record, inside the caller's transaction, that passages came and went, by chunk id."""
    if not added and not removed:
        return
    new, old = await asyncio.to_thread(lambda: (analyse(analyser, added), analyse(analyser, removed)))
    tokens = sum(_length(counts) for counts in new.values()) - sum(_length(counts) for counts in old.values())
    segment = await _new_segment(connection, tables, 0, len(new) - len(old), tokens, len(new))
    rows = await asyncio.to_thread(_segment_rows, segment, new, old)
    await _copy(connection, tables, rows)


async def touch(connection: AsyncConnection[Any], tables: IndexTables) -> None:
    """Record, inside the caller's transaction, a change that no posting shows, such as passages that moved."""
    await _new_segment(connection, tables, 0, 0, 0, 0)


def _length(counts: Mapping[str, int]) -> int:
    return min(sum(counts.values()), 65535)


async def _new_segment(
    connection: AsyncConnection[Any], tables: IndexTables, level: int, chunks: int, tokens: int, physical: int
) -> int:
    cursor = await connection.execute(
        tables.fill("INSERT INTO {segments} (level, chunks, tokens, physical) VALUES (%s, %s, %s, %s) RETURNING id"),
        (level, chunks, tokens, physical),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _copy(connection: AsyncConnection[Any], tables: IndexTables, rows: Iterable[Row]) -> None:
    async with connection.cursor() as cursor, cursor.copy(tables.fill(_COPY)) as copy:
        copy.set_types(_COPY_TYPES)
        for row in rows:
            await copy.write_row(row)


async def size_of(connection: AsyncConnection[Any], tables: IndexTables) -> int:
    """How many chunks an index has."""
    cursor = await connection.execute(tables.fill("SELECT coalesce(sum(chunks), 0)::bigint FROM {segments}"))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def merge_step(connection: AsyncConnection[Any], tables: IndexTables) -> int:
    """Merge the segments of one level, or all when too many postings are dead; returns how many were merged.

    The caller holds the lock that makes it the only merger and has opened a repeatable-read transaction. Writers only
    add segments, so nothing conflicts.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(tables.fill("SELECT id, level, chunks, tokens, physical FROM {segments} ORDER BY level, id"))
    segments = await cursor.fetchall()
    chosen = _choose(segments)
    if not chosen:
        return 0
    ids = [row[0] for row in chosen]
    live = None
    if sum(row[2] for row in segments) != sum(row[4] for row in segments):  # some postings are dead
        await cursor.execute(tables.fill("SELECT id FROM {chunks} ORDER BY id"))
        live = np.array([row[0] for row in await cursor.fetchall()], dtype=np.int64)
    level = max(row[1] for row in chosen) + (0 if len(chosen) == len(segments) else 1)
    chunks, tokens, physical = (sum(row[column] for row in chosen) for column in (2, 3, 4))
    merged = await _new_segment(connection, tables, min(level, 30), chunks, tokens, physical)
    if (alive := await _write_merged(connection, tables, ids, merged, live)) is not None:
        await cursor.execute(tables.fill("UPDATE {segments} SET physical = %s WHERE id = %s"), (alive, merged))
    await cursor.execute(tables.fill("DELETE FROM {postings} WHERE segment = ANY(%s)"), (ids,))
    await cursor.execute(tables.fill("DELETE FROM {segments} WHERE id = ANY(%s)"), (ids,))
    return len(ids)


def _choose(segments: Sequence[tuple[int, ...]]) -> Sequence[tuple[int, ...]]:
    live, physical = sum(row[2] for row in segments), sum(row[4] for row in segments)
    if len(segments) > 1 and physical - live > max(1000, _DEAD_SHARE * physical):
        return segments
    levels: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for row in segments:
        levels[row[1]].append(row)
    full = next((rows for _, rows in sorted(levels.items()) if len(rows) >= _FAN_IN), [])
    return full[:_MERGE_AT_ONCE]


async def _write_merged(
    connection: AsyncConnection[Any], tables: IndexTables, ids: list[int], merged: int, live: bm25.Ids | None
) -> int | None:
    """Stream the terms of the segments in order, write them as one; with the `live` chunk ids, drop the postings of others
    and return how many chunks have any.
    """
    seen = None if live is None else np.zeros(len(live), dtype=np.bool_)
    select = (
        "SELECT term, df, first_id, gaps, frequencies, lengths FROM {postings} WHERE segment = ANY(%s) ORDER BY term"
    )
    rest: list[tuple[Any, ...]] = []
    async with connection.cursor(name="merged_terms", row_factory=tuple_row) as reader:
        reader.itersize = _ROWS_AT_ONCE
        await reader.execute(tables.fill(select), (ids,), binary=True)
        while batch := await reader.fetchmany(_ROWS_AT_ONCE):
            rest += batch
            # The last term may go on in the next batch.
            whole = next((at for at in range(len(rest), 0, -1) if rest[at - 1][0] != rest[-1][0]), 0)
            await _copy(connection, tables, await asyncio.to_thread(_merge_rows, merged, rest[:whole], live, seen))
            rest = rest[whole:]
    await _copy(connection, tables, await asyncio.to_thread(_merge_rows, merged, rest, live, seen))
    return None if seen is None else int(seen.sum())


def _merge_rows(
    segment: int, rows: Sequence[tuple[Any, ...]], live: bm25.Ids | None, seen: NDArray[np.bool_] | None
) -> list[Row]:
    """The rows of several segments as those of one. Marks the live chunks that have a posting in `seen`."""
    changes: dict[str, int] = defaultdict(int)
    for row in rows:
        changes[row[0]] += row[1]
    terms = list(changes)
    numbers = {term: number for number, term in enumerate(terms)}
    filled = [row for row in rows if row[4]]
    table = bm25.decode_all([numbers[row[0]] for row in filled], [bm25.Block(*row[2:]) for row in filled])
    if live is not None and seen is not None:
        at = np.minimum(np.searchsorted(live, table.chunk_ids), max(len(live) - 1, 0))
        alive = live[at] == table.chunk_ids if len(live) else np.zeros(len(at), dtype=np.bool_)
        seen[at[alive]] = True
        table = table.take(alive)
    return _rows(segment, terms, list(changes.values()), table)
