"""What must hold for collections whose vectors a server has, whatever happens between its writes and those of Postgres.

Subclass with fixtures `world`, whose collections have their vectors in the server, and `server`. Upkeep compares at once there, and
embeds anew as `testing.collections` does.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from anchorage.errors import DatabaseUnavailable
from anchorage.model.search import Query
from anchorage.ports.vector_index import Space
from anchorage.testing.collections import ANNA, DIMENSION, WORDS, CollectionWorld, document, spec
from anchorage.testing.hashing import hash_texts
from anchorage.testing.troubled_vectors import Killed, TroubledVectors, away, killed_at


async def _space(world: CollectionWorld, name: str = "c") -> Space:
    (found,) = [item for item in await world.catalog.collections(ANNA) if item.name == name]
    return Space(found.index_id, DIMENSION)


async def _chunks(world: CollectionWorld) -> set[int]:
    """The chunks that Postgres has."""
    held = await world.catalog.documents(ANNA, collection="c")
    listed = [await world.catalog.chunks(ANNA, item.id, limit=1000) for item in held if item.version]
    return {int(chunk_id.partition(".")[2]) for chunks in listed for chunk_id, _ in chunks}


async def _points(world: CollectionWorld, server: TroubledVectors) -> set[int]:
    return set(await server.server.chunk_ids(await _space(world), after=0, limit=10**6))


async def _assert_as_built_afresh(world: CollectionWorld, server: TroubledVectors) -> None:
    """Both sides have the same, and every chunk is found by its own meaning."""
    assert await _points(world, server) == await _chunks(world)
    for item in await world.catalog.documents(ANNA, collection="c"):
        for chunk_id, chunk in await world.catalog.chunks(ANNA, item.id, limit=1000):
            found = await world.ask(chunk.text, k=100)
            assert (chunk_id, item.id) in found.dense
            (hit,) = [hit for hit in found.hits if hit.chunk_id == chunk_id]
            assert hit.dense_score == pytest.approx(1, abs=1e-3)


class VectorCrashConformance:
    """Nothing is lost, nothing foreign is seen, and upkeep mends the difference."""

    async def test_killed_after_the_points_and_before_the_documents(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        await world.catalog.replace(ANNA, "c", [document("a", "the old harbour", "of Ghent")])
        before = await world.ask("harbour Ghent")
        server.after = killed_at("put")
        for items in ([document("b", "a new harbour")], [document("a", "another harbour", version="v2")]):
            with pytest.raises(Killed):
                await world.catalog.replace(ANNA, "c", items)
        server.heal()
        assert len(await _points(world, server)) == 4 and len(await _chunks(world)) == 2
        assert await world.ask("harbour Ghent") == before
        assert {item.uri for item in await world.catalog.documents(ANNA, collection="c") if item.version} == {"a"}
        await world.tidy()
        await _assert_as_built_afresh(world, server)
        await world.catalog.replace(ANNA, "c", [document("b", "a new harbour")])
        await _assert_as_built_afresh(world, server)

    async def test_killed_before_the_points(self, world: CollectionWorld, server: TroubledVectors) -> None:
        server.before = killed_at("put")
        with pytest.raises(Killed):
            await world.catalog.replace(ANNA, "c", [document("a", "the harbour")])
        server.heal()
        assert not (await world.ask("harbour")).hits and not await _points(world, server)

    async def test_killed_after_documents_have_gone_and_before_their_points(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        ids = await world.catalog.replace(
            ANNA, "c", [document("a", "the old harbour"), document("b", "bread", "and harbour")]
        )
        server.before = killed_at("delete")
        with pytest.raises(Killed):
            await world.catalog.delete(ANNA, ids[:1])
        with pytest.raises(Killed):
            await world.catalog.replace(ANNA, "c", [document("b", "bread", version="v2")])
        server.heal()
        assert len(await _points(world, server)) == 3
        found = await world.ask("harbour bread")
        assert [hit.text for hit in found.hits] == ["bread"] and len(found.dense) == 1
        await world.tidy()
        await _assert_as_built_afresh(world, server)

    async def test_points_that_were_left_take_nobodys_place(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        near = [document(f"near{number}", "harbour harbour harbour") for number in range(300)]
        ids = await world.catalog.replace(ANNA, "c", near)
        await world.catalog.replace(ANNA, "c", [document(f"far{n}", f"harbour lake {n}") for n in range(150)])
        server.before = killed_at("delete")
        with pytest.raises(Killed):
            await world.catalog.delete(ANNA, ids[:200])
        server.heal()
        found = await world.ask("harbour", k=100)
        gone = set(ids[:200])
        assert len(found.dense) == 100 and not gone & {document_id for _, document_id in found.dense}

    async def test_upkeep_leaves_the_points_of_a_writer_that_is_at_it(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        put, go_on = asyncio.Event(), asyncio.Event()

        async def wait(operation: str) -> None:
            if operation == "put":
                put.set()
                await go_on.wait()

        server.after = wait
        writing = asyncio.create_task(world.catalog.replace(ANNA, "c", [document("a", "the harbour")]))
        await put.wait()
        for _ in range(3):
            await world.tidy()
        assert len(await _points(world, server)) == 1 and not (await world.ask("harbour")).hits
        go_on.set()
        await writing
        await world.tidy()
        await _assert_as_built_afresh(world, server)

    async def test_a_server_that_is_away_leaves_the_words(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        one, _ = await world.catalog.replace(ANNA, "c", [document("a", "the old harbour"), document("b", "bread")])
        by_both = await world.ask("harbour")
        server.before = away
        found = await world.ask("harbour")
        assert [hit.text for hit in found.hits] == ["the old harbour"] and not found.dense
        assert list(found.by_words) == [spec().embedder] and not by_both.by_words
        with pytest.raises(DatabaseUnavailable):
            await world.catalog.replace(ANNA, "c", [document("c", "another harbour")])
        assert len((await world.ask("harbour")).hits) == 1
        assert await world.catalog.delete(ANNA, [one]) == [one]  # gone from every answer, whoever is away
        assert not (await world.ask("harbour")).hits
        assert await world.upkeep.maintain(settled=True) == 0
        server.heal()
        await world.tidy()
        await _assert_as_built_afresh(world, server)

    async def test_what_a_server_has_lost_is_made_anew(self, world: CollectionWorld, server: TroubledVectors) -> None:
        await world.catalog.replace(ANNA, "c", [document("a", "the old harbour", "of Ghent"), document("b", "bread")])
        before = await world.ask("harbour bread", k=3)
        await server.drop((await _space(world)).index_id)
        assert [hit.text for hit in (await world.ask("harbour")).hits] == ["the old harbour"]
        await world.tidy()
        await _assert_as_built_afresh(world, server)
        assert await world.ask("harbour bread", k=3) == before
        await server.delete(await _space(world), [max(await _points(world, server))])
        await world.tidy()
        await _assert_as_built_afresh(world, server)

    async def test_the_space_of_a_collection_that_was_dropped(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        await world.open("d")
        await world.catalog.replace(ANNA, "d", [document("a", "the old harbour")])
        space = await _space(world, "d")
        server.before = killed_at("drop")
        with pytest.raises(Killed):
            await world.catalog.drop_collection(ANNA, "d")
        server.heal()
        assert not (await world.ask("harbour", names=None)).hits
        assert space.index_id in await server.spaces()
        await world.tidy()
        assert space.index_id not in await server.spaces()
        await world.catalog.replace(ANNA, "c", [document("a", "the old harbour")])
        space = await _space(world)
        await world.catalog.drop_collection(ANNA, "c")
        assert space.index_id not in await server.spaces()

    async def test_vectors_that_are_there_are_not_made_again(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", "the old harbour", "of Ghent")])
        had = await world.catalog.read_vectors(ANNA, one)
        assert had["", "of Ghent"] == pytest.approx(hash_texts(["of Ghent"], DIMENSION)[0], abs=1e-3)
        await server.server.delete(await _space(world), [min(await _points(world, server))])
        assert set(await world.catalog.read_vectors(ANNA, one)) == {("", "of Ghent")}

    async def test_whatever_happens_it_ends_as_built_afresh(
        self, world: CollectionWorld, server: TroubledVectors
    ) -> None:
        chance = random.Random(5)
        for step in range(60):
            server.before = killed_at(chance.choice(["put", "delete", "", "", ""]))
            server.after = killed_at(chance.choice(["put", "delete", "", "", ""]))
            held = [item.id for item in await world.catalog.documents(ANNA, collection="c") if item.version]
            try:
                if held and chance.random() < 0.3:
                    await world.catalog.delete(ANNA, chance.sample(held, k=min(2, len(held))))
                else:
                    texts = [" ".join(chance.choices(WORDS, k=6)) for _ in range(chance.randint(1, 3))]
                    await world.catalog.replace(ANNA, "c", [document(f"u{step % 12}", *texts, version=f"v{step}")])
            except Killed:
                pass
            server.heal()
            if step % 10 == 9:
                live = await _chunks(world)
                vectors = {spec().embedder: hash_texts(["word1"], DIMENSION)[0]}
                found = await world.search.search(ANNA, Query("word1", vectors, 100, lists=True), ["c"])
                assert {int(chunk_id.partition(".")[2]) for chunk_id, _ in found.dense} == live
            if step % 20 == 19:
                await world.tidy()
        await world.tidy()
        await _assert_as_built_afresh(world, server)
