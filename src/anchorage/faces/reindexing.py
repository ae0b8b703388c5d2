"""What operators do with a collection's index versions: build, check, switch, go back, discard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anchorage.evaluation.golden import compare_index_versions, read_golden
from anchorage.ingest.reindex import Reindexer, check_chunk_size, find_other_version, target_spec
from anchorage.model import IndexVersion, Principal
from anchorage.wiring.services import Services, Storage

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build, how to check it, and whether to switch."""

    collection: str
    embedder: str | None = None
    dimension: int | None = None
    chunk: str | None = None
    golden: Path | None = None
    tolerance: float = 0.01
    switch: bool = True


def _reindexer(services: Services) -> Reindexer:
    return services.ingest.reindexer(services.storage.index_versions)


async def reindex(services: Services, principal: Principal, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Build the planned version, check it, and switch to it unless it is worse than the plan tolerates.

    Does nothing where the live version is the planned one already. Raises `NotFound`, `NotAllowed`, `BadRequest`, and `Conflict`
    when another version is kept.
    """
    versions = services.storage.index_versions
    live, *_ = await versions.versions(principal, plan.collection)
    queries = read_golden(plan.golden) if plan.golden else []
    embedder = await services.models.embedders.named(plan.embedder, plan.dimension) if plan.embedder else None
    spec = target_spec(live.spec, services.ingest.index, embedder.spec if embedder else None, plan.chunk)
    if spec == live.spec:
        found = await list_versions(services.storage, principal, plan.collection)
        return {**found, "check": None, "switched": False, "refused": False, "unchanged": True}
    await check_chunk_size(services.models.embedders, spec)
    version = await versions.begin(principal, plan.collection, spec)
    await _reindexer(services).build(principal, version, progress)
    check = None
    if queries:
        check = await compare_index_versions(
            services.asking.retriever, principal, plan.collection, queries, live.id, version.id
        )
    refused = check is not None and check.compute_loss() > plan.tolerance
    if plan.switch and not refused:
        await _reindexer(services).switch(principal, version, progress)
    return {
        **await list_versions(services.storage, principal, plan.collection),
        "check": check.report() if check else None,
        "switched": plan.switch and not refused,
        "refused": refused,
    }


async def switch_back(services: Services, principal: Principal, collection: str, progress: Progress) -> dict[str, Any]:
    """Switch to the other version; what has changed since it was live is indexed into it first. Raises `NotFound`."""
    version = await find_other_version(services.storage.index_versions, principal, collection)
    await _reindexer(services).switch(principal, version, progress)
    return {**await list_versions(services.storage, principal, collection), "switched": True}


async def discard_version(storage: Storage, principal: Principal, collection: str) -> None:
    """Remove the version that does not answer. Raises `NotFound`."""
    version = await find_other_version(storage.index_versions, principal, collection)
    await storage.index_versions.discard(principal, version.id)


async def list_versions(storage: Storage, principal: Principal, collection: str) -> dict[str, Any]:
    """List the versions of a collection, the live one first. Raises `NotFound`."""
    found = await storage.index_versions.versions(principal, collection)
    return {"collection": collection, "versions": [_version_json(item) for item in found]}


def _version_json(item: IndexVersion) -> dict[str, Any]:
    embedder = item.spec.embedder
    return {"id": item.id, "live": item.live, "embedder": embedder.name, "dimension": embedder.dimension,
            "precision": embedder.precision, "chunker": item.spec.chunker, "analyser": item.spec.analyser,
            "documents": item.documents, "created_at": item.created_at.isoformat() if item.created_at else None}  # fmt: skip
