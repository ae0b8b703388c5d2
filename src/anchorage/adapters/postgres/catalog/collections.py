"""Collections and their live indexes: who may see them, and opening, listing and dropping them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, sql

from anchorage.adapters.postgres.batch import Call, Row, Statement, array
from anchorage.adapters.postgres.catalog.tables import (
    create_tables,
    drop_tables,
    spec_from_json,
    spec_from_text,
    spec_to_json,
)
from anchorage.adapters.postgres.tables import IndexTables, LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorWrites
from anchorage.errors import BadRequest, NotAllowed, NotFound
from anchorage.model import Collection, IndexSpec, Principal

MAX_NAME = 200

_VISIBLE = """
SELECT c.id, c.name, v.id, v.spec::text, c.owner FROM anchorage.collections c
JOIN anchorage.index_versions v ON v.collection_id = c.id AND v.live
WHERE c.readers && {readers} AND {condition} ORDER BY c.name {lock}
"""
# What is searched where no collection is named. The sample leaves as soon as somebody's own documents are there: it would answer in their place.
_ALL_OF_USER = """(c.kind = 'user' OR c.kind = 'docs' AND NOT EXISTS (
    SELECT FROM anchorage.collections own JOIN anchorage.documents d ON d.collection_id = own.id
    WHERE own.kind = 'user' AND own.readers && {readers} AND d.version IS NOT NULL
))"""
_ALL = Statement(
    _VISIBLE.format(readers="$1::text[]", condition=_ALL_OF_USER.format(readers="$1::text[]"), lock="").encode()
)
_NAMED = Statement(_VISIBLE.format(readers="$1::text[]", condition="c.name = ANY($2::text[])", lock="").encode())


async def live_indexes(
    connection: AsyncConnection[Any],
    principal: Principal,
    names: Sequence[str] | None,
    *,
    write: bool = False,
    lock: bool = False,
) -> list[LiveIndex]:
    """The live indexes of the named collections, or of all that are searched together: the users' own, or the sample where those
    are empty.

    `lock`: they stay the live ones until the caller's transaction ends. Raises `NotFound` for a name that does not exist or
    that the principal may not read, `NotAllowed` for one that it may read but not change.
    """
    condition = _ALL_OF_USER.format(readers="%(readers)s") if names is None else "c.name = ANY(%(names)s)"
    statement = _VISIBLE.format(readers="%(readers)s", condition=condition, lock="FOR SHARE OF v" if lock else "")
    values = {"readers": principal.readers, "names": list(names or ())}
    rows = await (await connection.execute(statement, values)).fetchall()
    if lock and len(rows) < len(names or ()):
        # A switch that we waited for has ended: another row is the live one now, and a new statement sees it.
        rows = await (await connection.execute(statement, values)).fetchall()
    found = read_live_indexes(names, rows)
    if write and (foreign := [row[1] for row in rows if row[4] != principal.id]):
        raise NotAllowed(f"The collection {foreign[0]!r} belongs to somebody else; only its owner may change it.")
    return found


def select_live_indexes(principal: Principal, names: Sequence[str] | None) -> Call:
    """The statement that `live_indexes` runs, to be sent along with others."""
    if names is None:
        return _ALL, (array(principal.readers),)
    return _NAMED, (array(principal.readers), array(names))


def read_live_indexes(names: Sequence[str] | None, rows: Sequence[Row]) -> list[LiveIndex]:
    """The live indexes, from the answer to it. Raises `NotFound` for a name of which there is no row."""
    missing = sorted(set(names or ()) - {row[1] for row in rows})
    if missing:
        raise NotFound(
            f"No collection {missing[0]!r} that you may read. `anchorage documents list` shows the collections; "
            "ingesting into a name makes it."
        )
    return [LiveIndex(row[0], row[1], IndexTables(row[2]), spec_from_text(row[3])) for row in rows]


async def open_collection(
    connection: AsyncConnection[Any],
    vectors: VectorWrites,
    principal: Principal,
    name: str,
    index: IndexSpec,
    kind: str,
) -> LiveIndex:
    """The collection's live index, made when it is new, or made anew when it is empty and the settings have changed."""
    if not name or len(name) > MAX_NAME or name != name.strip() or any(ord(char) < 32 for char in name):
        raise BadRequest(
            f"{name[:MAX_NAME]!r} cannot name a collection: use 1 to {MAX_NAME} characters, without control characters and "
            "without spaces at the ends."
        )
    async with connection.transaction():
        # Makers of the same name go one after the other; the lock ends with the transaction.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 20761))", (name,))
        cursor = await connection.execute("SELECT id FROM anchorage.collections WHERE name = %s", (name,))
        if await cursor.fetchone() is None:
            return await _create(connection, vectors, principal, name, index, kind)
        try:
            (live,) = await live_indexes(connection, principal, [name], write=True)
        except NotFound as error:
            raise NotAllowed(
                f"The name {name!r} is taken by a collection that you may not read; choose another."
            ) from error
        made_otherwise = (live.spec.embedder, live.spec.vectors) != (index.embedder, index.vectors)
        if made_otherwise and await _is_empty(connection, live):
            # Who is writing its first documents just now holds this row, and is waited for; so is a switch.
            await connection.execute("SELECT FROM anchorage.index_versions WHERE id = %s FOR UPDATE", (live.tables.id,))
            (now,) = await live_indexes(connection, principal, [name], write=True)
            if now != live or not await _is_empty(connection, now):
                return now
            await connection.execute("DELETE FROM anchorage.index_versions WHERE id = %s", (live.tables.id,))
            await drop_tables(connection, live.tables)
            vectors.drop(live)
            return await create_index(connection, vectors, live.collection_id, name, index)
        return live


