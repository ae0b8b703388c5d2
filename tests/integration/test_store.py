"""Collections on Postgres: what no port promises. Its graph of vectors, its locks, its connections."""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from psycopg.pq import PipelineStatus, TransactionStatus

from anchorage.adapters.postgres.catalog import documents
from anchorage.adapters.postgres.catalog.collections import live_indexes
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.search import search as searching
from anchorage.adapters.postgres.search.fusion import Candidates
from anchorage.adapters.postgres.vector_indexes import VectorIndexes
from anchorage.adapters.vectors import pgvector
from anchorage.errors import NotFound
from anchorage.model.search import Query
from anchorage.testing.collections import ANNA, DIMENSION, WORDS, CollectionWorld, document
from anchorage.testing.hashing import hash_texts
from anchorage.testing.memory_vectors import MemoryVectors
from support.stores import collection_world


@pytest.fixture(params=["pgvector", "server"])
def server(request: pytest.FixtureRequest) -> MemoryVectors | None:
    return MemoryVectors() if request.param == "server" else None


@pytest.fixture
async def world(pool: Pool, server: MemoryVectors | None) -> CollectionWorld:
    """With the vectors in Postgres and elsewhere: the locks are the same."""
    return await collection_world(pool, server)


@pytest.fixture
async def in_postgres(pool: Pool) -> CollectionWorld:
    return await collection_world(pool)


