"""Collections on Postgres against the suites of their ports, with vectors in Postgres and on a server."""

import pytest

from anchorage.adapters.postgres import comparison
from anchorage.adapters.postgres.pool import Pool
from anchorage.testing.collections import CollectionWorld
from anchorage.testing.conformance.catalog import CatalogConformance
from anchorage.testing.conformance.search import SearchConformance
from anchorage.testing.conformance.upkeep import UpkeepConformance
from anchorage.testing.conformance.vector_crashes import VectorCrashConformance
from anchorage.testing.memory_vectors import MemoryVectors
from anchorage.testing.troubled_vectors import TroubledVectors
from support.stores import collection_world


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
