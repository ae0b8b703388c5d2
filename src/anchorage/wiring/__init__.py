"""The composition root: settings in, services out. The only part that names adapters.

What is named here loads when it is first asked for: a process that only migrates must not wait for all the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anchorage.wiring.cache import redis_cache
    from anchorage.wiring.databases import (
        DatabaseUrls,
        migrate_databases,
        open_databases,
        open_pools,
        pending_migrations,
    )
    from anchorage.wiring.guards import open_guards
    from anchorage.wiring.models import open_client, open_embedder, open_generator, open_reranking
    from anchorage.wiring.roles import PrincipalResolver, local_owner
    from anchorage.wiring.services import Services, Storage, build_services, open_services, open_storage
    from anchorage.wiring.sources import (
        check_location,
        check_originals,
        local_source,
        open_blobs,
        open_location,
        s3_config,
        source_at,
    )

_PLACES = {
    "cache": ("redis_cache",),
    "databases": ("DatabaseUrls", "migrate_databases", "open_databases", "open_pools", "pending_migrations"),
    "guards": ("open_guards",),
    "models": ("open_client", "open_embedder", "open_generator", "open_reranking"),
    "roles": ("PrincipalResolver", "local_owner"),
    "services": ("Services", "Storage", "build_services", "open_services", "open_storage"),
    "sources": (
        "check_location",
        "check_originals",
        "local_source",
        "open_blobs",
        "open_location",
        "s3_config",
        "source_at",
    ),
}

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


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
