"""Services: what each role of the system works with, opened from the settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientSession

from anchorage.adapters.leftovers import remove_leftovers
from anchorage.adapters.models.local_embedding.catalogue import LOCAL_MODELS
from anchorage.adapters.models.local_embedding.embedder import LocalEmbedder
from anchorage.adapters.parsers.sandbox.parser import ParseLimits, SandboxedParser, open_sandboxed_parser
from anchorage.adapters.postgres.feedback import PostgresFeedback
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.queue import QueueLimits, open_queue
from anchorage.adapters.postgres.search.search import SearchLimits
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.adapters.postgres.streams import PostgresStreamLog
from anchorage.adapters.postgres.upkeep import PostgresUpkeep
from anchorage.adapters.s3.client import S3, open_s3
from anchorage.adapters.sources.web.memory import WebMemory
from anchorage.cancellation import raise_if_cancelled
from anchorage.chat.memory.recall import Caching
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.streaming.streams import StreamLimits, Streams
from anchorage.chat.turn import Chat
from anchorage.evaluation.run import drop_stale_evaluations
from anchorage.ingest.indexing import chunker_name
from anchorage.ingest.removal import Remover
from anchorage.ingest.sync import SyncLimits
from anchorage.ingest.worker import Worker
from anchorage.model import LOCAL_OWNER, EmbedderSpec, IndexSpec, Principal
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.blob import BlobStore
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedder, Embedders, Vectors
from anchorage.ports.feedback import FeedbackStore
from anchorage.ports.forwarder import Forwarder
from anchorage.ports.guard import Guard
from anchorage.ports.index_versions import IndexVersions
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.queue import Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.reranker import Reranker
from anchorage.ports.retrieval_role import RetrievalRole
from anchorage.ports.search import Search
from anchorage.ports.streams import StreamLog
from anchorage.ports.usage import Ledger
from anchorage.settings import Settings, build_child_environment
from anchorage.settings.sections import IngestSettings
from anchorage.text.analyser import format_analyser_name
from anchorage.wiring.cache import open_caching
from anchorage.wiring.chat import ChatParts, ChatUseCases, build_chat, chat_limits
from anchorage.wiring.databases import migrate_databases, open_databases, open_pools
from anchorage.wiring.embedders import ConfiguredEmbedders
from anchorage.wiring.guards import open_guards
from anchorage.wiring.ingest import Ingestion
from anchorage.wiring.models import open_client, open_embedder, open_generator, open_reranking, shorten_timeout
from anchorage.wiring.roles import PrincipalResolver, local_owner, open_roles, principals_of
from anchorage.wiring.sources import open_blobs, open_source, s3_config
from anchorage.wiring.stores import open_vector_indexes, stores_on
from anchorage.wiring.usage import ledger_for

_RECIPE = "title-headings/1"  # how title and headings go into both indexes: ingest/chunk.py, passage_text
_SUMMARY_GRACE = 5.0  # seconds at the end for summaries that are being made
_MAX_CHUNK_TOKENS = 512  # a passage of more than this is too long to cite well, whatever the embedder reads


@dataclass(frozen=True, slots=True)
class Storage:
    """What keeps things: enough for commands that need no model."""

    settings: Settings
    catalog: Catalog
    search: Search
    upkeep: PostgresUpkeep
    index_versions: IndexVersions
    memory: Memory
    feedback: FeedbackStore
    stream_log: StreamLog
    queue: Queue
    registry: SourceRegistry
    blobs: BlobStore
    s3: S3
    ledger: Ledger
    caching: Caching | None
    principal: Principal

    @property
    def remover(self) -> Remover:
        return Remover(self.catalog, self.queue)


@dataclass(frozen=True, slots=True)
class Models:
    """The models that this process asks, for those who show them or ask after them."""

    embedder: Embedder
    embedders: ConfiguredEmbedders
    generator: Generator | None
    reranker: Reranker | None
    judge: Guard | None


@dataclass(frozen=True, slots=True)
class Services:
    """What the faces call."""

    storage: Storage
    models: Models
    ingest: Ingestion
    worker: Worker
    asking: ChatUseCases
    streams: Streams
    principals: PrincipalResolver = local_owner
    role: RetrievalRole | None = None
    """The retrieval role, where it is elsewhere."""
    forwarder: Forwarder | None = None
    """The ingest role, where it is elsewhere."""

    @property
    def chat(self) -> Chat:
        return self.asking.chat

    @property
    def settings(self) -> Settings:
        return self.storage.settings

    @property
    def principal(self) -> Principal:
        return self.storage.principal


@asynccontextmanager
async def open_storage(settings: Settings, *, migrated: bool = True) -> AsyncIterator[Storage]:
    """Open what keeps things, migrating first. A missing embedded Postgres is started."""
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(open_databases(settings))
        if migrated:
            await migrate_databases(urls)
        vector, state = await open_pools(settings, urls, stack)
        s3 = await stack.enter_async_context(open_s3(s3_config(settings.s3)))
        limits = SearchLimits(settings.retrieval.max_postings, settings.retrieval.kept_postings)
        stores = stores_on(vector, await open_vector_indexes(settings, vector, stack), limits)
        storage = Storage(
            settings=settings,
            catalog=stores.catalog,
            search=stores.search,
            upkeep=stores.upkeep,
            index_versions=stores.index_versions,
            memory=PostgresMemory(state),
            feedback=PostgresFeedback(state),
            stream_log=PostgresStreamLog(state, settings.stream.lease),
            queue=await stack.enter_async_context(open_queue(urls.state, state, _queue_limits(settings))),
            registry=PostgresRegistry(state),
            blobs=open_blobs(settings, s3),
            s3=s3,
            ledger=await stack.enter_async_context(ledger_for(settings.usage, state)),
            caching=await open_caching(settings, state, stack),
            principal=LOCAL_OWNER,
        )
        raise_if_cancelled()
        yield storage


@asynccontextmanager
async def open_services(settings: Settings, *, migrated: bool = True) -> AsyncIterator[Services]:
    """Open everything. Raises `ConfigurationError`, `DatabaseUnavailable` or `ModelUnavailable`."""
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings, migrated=migrated))
        yield await build_services(storage, stack)


async def build_services(storage: Storage, stack: AsyncExitStack) -> Services:
    """Add models and parsers to an open storage."""
    settings = storage.settings
    client = await stack.enter_async_context(open_client(settings))
    embedder = await open_embedder(settings, client)
    embedders = ConfiguredEmbedders(settings, client, embedder)
    storage.upkeep.restore_with(lambda spec, texts: _embed_anew(embedders, spec, texts))
    generator = open_generator(settings.llm, client, storage.ledger)
    limits = settings.ingest
    parser = await stack.enter_async_context(_parser(limits))
    ingest = Ingestion(
        catalog=storage.catalog,
        upkeep=storage.upkeep,
        blobs=storage.blobs,
        parser=parser,
        embedders=embedders,
        queue=storage.queue,
        index=_new_index(settings, parser, embedder),
        batch_chunks=settings.ingest.batch_chunks,
        passwords={name: secret.get_secret_value() for name, secret in settings.ingest.passwords.items()},
        embeddings_at_once=1 if isinstance(embedder, LocalEmbedder) else settings.embedding.concurrency,
    )
    role, forwarder = await open_roles(settings.roles, stack)
    asking, models = await _build_asking(storage, embedder, embedders, generator, client, role)
    if asking.summaries is not None:
        stack.push_async_callback(asking.summaries.settle, _SUMMARY_GRACE)
    return Services(
        storage=storage,
        models=models,
        ingest=ingest,
        worker=build_worker(storage, ingest),
        asking=asking,
        streams=_open_streams(storage, asking, stack),
        principals=principals_of(settings.roles),
        role=role,
        forwarder=forwarder,
    )


async def _build_asking(
    storage: Storage, embedder: Embedder, embedders: ConfiguredEmbedders, generator: Generator | None,
    client: ClientSession, role: RetrievalRole | None,
) -> tuple[ChatUseCases, Models]:  # fmt: skip
    """The use cases of asking, and the models that they ask."""
    settings = storage.settings
    reranking, guards = await open_reranking(settings, client), open_guards(settings, client)
    parts = ChatParts(
        catalog=storage.catalog,
        search=storage.search,
        embedder=embedder,
        embedders=embedders,
        memory=storage.memory,
        generator=generator,
        sentence_vectors=SentenceVectors(*shorten_timeout(settings, embedder)),
        limits=chat_limits(settings),
        language=settings.retrieval.language,
        reranking=reranking,
        guards=guards,
        ledger=storage.ledger,
        caching=storage.caching,
        summarise=True,
        metered=lambda spec: spec.name not in LOCAL_MODELS,
        role=role,
    )
    models = Models(embedder, embedders, generator, reranking.reranker if reranking else None, guards.judge)
    return build_chat(parts), models


def _new_index(settings: Settings, parser: SandboxedParser, embedder: Embedder) -> IndexSpec:
    """The index that a new collection gets."""
    tokens = settings.chunk.max_tokens or min(_MAX_CHUNK_TOKENS, embedder.max_tokens)
    return IndexSpec(
        parser=parser.version,
        chunker=chunker_name(tokens, settings.chunk.overlap_tokens),
        recipe=_RECIPE,
        analyser=format_analyser_name(settings.retrieval.language),
        embedder=embedder.spec,
        vectors=settings.vectors.kind or IN_POSTGRES,
    )


async def _embed_anew(embedders: Embedders, spec: EmbedderSpec, texts: Sequence[str]) -> Vectors:
    """Vectors of passages that a vector server has lost."""
    return await (await embedders.of(spec)).embed_passages(texts)


def build_worker(storage: Storage, ingest: Ingestion) -> Worker:
    """What runs the jobs of this storage's queue; all its sources share what is known of the web."""
    settings, web = storage.settings, WebMemory()
    return ingest.worker(
        storage.registry,
        open_source=lambda registered: open_source(settings, registered, storage.s3, web),
        limits=SyncLimits(settings.ingest.hold_share, settings.ingest.hold_least),
        remove_leftovers=lambda: _remove_leftovers(storage),
    )


