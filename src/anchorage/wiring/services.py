"""Services: what each role of the system works with, opened from the settings."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from anchorage.adapters.models.minilm import MiniLMEmbedder
from anchorage.adapters.parsers.sandbox import ParseLimits, open_sandboxed_parser
from anchorage.adapters.postgres.embedded.supervisor import embedded_postgres
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.migrate import Family, migrate, pending
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.postgres.queue import QueueLimits, open_queue
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.adapters.s3.client import S3, open_s3
from anchorage.adapters.stores.pgvector.search import SearchLimits
from anchorage.adapters.stores.pgvector.store import PgvectorStore
from anchorage.chat.sentences import SentenceVectors
from anchorage.chat.state import ChatLimits, ChatServices
from anchorage.ingest.chunk import CHUNKER
from anchorage.ingest.pipeline import IngestServices
from anchorage.ingest.sync import SyncLimits
from anchorage.ingest.worker import WorkerServices
from anchorage.model import LOCAL_OWNER, IndexSpec, Principal
from anchorage.ports.blob import BlobStore
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.queue import Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.store import Store
from anchorage.settings import Settings
from anchorage.text.analyser import analyser_name
from anchorage.wiring.models import open_client, open_embedder, open_generator
from anchorage.wiring.sources import open_blobs, open_source, s3_config

_RECIPE = "title-headings/1"  # how title and headings go into both indexes: ingest/chunk.py, passage_text
_MAX_CHUNK_TOKENS = 512  # a passage of more than this is too long to cite well, whatever the embedder reads


@dataclass(frozen=True, slots=True)
class Storage:
    """What keeps things: enough for commands that need no model."""

    settings: Settings
    store: Store
    memory: Memory
    queue: Queue
    registry: SourceRegistry
    blobs: BlobStore
    s3: S3
    principal: Principal


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a role needs."""

    storage: Storage
    embedder: Embedder
    generator: Generator | None
    ingest: IngestServices
    worker: WorkerServices
    chat: ChatServices

    @property
    def settings(self) -> Settings:
        return self.storage.settings

    @property
    def principal(self) -> Principal:
        return self.storage.principal


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """Connection strings; they may hold passwords, so they have no representation."""

    vector: str
    state: str

    def __repr__(self) -> str:
        return "DatabaseUrls(********)"


