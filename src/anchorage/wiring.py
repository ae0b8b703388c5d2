"""The composition root: settings in, services out. The only file that names adapters."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.models.http import OPENAI_URL, Endpoint, RetryPolicy, model_client
from anchorage.adapters.models.langchain_models import LangChainEmbedder, LangChainGenerator
from anchorage.adapters.models.minilm import MODEL as LOCAL_MODEL
from anchorage.adapters.models.minilm import MiniLMEmbedder, open_minilm
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.adapters.parsers.sandbox import ParseLimits, open_sandboxed_parser
from anchorage.adapters.postgres.embedded.supervisor import embedded_postgres
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.migrate import Family, migrate, pending
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.postgres.queue import QueueLimits, open_queue
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.adapters.s3.blobs import S3BlobStore
from anchorage.adapters.s3.client import S3, S3Config, open_s3
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.adapters.sources.folder import LocalSource
from anchorage.adapters.stores.pgvector.search import SearchLimits
from anchorage.adapters.stores.pgvector.store import PgvectorStore
from anchorage.chat.sentences import SentenceVectors
from anchorage.chat.state import ChatLimits, ChatServices
from anchorage.errors import BadRequest, ConfigurationError
from anchorage.ingest.chunk import CHUNKER
from anchorage.ingest.pipeline import IngestServices
from anchorage.ingest.sync import SyncLimits
from anchorage.ingest.worker import WorkerServices
from anchorage.model import LOCAL_OWNER, IndexSpec, Principal, RegisteredSource
from anchorage.ports.blob import BlobStore
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.queue import Queue
from anchorage.ports.registry import SourceRegistry
from anchorage.ports.source import Source
from anchorage.ports.store import Store
from anchorage.settings import LlmSettings, S3Settings, Settings
from anchorage.text.analyser import analyser_name

_RECIPE = "title-headings/1"  # how title and headings go into both indexes: ingest/chunk.py, passage_text
_DEFAULT_MODELS = {"openai": "gpt-4o-mini", "ollama": "llama3.2"}
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
            ParseLimits(limits.parse_timeout, limits.parse_memory_bytes, limits.max_text_chars),
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
        index=index,
        chunk_tokens=min(settings.chunk.max_tokens or _MAX_CHUNK_TOKENS, embedder.max_tokens),
        overlap_tokens=settings.chunk.overlap_tokens,
        batch_chunks=settings.ingest.batch_chunks,
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
    )


@asynccontextmanager
async def open_location(settings: Settings, location: str) -> AsyncIterator[Source]:
    """The source at a location, with connections of its own for as long as the context lasts. Raises `BadRequest`."""
    async with open_s3(s3_config(settings.s3)) as s3:
        yield source_at(settings, location, s3)


def source_at(settings: Settings, location: str, s3: S3) -> Source:
    """The source at a location: `s3://bucket/prefix`, a path or a `file://` address. Raises `BadRequest`."""
    if location.startswith("s3://"):
        return S3Source(s3, Place.parse(location, settings.s3.bucket), max_bytes=settings.ingest.max_file_bytes)
    return local_source(settings, location)


def local_source(settings: Settings, location: str) -> LocalSource:
    """The source of a path on this machine. Raises `BadRequest` for a location of a kind that is not supported yet."""
    if location.startswith(("http://", "https://")):
        raise BadRequest(
            f"{location}: sources of this kind are not supported yet. Download the files and ingest their folder."
        )
    path = location.removeprefix("file://")
    return LocalSource(Path(path).expanduser(), max_bytes=settings.ingest.max_file_bytes)


def open_blobs(settings: Settings, s3: S3) -> BlobStore:
    """The store of originals that the settings name; the data directory where they name none. Raises `BadRequest`."""
    if not settings.blobs.url:
        return FolderBlobStore(settings.data.dir / "blobs")
    return S3BlobStore(s3, Place.parse(settings.blobs.url, settings.s3.bucket))


def s3_config(s3: S3Settings) -> S3Config:
    """How to reach the S3 server that the settings name; the two have the same names."""
    return S3Config(**{item.name: _plain(getattr(s3, item.name)) for item in fields(S3Config)})


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def check_location(settings: Settings, location: str, options: Mapping[str, Any]) -> str:
    """The location of a source in full. Raises `BadRequest` for one that cannot be a source, or for unknown options."""
    if options:
        raise BadRequest(f"{location}: such a source takes no options, and {sorted(options)[0]!r} was given.")
    if location.startswith("s3://"):
        return Place.parse(location, settings.s3.bucket).uri
    return local_source(settings, location).uri


@asynccontextmanager
async def open_source(settings: Settings, registered: RegisteredSource, s3: S3) -> AsyncIterator[Source]:
    """The source that a record names, open for as long as the context lasts."""
    yield source_at(settings, registered.location, s3)


def open_client(settings: Settings) -> httpx.AsyncClient:
    """The pooled client that all model servers share."""
    return model_client(settings.llm.connect_timeout)


def open_generator(llm: LlmSettings, client: httpx.AsyncClient) -> Generator | None:
    """The generator that the settings name; None where they name none. Raises `ConfigurationError`."""
    provider = _llm_provider(llm)
    if provider == "none":
        return None
    if provider == "langchain":
        return LangChainGenerator.open(
            _required(llm.model, "LLM_MODEL", "a model as `provider:model`"), temperature=llm.temperature,
            max_tokens=llm.max_tokens, timeout=llm.first_token_timeout,
        )  # fmt: skip
    return OpenAIGenerator(
        client,
        _endpoint(llm, provider, "LLM_MODEL"),
        llm.model or _required(_DEFAULT_MODELS.get(provider), "LLM_MODEL", "the name of a model"),
        max_tokens=llm.max_tokens,
        temperature=llm.temperature,
        first_token_timeout=llm.first_token_timeout,
        idle_timeout=llm.idle_timeout,
        retry=RetryPolicy(llm.retries),
    )


def _llm_provider(llm: LlmSettings) -> str:
    if llm.provider != "auto":
        return llm.provider
    if llm.api_key or llm.base_url:
        return "openai"
    if llm.ollama_host:
        return "ollama"
    return "fpt" if llm.fpt_api_key or llm.fpt_base_url else "none"


def _endpoint(llm: LlmSettings, provider: str, model_setting: str) -> Endpoint:
    """Where a provider's server is. Raises `ConfigurationError`."""
    if provider == "ollama":
        return Endpoint.ollama(llm.ollama_host or "localhost", model_setting=model_setting)
    if provider == "fpt":
        url = _required(llm.fpt_base_url, "FPT_BASE_URL", "the address of FPT Cloud's OpenAI-compatible API")
        key = llm.fpt_api_key.get_secret_value() if llm.fpt_api_key else None
        return Endpoint(url, key, "FPT_BASE_URL", "FPT_API_KEY", model_setting)
    key = llm.api_key.get_secret_value() if llm.api_key else None
    if not key and not llm.base_url:
        raise ConfigurationError(
            "OpenAI is asked for, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set. Set one of them."
        )
    return Endpoint(llm.base_url or OPENAI_URL, key, model_setting=model_setting)


