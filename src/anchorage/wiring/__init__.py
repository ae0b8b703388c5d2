"""The composition root: settings in, services out. The only part that names adapters."""

from anchorage.wiring.cache import redis_cache
from anchorage.wiring.guards import open_guards
from anchorage.wiring.models import open_client, open_embedder, open_generator, open_reranking
from anchorage.wiring.roles import PrincipalResolver, local_owner
from anchorage.wiring.services import (
    DatabaseUrls,
    Services,
    Storage,
    build_services,
    migrate_databases,
    open_databases,
    open_pools,
    open_services,
    open_storage,
    pending_migrations,
)
from anchorage.wiring.sources import (
    check_location,
    check_originals,
    local_source,
    open_blobs,
    open_location,
    s3_config,
    source_at,
)

__all__ = [
    "DatabaseUrls",
    "PrincipalResolver",
    "Services",
    "Storage",
    "build_services",
    "check_location",
    "check_originals",
    "local_owner",
    "local_source",
    "migrate_databases",
    "open_blobs",
    "open_client",
    "open_databases",
    "open_embedder",
    "open_generator",
    "open_guards",
    "open_location",
    "open_pools",
    "open_reranking",
    "open_services",
    "open_storage",
    "pending_migrations",
    "redis_cache",
    "s3_config",
    "source_at",
]