async def test_a_filtered_hnsw_search_finds_as_many_as_it_should(
    world: CollectionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many deleted rows near the question must not leave the dense list short."""
    monkeypatch.setattr(pgvector, "worth_it", lambda dimension: 1)
    near = [document(f"near{number}", "harbour harbour harbour") for number in range(300)]
    far = [document(f"far{number}", f"harbour lake {number}") for number in range(150)]
    ids = await world.catalog.replace(ANNA, "c", near)
    await world.catalog.replace(ANNA, "c", far)
    await world.tidy()
    await world.catalog.delete(ANNA, ids)
    assert len((await world.ask("harbour", k=100)).dense) == 100


async def test_the_vector_index_is_built_when_a_load_is_over(
    in_postgres: CollectionWorld, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "worth_it", lambda dimension: 30)
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'anchorage' AND indexdef LIKE '%hnsw%'"

    async def built() -> int:
        async with pool.connection() as connection:
            return len(await (await connection.execute(indexes)).fetchall())

    async def tend(*, settled: bool = False) -> None:
        while await in_postgres.upkeep.maintain(settled=settled):
            pass

    await in_postgres.catalog.replace(ANNA, "c", [document(f"u{n}", f"harbour word{n % 30}") for n in range(20)])
    await tend(settled=True)
    assert await built() == 0  # too few to be worth it
    await in_postgres.catalog.replace(ANNA, "c", [document(f"v{n}", f"harbour word{n % 30}") for n in range(20)])
    before = (await in_postgres.ask("harbour word7", k=10)).hits
    await tend()
    assert await built() == 0  # more may be coming
    await tend(settled=True)
    assert await built() == 1
    assert {hit.uri for hit in (await in_postgres.ask("harbour word7", k=10)).hits[:2]} == {
        hit.uri for hit in before[:2]
    }
    await in_postgres.catalog.replace(ANNA, "c", [document("new", "harbour lighthouse")])
    assert (await in_postgres.ask("lighthouse")).hits[0].uri == "new"
    await tend(settled=True)
    assert await built() == 1


@pytest.mark.parametrize(("dimension", "chunks"), [(64, 20_000), (384, 20_000), (1536, 5_000), (3072, 2_500)])
async def test_wide_vectors_are_worth_a_graph_sooner(dimension: int, chunks: int) -> None:
    assert pgvector.worth_it(dimension) == chunks


@pytest.mark.parametrize("dimension", [8, 1536, 3800, 4000])
async def test_wide_vectors_lie_in_their_rows(in_postgres: CollectionWorld, pool: Pool, dimension: int) -> None:
    """Where they fit, so that a scan need not fetch each from elsewhere; a text of any length is beside them."""
    await in_postgres.catalog.open_collection(ANNA, "wide", in_postgres.spec(dimension, "wide"))
    text = " ".join(random.Random(1).choices([*WORDS, *(str(n) for n in range(10**5))], k=3000))
    item = replace(document("a", text, "short"), vectors=hash_texts([text, "short"], dimension))
    await in_postgres.catalog.replace(ANNA, "wide", [item])
    query = Query("short", {in_postgres.spec(dimension, "wide").embedder: hash_texts(["short"], dimension)[0]}, 5)
    found = await in_postgres.search.search(ANNA, query, ["wide"])
    assert found.hits[0].text == "short" and found.hits[0].dense_score == pytest.approx(1, abs=1e-3)
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT max(relname), max(a.attstorage) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "WHERE a.attname = 'embedding' AND a.atttypmod = %s AND relkind = 'r'",
            (dimension,),
        )
        table, storage = await cursor.fetchone() or ("", "")
        assert storage == ("p" if dimension <= 3800 else "e")
        size = await connection.execute(f"SELECT min(pg_column_size(k.embedding)) FROM anchorage.{table} k".encode())
        assert (await size.fetchone() or (0,))[0] >= 2 * dimension


async def test_an_empty_collection_is_not_made_anew_under_its_first_writer(
    world: CollectionWorld, server: MemoryVectors | None, pool: Pool
) -> None:
    """Its settings change, and another process opens it, while the first documents are on their way."""
    indexes = VectorIndexes(
        {"pgvector": pgvector.PgvectorIndex(pool, ef_search=120)} | ({"server": server} if server else {})
    )
    async with indexes.writing() as vectors, pool.connection() as writer, writer.transaction():
        (live,) = await live_indexes(writer, ANNA, ["c"], write=True, lock=True)
        await documents.replace(writer, vectors, live, [document("file:///a", "The harbour of Ghent")])
        opening = asyncio.create_task(world.catalog.open_collection(ANNA, "c", world.spec(16, "other")))
        async with asyncio.timeout(20), pool.connection() as other:
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            while not await (await other.execute(waits)).fetchone() and not opening.done():
                await asyncio.sleep(0.02)
    assert (await opening).index.embedder == world.spec().embedder
    assert [hit.uri for hit in (await world.ask("harbour")).hits] == ["file:///a"]


async def test_upkeep_passes_over_an_index_that_was_dropped_meanwhile(world: CollectionWorld, pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO anchorage.index_versions (collection_id, spec, live) SELECT collection_id, spec, false "
            "FROM anchorage.index_versions"
        )
    for number in range(20):
        await world.catalog.replace(ANNA, "c", [document(f"u{number}", f"harbour {number}")])
    assert await world.upkeep.maintain(settled=True) > 0
    await world.tidy()


async def test_a_search_that_is_cancelled_anywhere_leaves_its_connection_as_it_was(
    pool: Pool, world: CollectionWorld
) -> None:
    await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
    for steps in range(40):
        task = asyncio.create_task(world.ask("harbour"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        async with pool.connection() as connection:
            assert connection.info.pipeline_status == PipelineStatus.OFF
            assert connection.info.transaction_status == TransactionStatus.IDLE
    assert (await world.ask("harbour")).hits


async def test_passages_that_need_no_second_look_rank_as_with_one(
    in_postgres: CollectionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 40))) for _ in range(400)]
    await in_postgres.catalog.replace(ANNA, "c", [document(f"u{number}", text) for number, text in enumerate(texts)])
    questions = ["word1 word2 word3", "word7 word8", "word10 word10 word20 nothing"]
    quick = [await in_postgres.ask(question, k=30) for question in questions]
    candidates, looked = searching.candidates, 0

    async def careful(*given: Any, **_: bool) -> Candidates:
        nonlocal looked
        looked += 1
        return await candidates(*given, careful=True)

    monkeypatch.setattr(searching, "candidates", careful)
    assert quick == [await in_postgres.ask(question, k=30) for question in questions] and looked == len(questions)


@pytest.mark.parametrize("by_words", [False, True])
async def test_a_search_and_a_collection_that_is_dropped_do_not_block_one_another(
    world: CollectionWorld, pool: Pool, by_words: bool
) -> None:
    """Both lock the tables of an index in the same order: the search, which comes second, holds none that the other wants."""
    await world.catalog.replace(ANNA, "c", [document("a", "the harbour")])
    vectors = {world.spec().embedder: None if by_words else hash_texts(["harbour"], DIMENSION)[0]}
    query = Query("harbour", vectors, 5)
    await world.search.search(ANNA, query, ["c"])
    async with pool.connection() as holder, holder.transaction():
        (live,) = await live_indexes(holder, ANNA, ["c"])
        await holder.execute(f"LOCK TABLE anchorage.chunks_{live.tables.id} IN ACCESS EXCLUSIVE MODE")
        dropping = asyncio.create_task(world.catalog.drop_collection(ANNA, "c"))
        await waiting_for_locks(pool, 1)
        searching_it = asyncio.create_task(world.search.search(ANNA, query, ["c"]))
        await waiting_for_locks(pool, 2)
    await dropping
    with pytest.raises(NotFound):
        await searching_it


async def waiting_for_locks(pool: Pool, count: int) -> None:
    async with asyncio.timeout(10), pool.connection() as connection:
        while True:
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
            )
            row = await cursor.fetchone()
            if row and row[0] >= count:
                return
            await asyncio.sleep(0.01)
