"""The sample collection: the project's own documentation, so that a new system can answer about itself."""

from __future__ import annotations

import sys
from pathlib import Path

import structlog

import anchorage
from anchorage.ingest.pipeline import ingest_source
from anchorage.ingest.removal import delete_documents
from anchorage.model import DOCS_COLLECTION, DocumentStatus
from anchorage.wiring import Services, local_source

_log = structlog.get_logger(__name__)


def find_docs_folder() -> Path | None:
    """Find the folder of the documentation: in the source tree, or beside an installation."""
    tree = Path(anchorage.__file__).parents[2]
    places = ([tree / "docs"] if (tree / "pyproject.toml").is_file() else []) + [
        Path(sys.prefix) / "share/anchorage/docs"
    ]
    return next((place for place in places if place.is_dir()), None)


async def ingest_own_docs(services: Services) -> None:
    """Bring the collection `anchorage-docs` up to date."""
    folder = find_docs_folder()
    if folder is None:
        _log.warning("sample_collection_skipped", reason="this installation brings no docs folder")
        return
    source = local_source(services.settings, str(folder))
    store, principal = services.storage.store, services.principal
    found = await store.open_collection(principal, DOCS_COLLECTION, services.ingest.index, kind="docs")
    if (
        found.index != services.ingest.index
    ):  # nobody made this collection by hand, so nobody should have to re-index it
        await store.drop_collection(principal, DOCS_COLLECTION)
        await store.open_collection(principal, DOCS_COLLECTION, services.ingest.index, kind="docs")
    held = await store.documents(principal, collection=DOCS_COLLECTION, limit=10_000)
    own = source.prefix or ""
    # A document that is no file was uploaded by somebody, and stays.
    another_clones = [item.id for item in held if item.uri.startswith("file:") and not item.uri.startswith(own)]
    await delete_documents(services.storage, principal, another_clones)
    async for outcome in ingest_source(services.ingest, services.principal, DOCS_COLLECTION, source):
        if outcome.status is DocumentStatus.FAILED and outcome.error:
            _log.warning("sample_document_failed", uri=outcome.uri, reason=outcome.error.message)