async def _is_empty(connection: AsyncConnection[Any], live: LiveIndex) -> bool:
    cursor = await connection.execute(live.tables.fill("SELECT NOT EXISTS (SELECT FROM {chunks})"))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _create(
    connection: AsyncConnection[Any],
    vectors: VectorWrites,
    principal: Principal,
    name: str,
    index: IndexSpec,
    kind: str,
) -> LiveIndex:
    cursor = await connection.execute(
        "INSERT INTO anchorage.collections (name, kind, owner, readers) VALUES (%s, %s, %s, %s) RETURNING id",
        (name, kind, principal.id, [f"user:{principal.id}"]),
    )
    row = await cursor.fetchone()
    assert row is not None
    return await create_index(connection, vectors, row[0], name, index)


async def create_index(
    connection: AsyncConnection[Any],
    vectors: VectorWrites,
    collection_id: int,
    name: str,
    index: IndexSpec,
    *,
    live: bool = True,
) -> LiveIndex:
    """A new and empty index version of a collection, inside the caller's transaction."""
    cursor = await connection.execute(
        "INSERT INTO anchorage.index_versions (collection_id, spec, live) VALUES (%s, %s, %s) RETURNING id",
        (collection_id, spec_to_json(index), live),
    )
    row = await cursor.fetchone()
    assert row is not None
    made = LiveIndex(collection_id, name, IndexTables(row[0]), index)
    await create_tables(connection, vectors, made)
    return made


async def index_version(connection: AsyncConnection[Any], principal: Principal, index_id: int) -> LiveIndex:
    """An index version by its id, live or not. Raises `NotFound`."""
    cursor = await connection.execute(
        "SELECT c.id, c.name, v.spec FROM anchorage.index_versions v JOIN anchorage.collections c ON c.id = v.collection_id "
        "WHERE v.id = %s AND c.readers && %s",
        (index_id, principal.readers),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"No index version {index_id} that you may read. `anchorage reindex NAME --status` shows them.")
    return LiveIndex(row[0], row[1], IndexTables(index_id), spec_from_json(row[2]))


async def all_indexes(connection: AsyncConnection[Any]) -> list[LiveIndex]:
    """The index versions of all collections, live or not, whoever may read them: for upkeep."""
    cursor = await connection.execute(
        "SELECT c.id, c.name, v.id, v.spec FROM anchorage.index_versions v JOIN anchorage.collections c "
        "ON c.id = v.collection_id ORDER BY v.id"
    )
    return [LiveIndex(row[0], row[1], IndexTables(row[2]), spec_from_json(row[3])) for row in await cursor.fetchall()]


async def other_indexes(connection: AsyncConnection[Any], live: LiveIndex) -> list[LiveIndex]:
    """The index versions beside the live one: being built, or kept from before. They stay while the transaction lasts."""
    cursor = await connection.execute(
        "SELECT id, spec FROM anchorage.index_versions WHERE collection_id = %s AND NOT live ORDER BY id FOR SHARE",
        (live.collection_id,),
    )
    return [
        LiveIndex(live.collection_id, live.collection, IndexTables(row[0]), spec_from_json(row[1]))
        for row in await cursor.fetchall()
    ]


async def list_collections(
    connection: AsyncConnection[Any], principal: Principal, kinds: Sequence[str]
) -> list[Collection]:
    """The collections that the principal may read, with their sizes."""
    cursor = await connection.execute(
        """
        SELECT c.name, v.spec, v.id, count(d.version), coalesce(sum(d.chunks), 0)
        FROM anchorage.collections c
        JOIN anchorage.index_versions v ON v.collection_id = c.id AND v.live
        LEFT JOIN anchorage.documents d ON d.collection_id = c.id
        WHERE c.readers && %s AND c.kind = ANY(%s) GROUP BY c.id, v.id ORDER BY c.name
        """,
        (principal.readers, list(kinds)),
    )
    return [Collection(row[0], spec_from_json(row[1]), row[2], row[3], int(row[4])) for row in await cursor.fetchall()]


async def drop_collection(
    connection: AsyncConnection[Any], vectors: VectorWrites, principal: Principal, name: str
) -> None:
    """Remove a collection with its documents and all its index tables."""
    async with connection.transaction():
        (live,) = await live_indexes(connection, principal, [name], write=True)
        cursor = await connection.execute(
            "SELECT id, spec FROM anchorage.index_versions WHERE collection_id = %s", (live.collection_id,)
        )
        for index_id, spec in await cursor.fetchall():
            index = LiveIndex(live.collection_id, name, IndexTables(index_id), spec_from_json(spec))
            await drop_tables(connection, index.tables)
            vectors.drop(index)
        await connection.execute("DELETE FROM anchorage.collections WHERE id = %s", (live.collection_id,))


async def state_of(connection: AsyncConnection[Any], indexes: Sequence[LiveIndex]) -> str:
    """The index versions with their segments, one of which every transaction that changes passages adds.

    Ids are given before they are committed, so that the largest alone may stay while a smaller one appears.
    """
    if not indexes:
        return ""
    one = sql.SQL("SELECT {id} AS index_id, count(*), sum(id), max(id) FROM {segments}")
    parts = [one.format(id=sql.Literal(live.tables.id), segments=live.tables.segments) for live in indexes]
    cursor = await connection.execute(sql.SQL(" UNION ALL ").join(parts) + sql.SQL(" ORDER BY index_id"))
    return ";".join(",".join(map(str, row)) for row in await cursor.fetchall())
