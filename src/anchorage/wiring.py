"""The composition root: settings in, services out. The only file that names adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.models.http import OPENAI_URL, Endpoint, RetryPolicy, model_client
from anchorage.adapters.models.langchain_models import LangChainEmbedder, LangChainGenerator
from anchorage.adapters.models.minilm import MODEL as LOCAL_MODEL
from anchorage.adapters.models.minilm import open_minilm
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.adapters.parsers.sandbox import ParseLimits, open_sandboxed_parser
from anchorage.adapters.postgres.embedded.supervisor import embedded_postgres
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.migrate import Family, migrate, pending
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.postgres.queue import open_queue
from anchorage.adapters.sources.folder import LocalSource
from anchorage.adapters.stores.pgvector.search import SearchLimits
from anchorage.adapters.stores.pgvector.store import PgvectorStore
from anchorage.chat.sentences import SentenceVectors
from anchorage.chat.state import ChatLimits, ChatServices
from anchorage.errors import BadRequest, ConfigurationError
from anchorage.ingest.chunk import CHUNKER
from anchorage.ingest.pipeline import IngestServices
from anchorage.model import LOCAL_OWNER, IndexSpec, Principal
from anchorage.ports.blob import BlobStore
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.queue import Queue
from anchorage.ports.source import Source
from anchorage.ports.store import Store
from anchorage.settings import LlmSettings, Settings
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
    blobs: BlobStore
    principal: Principal


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a role needs."""

    storage: Storage
    embedder: Embedder
    generator: Generator | None
    ingest: IngestServices
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
        retrieval = settings.retrieval
        yield Storage(
            settings=settings,
            store=PgvectorStore(vector, SearchLimits(retrieval.ef_search, retrieval.max_postings)),
            memory=PostgresMemory(state),
            queue=await stack.enter_async_context(open_queue(urls.state, state)),
            blobs=FolderBlobStore(settings.data.dir / "blobs"),
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
            limits.concurrency,
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
    return Services(storage, embedder, generator, ingest, chat)


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


def local_source(settings: Settings, location: str) -> Source:
    """The source of a path on this machine. Raises `BadRequest` for a location of a kind that is not supported yet."""
    if location.startswith(("s3://", "http://", "https://")):
        raise BadRequest(
            f"{location}: sources of this kind are not supported yet. Download the files and ingest their folder."
        )
    path = location.removeprefix("file://")
    return LocalSource(Path(path).expanduser(), max_bytes=settings.ingest.max_file_bytes)


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
