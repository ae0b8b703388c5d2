"""Where collections are kept: the catalog, search and upkeep on Postgres, and the vector indexes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

from anchorage.adapters.postgres.catalog.catalog import PostgresCatalog
from anchorage.adapters.postgres.catalog.versions import PostgresIndexVersions
from anchorage.adapters.postgres.comparison import Comparison
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.search.search import PostgresSearch, SearchLimits
from anchorage.adapters.postgres.upkeep import PostgresUpkeep
from anchorage.adapters.postgres.vector_indexes import VectorIndexes
from anchorage.adapters.vectors.pgvector import PgvectorIndex
from anchorage.errors import ConfigurationError
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.vector_index import VectorIndex, VectorServer
from anchorage.settings import Settings
from anchorage.settings.retrieval import VectorsSettings

_COMPARED = 600.0  # seconds between two comparisons of a vector server with Postgres


@dataclass(frozen=True, slots=True)
class Stores:
    """One database of collections, by concern."""

    catalog: PostgresCatalog
    search: PostgresSearch
    upkeep: PostgresUpkeep
    index_versions: PostgresIndexVersions


VectorServerOpener = Callable[[str, float], AbstractAsyncContextManager[VectorServer]]
"""Takes the URL and the seconds for one request."""

VECTOR_SERVERS: dict[str, VectorServerOpener] = {}
"""What opens a vector server, by the scheme of its URL, which is its name in index specs. A kind of server is one line more."""


async def open_vector_indexes(settings: Settings, pool: Pool, stack: AsyncExitStack) -> Mapping[str, VectorIndex]:
    """Every vector index that the settings name, by the name that index specs have for it. Raises `ConfigurationError`.

    A server that is away is found out by those who ask it.
    """
    indexes: dict[str, VectorIndex] = {IN_POSTGRES: PgvectorIndex(pool, ef_search=settings.retrieval.ef_search)}
    if settings.vectors.url:
        indexes[settings.vectors.kind] = await stack.enter_async_context(vector_server(settings.vectors))
    return indexes


def vector_server(settings: VectorsSettings) -> AbstractAsyncContextManager[VectorServer]:
    """The vector server of the settings. Raises `ConfigurationError` for a URL of no known kind."""
    opener = VECTOR_SERVERS.get(settings.kind)
    if opener is None or settings.url is None:
        known = ", ".join(f"{kind}://" for kind in sorted(VECTOR_SERVERS)) or "none in this release"
        raise ConfigurationError(
            f"ANCHORAGE_VECTORS__URL begins with no kind of vector server that is known (known: {known}). "
            "Remove it to keep vectors in Postgres."
        )
    return opener(settings.url.get_secret_value(), settings.timeout)


def stores_on(
    pool: Pool, indexes: Mapping[str, VectorIndex], limits: SearchLimits, *, compared: float = _COMPARED
) -> Stores:
    """What works on a database of collections, with the vectors in these indexes."""
    vectors = VectorIndexes(indexes)
    return Stores(
        PostgresCatalog(pool, vectors),
        PostgresSearch(pool, vectors, limits),
        PostgresUpkeep(pool, vectors, Comparison(vectors, every=compared)),
        PostgresIndexVersions(pool, vectors),
    )