@asynccontextmanager
async def open_databases(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """The two databases' URLs, with an embedded Postgres running for as long as one of them is not set."""
    database = settings.database
    vector = database.vector_url.get_secret_value() if database.vector_url else None
    state = database.state_url.get_secret_value() if database.state_url else None
    if vector and state:
        yield DatabaseUrls(vector, state)
        return
    async with embedded_postgres(
        settings.data.dir / "postgres", port=database.embedded_port, start_timeout=database.embedded_start_timeout
    ) as url:
        yield DatabaseUrls(vector or url, state or url)


async def migrate_databases(urls: DatabaseUrls) -> int:
    """Bring both databases up to this release; returns how many steps that took."""
    return await migrate(urls.vector, "vector") + await migrate(urls.state, "state")


async def pending_migrations(urls: DatabaseUrls) -> list[str]:
    """The names of the steps that `migrate_databases` would take."""
    families: list[tuple[str, Family]] = [(urls.vector, "vector"), (urls.state, "state")]
    return [f"{family}/{name}" for url, family in families for name in await pending(url, family)]


async def open_pools(settings: Settings, urls: DatabaseUrls, stack: AsyncExitStack) -> tuple[Pool, Pool]:
    """One pool for each database; one for both where they are the same."""
    database = settings.database

    async def pool(url: str, name: str) -> Pool:
        return await stack.enter_async_context(
            open_pool(
                url,
                size=database.pool_size,
                connect_timeout=database.connect_timeout,
                statement_timeout=database.statement_timeout,
                name=name,
            )
        )

    vector = await pool(urls.vector, "anchorage-vector")
    return vector, vector if urls.state == urls.vector else await pool(urls.state, "anchorage-state")


@asynccontextmanager
async def open_storage(settings: Settings, *, migrated: bool = True) -> AsyncIterator[Storage]:
    """Open what keeps things, migrating first. A missing embedded Postgres is started."""
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(open_databases(settings))
        if migrated:
            await migrate_databases(urls)
        vector, state = await open_pools(settings, urls, stack)
        s3 = await stack.enter_async_context(open_s3(s3_config(settings.s3)))
        retrieval = settings.retrieval
        yield Storage(
            settings=settings,
            store=PgvectorStore(vector, SearchLimits(retrieval.ef_search, retrieval.max_postings)),
            memory=PostgresMemory(state),
            queue=await stack.enter_async_context(open_queue(urls.state, state, _queue_limits(settings))),
            registry=PostgresRegistry(state),
            blobs=open_blobs(settings, s3),
            s3=s3,
            principal=LOCAL_OWNER,
        )


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
    generator = open_generator(settings.llm, client)
    limits = settings.ingest
    parser = await stack.enter_async_context(
        open_sandboxed_parser(
            ParseLimits(
                limits.parse_timeout,
                limits.parse_memory_bytes,
                limits.max_text_chars,
                limits.ocr_language,
                limits.ocr_timeout,
                limits.ocr_page_timeout,
            ),
            limits.parsers or len(os.sched_getaffinity(0)),
        )
    )
    index = IndexSpec(
        parser=parser.version,
        chunker=f"{CHUNKER} {settings.chunk.max_tokens or embedder.max_tokens}/{settings.chunk.overlap_tokens}",
        recipe=_RECIPE,
        analyser=analyser_name(settings.retrieval.language),
        embedder=embedder.spec,
    )
    ingest = IngestServices(
        store=storage.store,
        blobs=storage.blobs,
        parser=parser,
        embedder=embedder,
        queue=storage.queue,
        index=index,
        chunk_tokens=min(settings.chunk.max_tokens or _MAX_CHUNK_TOKENS, embedder.max_tokens),
        overlap_tokens=settings.chunk.overlap_tokens,
        batch_chunks=settings.ingest.batch_chunks,
        passwords={name: secret.get_secret_value() for name, secret in settings.ingest.passwords.items()},
        embeddings_at_once=1 if isinstance(embedder, MiniLMEmbedder) else settings.embedding.concurrency,
    )
    worker = WorkerServices(
        ingest=ingest,
        queue=storage.queue,
        registry=storage.registry,
        open_source=lambda registered: open_source(settings, registered, storage.s3),
        sync_limits=SyncLimits(limits.hold_share, limits.hold_least),
    )
    chat = ChatServices(
        store=storage.store,
        embedder=embedder,
        index=index,
        memory=storage.memory,
        generator=generator,
        sentence_vectors=SentenceVectors(embedder),
        limits=_limits(settings),
        language=settings.retrieval.language,
    )
    return Services(storage, embedder, generator, ingest, worker, chat)


def _queue_limits(settings: Settings) -> QueueLimits:
    return QueueLimits(settings.ingest.job_timeout, settings.http.shutdown_timeout, settings.ingest.job_retention_days)


def _limits(settings: Settings) -> ChatLimits:
    return ChatLimits(
        k=settings.retrieval.k,
        depth=settings.retrieval.depth,
        dense_weight=settings.retrieval.dense_weight,
        passages=settings.answer.passages,
        max_sentences=settings.answer.max_sentences,
        max_tokens=settings.llm.max_tokens,
        history_turns=settings.answer.history_turns,
        question_limit=settings.answer.question_limit,
        abstain=settings.answer.abstain,
        unsupported=settings.answer.unsupported,
        links=settings.answer.links,
        align_meaning=settings.answer.align_meaning,
        likeness=settings.answer.likeness,
    )
