"""Ingestion: each step built with just what it needs, and from the steps what the roles work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anchorage.ingest.embed import PassageEmbedder
from anchorage.ingest.fetch import Fetcher
from anchorage.ingest.indexing import IndexOpener
from anchorage.ingest.ingester import Ingester
from anchorage.ingest.jobs.registered import OpenSource, OpenSources, SourceRecords
from anchorage.ingest.jobs.runner import DocumentJobs, JobRunner, SyncJobs, UploadJobs
from anchorage.ingest.outcomes import FailureRecorder
from anchorage.ingest.parse import FileParser
from anchorage.ingest.pipeline import Pipeline
from anchorage.ingest.reindex import Reindexer
from anchorage.ingest.removal import BlobSweeper, Remover
from anchorage.ingest.store import DocumentLookup, DocumentWriter
from anchorage.ingest.sync import Syncer, SyncLimits
from anchorage.ingest.worker import RemoveLeftovers, Scheduler, Sweeper, Worker
from anchorage.model import IndexSpec, Principal
from anchorage.ports.blob import BlobStore
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedders
from anchorage.ports.index_versions import IndexVersions
from anchorage.ports.parser import Parser
from anchorage.ports.queue import Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Builds what ingests, indexes anew and removes. It stays here and with the faces: no step sees it."""

    catalog: Catalog
    upkeep: Upkeep
    blobs: BlobStore
    parser: Parser
    embedders: Embedders
    queue: Queue
    index: IndexSpec
    """What a new collection gets; every other keeps its own."""
    batch_chunks: int
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords of documents, by names under which sources refer to them."""
    documents_at_once: int = 64
    embeddings_at_once: int = 1

    @property
    def indexes(self) -> IndexOpener:
        return IndexOpener(self.catalog, self.embedders, self.index)

    @property
    def file_parser(self) -> FileParser:
        return FileParser(self.parser, self.passwords)

    @property
    def remover(self) -> Remover:
        return Remover(self.catalog, self.queue)

    @property
    def sweeper(self) -> BlobSweeper:
        return BlobSweeper(self.catalog, self.queue, self.blobs)

    def ingester_for(self, principal: Principal) -> Ingester:
        """What ingests for one principal: source -> fetch -> parse -> chunk -> embed -> store."""
        parser = self.file_parser
        pipeline = Pipeline(
            fetcher=Fetcher(self.blobs),
            parser=parser,
            embedder=PassageEmbedder(self.catalog, principal, self.batch_chunks, self.embeddings_at_once),
            writer=DocumentWriter(self.catalog, principal, self.batch_chunks),
        )
        return Ingester(
            principal, pipeline, self.indexes, DocumentLookup(self.catalog, principal),
            FailureRecorder(self.catalog, principal, parser), self.remover, self.documents_at_once,
        )  # fmt: skip

    def reindexer(self, versions: IndexVersions) -> Reindexer:
        """What builds another index of a collection."""
        return Reindexer(versions, self.embedders, self.upkeep, self.batch_chunks)

    def worker(
        self,
        registry: SourceRegistry,
        open_source: OpenSource,
        limits: SyncLimits,
        remove_leftovers: RemoveLeftovers,
    ) -> Worker:
        """What runs the jobs of the queue."""
        sources, records, remover = OpenSources(open_source), SourceRecords(registry), self.remover
        syncer = Syncer(self.catalog, self.queue, registry, self.indexes, self.file_parser, remover, limits)
        runner = JobRunner(
            self.ingester_for,
            UploadJobs(self.blobs, self.queue, remover),
            DocumentJobs(self.catalog, records, sources, remover),
            SyncJobs(registry, records, sources, syncer),
        )
        scheduler, sweeper = Scheduler(registry, self.queue), Sweeper(self.sweeper, remove_leftovers)
        return Worker(self.queue, runner, sources, scheduler, sweeper, self.upkeep)