def _required(value: str | None, setting: str, what: str) -> str:
    if not value:
        raise ConfigurationError(f"{setting} is not set. Set it to {what}.")
    return value


async def open_embedder(settings: Settings, client: httpx.AsyncClient) -> Embedder:
    """The embedder that the settings name; the local one where they name none.

    Raises `ConfigurationError`, and `ModelUnavailable` or `ModelError` where a server must be asked for the vectors' length.
    """
    embedding, llm = settings.embedding, settings.llm
    provider = embedding.provider
    if provider is None and embedding.model not in (None, LOCAL_MODEL):
        provider = (
            "openai" if embedding.base_url or llm.api_key or llm.base_url else "ollama" if llm.ollama_host else "openai"
        )
    if provider in (None, "local"):
        return await open_minilm(settings.data.dir / "models", precision=embedding.precision, threads=embedding.threads)
    model = _required(embedding.model, "EMBEDDING_MODEL", "the name of an embedding model")
    if provider == "langchain":
        return await LangChainEmbedder.open(
            model, dimension=embedding.dimension, max_tokens=embedding.max_tokens, batch_size=embedding.batch_size,
            timeout=embedding.timeout,
        )  # fmt: skip
    if embedding.base_url:
        key = embedding.api_key or llm.api_key
        endpoint = Endpoint(
            embedding.base_url, key.get_secret_value() if key else None, "ANCHORAGE_EMBEDDING__BASE_URL",
            "ANCHORAGE_EMBEDDING__API_KEY", "EMBEDDING_MODEL",
        )  # fmt: skip
    else:
        endpoint = _endpoint(llm, provider, "EMBEDDING_MODEL")
    return await OpenAIEmbedder.create(
        client, endpoint, model, dimension=embedding.dimension, max_tokens=embedding.max_tokens,
        batch_size=embedding.batch_size, timeout=embedding.timeout,
    )  # fmt: skip
