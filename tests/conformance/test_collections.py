"""Collections on Postgres against the suites of their ports, with vectors in Postgres and on a server."""

from dataclasses import replace

import pytest

from anchorage.adapters.postgres import comparison
from anchorage.adapters.postgres.pool import Pool
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.vector_index import Point, Space
from anchorage.telemetry import REGISTRY
from anchorage.testing.collections import ANNA, DIMENSION, CollectionWorld, document
from anchorage.testing.conformance.catalog import CatalogConformance
from anchorage.testing.conformance.search import SearchConformance
from anchorage.testing.conformance.upkeep import UpkeepConformance
from anchorage.testing.conformance.vector_crashes import VectorCrashConformance
from anchorage.testing.hashing import hash_texts
from anchorage.testing.memory_vectors import MemoryVectors
from anchorage.testing.troubled_vectors import TroubledVectors
from support.stores import collection_world


def mended(kind: str) -> float:
    return REGISTRY.get_sample_value("anchorage_vectors_mended_total", {"kind": kind}) or 0.0


class OnPgvector:
    @pytest.fixture
    async def world(self, pool: Pool) -> CollectionWorld:
        return await collection_world(pool)


class OnAServer:
    @pytest.fixture
    async def world(self, pool: Pool) -> CollectionWorld:
        return await collection_world(pool, MemoryVectors())


class TestCatalogOnPgvector(OnPgvector, CatalogConformance):
    pass


class TestCatalogOnAServer(OnAServer, CatalogConformance):
    pass


class TestSearchOnPgvector(OnPgvector, SearchConformance):
    pass


class TestSearchOnAServer(OnAServer, SearchConformance):
    pass


class TestUpkeepOnPgvector(OnPgvector, UpkeepConformance):
    pass


class TestUpkeepOnAServer(OnAServer, UpkeepConformance):
    pass


class TestCrashes(VectorCrashConformance):
    @pytest.fixture(params=[3, 10_000], ids=["small-pages", "one-page"])
    async def server(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TroubledVectors:
        monkeypatch.setattr(comparison, "_PAGE", request.param)
        return TroubledVectors(MemoryVectors())

    @pytest.fixture
    async def world(self, pool: Pool, server: TroubledVectors) -> CollectionWorld:
        return await collection_world(pool, server)

    async def test_what_is_mended_is_counted(
        self, world: CollectionWorld, server: TroubledVectors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(comparison, "_EMBEDDED", 2)
        before = {kind: mended(kind) for kind in ("foreign", "lost", "space")}
        await world.catalog.replace(ANNA, "c", [document("a", *(f"harbour {n}" for n in range(9)))])
        (index_id,) = await server.spaces()
        await server.delete(Space(index_id, DIMENSION), list(range(1, 6)))
        await server.put(Space(index_id, DIMENSION), [Point(1000, "d", hash_texts(["x"], DIMENSION)[0])])
        await server.put(Space(99, DIMENSION), [Point(1, "d", hash_texts(["x"], DIMENSION)[0])])
        await world.tidy()
        assert {kind: mended(kind) - count for kind, count in before.items()} == {"foreign": 1, "lost": 5, "space": 1}


async def test_an_empty_collection_moves_to_the_vector_index_of_the_settings(pool: Pool) -> None:
    server = MemoryVectors()
    world = await collection_world(pool, server)
    ids = await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
    elsewhere = replace(world.spec(), vectors=IN_POSTGRES)
    assert (await world.catalog.open_collection(ANNA, "c", elsewhere)).index.vectors == "server"
    await world.catalog.delete(ANNA, ids)
    assert (await world.catalog.open_collection(ANNA, "c", elsewhere)).index.vectors == IN_POSTGRES
    assert not await server.spaces()
    await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
    assert [hit.text for hit in (await world.ask("harbour")).hits] == ["harbour"]
