"""Services over a real database, with an embedder that needs no model."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.parsers.sandbox import ParseLimits, open_sandboxed_parser
from anchorage.adapters.postgres.feedback import PostgresFeedback
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.queue import QueueLimits, open_queue
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.adapters.stores.pgvector.search import SearchLimits
from anchorage.adapters.stores.pgvector.store import PgvectorStore
from anchorage.adapters.stores.pgvector.versions import PgvectorIndexVersions
from anchorage.chat.sentences import SentenceVectors
from anchorage.chat.state import ChatLimits, ChatServices
from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.ingest.pipeline import IngestServices
from anchorage.model import IndexSpec, Principal
from anchorage.settings import Settings, load_settings
from anchorage.testing.fakes import FixedEmbedders, HashEmbedder
from anchorage.text.analyser import analyser_name
from anchorage.wiring import Services, Storage

OWNER = Principal("owner")


@dataclass(frozen=True)
class World:
    """What a test of the use cases works with."""

    store: PgvectorStore
    blobs: FolderBlobStore
    ingest: IngestServices
    chat: ChatServices
    principal: Principal = OWNER


def storage_of(world: World, pool: Pool, settings: Settings, blobs: FolderBlobStore | None = None) -> Storage:
    """What keeps things in a world; nobody counts tokens, and no answer is cached."""
    return Storage(
        settings=settings, store=world.store, index_versions=PgvectorIndexVersions(pool), memory=world.chat.memory,
        feedback=PostgresFeedback(pool), queue=world.ingest.queue, registry=PostgresRegistry(pool), blobs=blobs or world.blobs,
        s3=None, ledger=None, caching=None, principal=world.principal,  # type: ignore[arg-type]
    )  # fmt: skip


@asynccontextmanager
async def http_client(world: World, pool: Pool, data: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the HTTP face over a world, in this process; its data directory is `data`."""
    storage = storage_of(world, pool, load_settings(data={"dir": data}), FolderBlobStore(data / "blobs"))

    async def owner(headers: Mapping[str, str]) -> Principal:
        return world.principal

    services = Services(
        storage=storage, embedder=world.chat.embedder, embedders=world.chat.embedders, generator=None, ingest=world.ingest,
        worker=None, chat=world.chat, principals=owner,  # type: ignore[arg-type]
    )  # fmt: skip
    app = create_app(storage.settings.http, ProcessState(services, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def world(pool: Pool, database: str, tmp_path: Path) -> AsyncIterator[World]:
    store = PgvectorStore(pool, SearchLimits(120, 1_000_000))
    blobs = FolderBlobStore(tmp_path / "blobs")
    embedder = HashEmbedder()
    async with (
        open_sandboxed_parser(ParseLimits(30, 1024**3, 5_000_000), 2) as parser,
        open_queue(database, pool, QueueLimits(30, 5, 7)) as queue,
    ):
        embedders = FixedEmbedders([embedder])
        index = IndexSpec(parser.version, "c/1 64/8", "r/1", analyser_name("english"), embedder.spec)
        ingest = IngestServices(store, blobs, parser, embedders, queue, index, batch_chunks=16)
        limits = ChatLimits(
            k=10,
            depth=100,
            dense_weight=0.5,
            passages=6,
            max_sentences=3,
            max_tokens=200,
            history_turns=8,
            question_limit=8000,
            abstain=False,
        )
        chat = ChatServices(
            store, embedder, embedders, PostgresMemory(pool), None, SentenceVectors(embedder), limits, "english"
        )
        yield World(store, blobs, ingest, chat)
