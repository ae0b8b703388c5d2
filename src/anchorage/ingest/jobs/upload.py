"""Files that a person handed over: their bytes are in the blob store, and a job ingests them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anchorage.ingest.ingester import Ingester
from anchorage.ingest.sync import UPLOAD_PRIORITY
from anchorage.model import Outcome, Principal, SourceEntry, SourceItem
from anchorage.ports.blob import BlobStore
from anchorage.ports.queue import UNWATCHED, NewJob, Progress


@dataclass(frozen=True, slots=True)
class UploadedSource:
    """A source of one document, whose bytes are in the blob store already."""

    blobs: BlobStore
    uri: str
    name: str
    blob_key: str
    prefix: None = None
    lists_all: bool = True

    async def list(self) -> AsyncIterator[SourceEntry]:
        yield SourceEntry(self.uri)

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        async with self.blobs.local(self.blob_key) as path:
            size = (await asyncio.to_thread(path.stat)).st_size
            yield SourceItem(uri, self.name, str(path), size)


def upload_job(principal: Principal, collection: str, uri: str, name: str, blob_key: str) -> NewJob:
    """The job that ingests a file which a person handed over: it goes before what sources bring."""
    return NewJob("ingest", collection, uri, name, f"upload:{principal.id}", UPLOAD_PRIORITY, blob_key=blob_key)


async def ingest_upload(
    ingester: Ingester, blobs: BlobStore, collection: str, uri: str, name: str, blob_key: str,
    progress: Progress = UNWATCHED,
) -> Outcome:  # fmt: skip
    """Ingest one uploaded file into a collection that is open."""
    source = UploadedSource(blobs, uri, name, blob_key)
    known = await ingester.find_document(collection, uri)
    return await ingester.ingest_document(collection, source, SourceEntry(uri), known, progress=progress)
