"""The catalog, search and upkeep of a database, as the suites of their ports take them."""

from collections.abc import Sequence

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.search.search import SearchLimits
from anchorage.adapters.vectors.pgvector import PgvectorIndex
from anchorage.model import EmbedderSpec
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.vector_index import VectorServer
from anchorage.testing.collections import CollectionWorld
from anchorage.testing.hashing import hash_texts
from anchorage.wiring.stores import Stores, stores_on

LIMITS = SearchLimits(1_000_000, 2**25)


def stores(pool: Pool, server: VectorServer | None = None, limits: SearchLimits = LIMITS) -> Stores:
    """What works on the collections of this database. A server is compared with it whenever upkeep comes by."""
    indexes = {IN_POSTGRES: PgvectorIndex(pool, ef_search=120)}
    found = stores_on(pool, indexes | ({"server": server} if server else {}), limits, compared=0.0)

    async def embed(spec: EmbedderSpec, texts: Sequence[str]):  # type: ignore[no-untyped-def]
        return hash_texts(texts, spec.dimension)

    found.upkeep.restore_with(embed)
    return found


async def collection_world(
    pool: Pool, server: VectorServer | None = None, limits: SearchLimits = LIMITS
) -> CollectionWorld:
    """The same for a suite, with a collection `c`, whose vectors the server has where there is one."""
    found = stores(pool, server, limits)
    world = CollectionWorld(found.catalog, found.search, found.upkeep, "server" if server else IN_POSTGRES)
    await world.open()
    return world
