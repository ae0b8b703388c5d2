"""The sample collection: the project's own documentation, so that a new system can answer about itself."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import structlog

import anchorage
from anchorage.model import DOCS_COLLECTION, DocumentStatus, SourceEntry, SourceItem
from anchorage.ports.source import Source
from anchorage.wiring.services import Services
from anchorage.wiring.sources import local_source

_log = structlog.get_logger(__name__)


def find_docs_folder() -> Path | None:
    """Find the folder of the documentation: in the source tree, or beside an installation."""
    tree = Path(anchorage.__file__).parents[2]
    places = ([tree / "docs"] if (tree / "pyproject.toml").is_file() else []) + [
        Path(sys.prefix) / "share/anchorage/docs"
    ]
    return next((place for place in places if place.is_dir()), None)


class _Pages:
    """Implements the `Source` port: a folder without its pictures, which belong to pages and are no documents."""

    def __init__(self, folder: Source) -> None:
        self._folder = folder
        self.uri, self.prefix, self.lists_all = folder.uri, folder.prefix, folder.lists_all

    async def list(self) -> AsyncIterator[SourceEntry]:
        async for entry in self._folder.list():
            if not entry.uri.startswith(f"{self.prefix}images/"):
                yield entry

    def fetch(self, uri: str) -> AbstractAsyncContextManager[SourceItem]:
        return self._folder.fetch(uri)


async def ingest_own_docs(services: Services) -> None:
    """Bring the collection `anchorage-docs` up to date."""
    folder = find_docs_folder()
    if folder is None:
        _log.warning("sample_collection_skipped", reason="this installation brings no docs folder")
        return
    source = _Pages(local_source(services.settings, str(folder)))
    store, principal = services.storage.catalog, services.principal
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
    await services.storage.remover.delete_documents(principal, another_clones)
    async for outcome in services.ingest.ingester_for(principal).ingest_source(DOCS_COLLECTION, source):
        if outcome.status is DocumentStatus.FAILED and outcome.error:
            _log.warning("sample_document_failed", uri=outcome.uri, reason=outcome.error.message)
