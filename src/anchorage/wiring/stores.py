"""Where collections are kept: the catalog, search and upkeep on Postgres, and the vector indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anchorage.adapters.postgres.catalog.catalog import PostgresCatalog
from anchorage.adapters.postgres.catalog.versions import PostgresIndexVersions
from anchorage.adapters.postgres.comparison import Comparison
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.search.search import PostgresSearch, SearchLimits
from anchorage.adapters.postgres.upkeep import PostgresUpkeep
from anchorage.adapters.postgres.vector_indexes import VectorIndexes
from anchorage.adapters.vectors.pgvector import PgvectorIndex
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.vector_index import VectorIndex
from anchorage.settings.sections import RetrievalSettings

_COMPARED = 600.0  # seconds between two comparisons of a vector server with Postgres


@dataclass(frozen=True, slots=True)
class Stores:
    """One database of collections, by concern."""

    catalog: PostgresCatalog
    search: PostgresSearch
    upkeep: PostgresUpkeep
    index_versions: PostgresIndexVersions


def vector_indexes(pool: Pool, retrieval: RetrievalSettings) -> Mapping[str, VectorIndex]:
    """Every vector index that the settings name, by the name that index specs have for it. A vector server is one line more."""
    return {IN_POSTGRES: PgvectorIndex(pool, ef_search=retrieval.ef_search)}


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
