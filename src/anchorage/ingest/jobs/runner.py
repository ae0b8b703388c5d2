"""Runs jobs: each kind has an object that owns what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from anchorage.errors import AnchorageError, NotFound
from anchorage.ingest.ingester import Ingester
from anchorage.ingest.jobs.registered import PASSWORD, OpenSources, SourceRecords
from anchorage.ingest.jobs.upload import ingest_upload
from anchorage.ingest.outcomes import describe_failure
from anchorage.ingest.removal import Remover
from anchorage.ingest.sync import Syncer
from anchorage.model import Failure, Job, Outcome, Principal, SourceEntry
from anchorage.ports.blob import BlobStore
from anchorage.ports.catalog import Catalog
from anchorage.ports.queue import DELETED, JobResult, Progress, Queue
from anchorage.ports.registry import SourceRegistry

MakeIngester = Callable[[Principal], Ingester]


class UploadJobs:
    """Ingests what somebody handed over."""

    def __init__(self, blobs: BlobStore, queue: Queue, remover: Remover) -> None:
        self._blobs, self._queue, self._remover = blobs, queue, remover

    async def run(self, ingester: Ingester, job: Job, progress: Progress) -> Outcome:
        """One upload."""
        assert job.blob_key
        outcome = await ingest_upload(ingester, self._blobs, job.collection, job.uri, job.name, job.blob_key, progress)
        await self._delete_if_deleted(ingester.principal, job, outcome)
        return outcome

    async def _delete_if_deleted(self, owner: Principal, job: Job, outcome: Outcome) -> None:
        """Somebody deleted the document while we worked: they do not want this one either."""
        now = await self._queue.job(owner, job.id) if outcome.document_id else None
        if now and now.error and now.error.code == DELETED:
            await self._remover.delete_documents(owner, [outcome.document_id or ""])


class DocumentJobs:
    """Ingests single documents of registered sources."""

    def __init__(self, catalog: Catalog, records: SourceRecords, sources: OpenSources, remover: Remover) -> None:
        self._catalog, self._records, self._sources, self._remover = catalog, records, sources, remover

    async def run(self, ingester: Ingester, job: Job, progress: Progress) -> Outcome:
        """One document."""
        assert job.source_id
        owner, known = ingester.principal, await ingester.find_document(job.collection, job.uri)
        registered = await self._records.read_recent(owner, job.source_id)
        source = await self._sources.open(registered)
        if known and known.source_id not in (None, registered.id):
            # Another source was faster: the document stays when that one loses it.
            await self._catalog.claim(owner, job.collection, [job.uri], registered.id)
        outcome = await ingester.ingest_document(
            job.collection, source, SourceEntry(job.uri, job.tag), known, source_id=registered.id,
            password=registered.options.get(PASSWORD), progress=progress,
        )  # fmt: skip
        try:
            await self._records.read(owner, job.source_id)
        except NotFound:  # removed while we worked: nobody would ever delete the document again
            if outcome.document_id:
                ids = [outcome.document_id]
                unshared = await self._catalog.release(owner, job.collection, ids, registered.id)
                await self._remover.delete_documents(owner, unshared)
        return outcome


class SyncJobs:
    """Syncs registered sources."""

    def __init__(self, registry: SourceRegistry, records: SourceRecords, sources: OpenSources, syncer: Syncer) -> None:
        self._registry, self._records, self._sources, self._syncer = registry, records, sources, syncer

    async def run(self, job: Job, progress: Progress) -> JobResult:
        """One sync; the source's record says how it went, whatever happens."""
        assert job.source_id
        registered = await self._records.read(Principal(job.owner), job.source_id)
        try:
            source = await self._sources.open(registered, anew=True)
        except AnchorageError as error:
            await self._registry.note(registered.id, "failed", describe_failure(error))
            raise
        try:
            return await self._syncer.sync(registered, source, progress, confirmed=job.confirmed)
        except BaseException:  # cancelled, out of time, or broken in a way that nobody thought of
            reason = (
                f"The sync of {registered.location} was stopped before its end, and deleted nothing. Sync it again."
            )
            await asyncio.shield(self._registry.note(registered.id, "failed", Failure("stopped", reason)))
            raise


class JobRunner:
    """Runs jobs. Documents that are in work at the same time share the batches of their owner's ingester."""

    def __init__(
        self, make_ingester: MakeIngester, uploads: UploadJobs, documents: DocumentJobs, syncs: SyncJobs
    ) -> None:
        self._make_ingester, self._uploads, self._documents, self._syncs = make_ingester, uploads, documents, syncs
        self._ingesters: dict[str, Ingester] = {}

    async def run(self, job: Job, progress: Progress) -> JobResult:
        """One job, of whatever kind."""
        if job.kind == "sync":
            return await self._syncs.run(job, progress)
        ingester = self._ingester_of(job.owner)
        await ingester.open_index(job.collection)
        if job.blob_key:
            outcome = await self._uploads.run(ingester, job, progress)
        else:
            outcome = await self._documents.run(ingester, job, progress)
        return JobResult(outcome.document_id, outcome.error)

    def _ingester_of(self, owner: str) -> Ingester:
        if owner not in self._ingesters:
            self._ingesters[owner] = self._make_ingester(Principal(owner))
        return self._ingesters[owner]