async def _remove_leftovers(storage: Storage) -> None:
    """Remove what killed processes left: temporary files, and the collections of evaluations."""
    await asyncio.to_thread(remove_leftovers, storage.settings.data.dir)
    await drop_stale_evaluations(storage.catalog, storage.principal)


def _parser(limits: IngestSettings) -> AbstractAsyncContextManager[SandboxedParser]:
    bounds = ParseLimits(
        limits.parse_timeout, limits.parse_memory_bytes, limits.max_text_chars, limits.ocr_language, limits.ocr_timeout,
        limits.ocr_page_timeout, limits.ocr_data,
    )  # fmt: skip
    return open_sandboxed_parser(bounds, limits.parsers or len(os.sched_getaffinity(0)), build_child_environment())


def _open_streams(storage: Storage, asking: ChatUseCases, stack: AsyncExitStack) -> Streams:
    limits, quiet = storage.settings.stream, storage.settings.http.sse_heartbeat
    bounds = StreamLimits(limits.lease, limits.grace, limits.poll, limits.wait, quiet)
    streams = Streams(storage.stream_log, bounds, asking.chat, asking.guard, storage.memory)
    stack.push_async_callback(streams.hand_over)
    return streams


def _queue_limits(settings: Settings) -> QueueLimits:
    return QueueLimits(settings.ingest.job_timeout, settings.http.shutdown_timeout, settings.ingest.job_retention_days)
