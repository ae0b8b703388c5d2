"""Services over a real database, with an embedder that needs no model."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.parsers.sandbox.parser import ParseLimits, open_sandboxed_parser
from anchorage.adapters.postgres.catalog.catalog import PostgresCatalog
from anchorage.adapters.postgres.feedback import PostgresFeedback
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.postgres.queue import PostgresQueue, QueueLimits, open_queue
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.adapters.postgres.streams import PostgresStreamLog
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.state import ChatLimits
from anchorage.chat.streaming.streams import StreamLimits, Streams
from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.ingest.ingester import Ingester
from anchorage.ingest.sync import SyncLimits, sync_job
from anchorage.model import Document, IndexSpec, Principal, RegisteredSource
from anchorage.ports.llm import Generator
from anchorage.ports.source import Source
from anchorage.ports.vector_index import VectorServer
from anchorage.settings import Settings, load_settings
from anchorage.testing.fakes import FixedEmbedders, HashEmbedder
from anchorage.text.analyser import format_analyser_name
from anchorage.wiring.chat import ChatParts, build_chat
from anchorage.wiring.ingest import Ingestion
from anchorage.wiring.services import Models, PrincipalResolver, Services, Storage
from anchorage.wiring.stores import Stores
from support.asking import retrieve
from support.stores import stores

OWNER = Principal("owner")


@dataclass(frozen=True)
class World:
    """What a test of the use cases works with."""

    stores: Stores
    blobs: FolderBlobStore
    ingest: Ingestion
    chat: ChatParts
    principal: Principal = OWNER

    @property
    def catalog(self) -> PostgresCatalog:
        return self.stores.catalog

    @property
    def ingester(self) -> Ingester:
        """One that has seen nothing yet."""
        return self.ingest.ingester_for(self.principal)


def storage_of(world: World, pool: Pool, settings: Settings, blobs: FolderBlobStore | None = None) -> Storage:
    """What keeps things in a world; nobody counts tokens, and no answer is cached."""
    return Storage(
        settings=settings, memory=world.chat.memory, **{item.name: getattr(world.stores, item.name) for item in fields(Stores)},
        feedback=PostgresFeedback(pool), stream_log=PostgresStreamLog(pool, settings.stream.lease),
        queue=world.ingest.queue, registry=PostgresRegistry(pool), blobs=blobs or world.blobs, s3=None,  # type: ignore[arg-type]
        ledger=None, caching=None, principal=world.principal,  # type: ignore[arg-type]
    )  # fmt: skip


def services_of(
    world: World, storage: Storage, principals: PrincipalResolver, generator: Generator | None = None
) -> Services:
    """What the HTTP face works with; no worker runs."""
    parts, stream = replace(world.chat, generator=generator), storage.settings.stream
    asking = build_chat(parts)
    limits = StreamLimits(stream.lease, stream.grace, stream.poll, stream.wait, storage.settings.http.sse_heartbeat)
    return Services(
        storage=storage, models=Models(parts.embedder, parts.embedders, generator, None, None), ingest=world.ingest,  # type: ignore[arg-type]
        worker=None, asking=asking, principals=principals,  # type: ignore[arg-type]
        streams=Streams(storage.stream_log, limits, asking.chat, asking.guard, parts.memory),
    )  # fmt: skip


@asynccontextmanager
async def http_client(world: World, pool: Pool, data: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the HTTP face over a world, in this process; its data directory is `data`."""
    storage = storage_of(world, pool, load_settings(data={"dir": data}), FolderBlobStore(data / "blobs"))

    async def owner(headers: Mapping[str, str]) -> Principal:
        return world.principal

    services = services_of(world, storage, owner)
    app = create_app(storage.settings.http, ProcessState(services, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


LIMITS = ChatLimits(
    k=10,
    depth=100,
    dense_weight=0.36,
    passages=6,
    max_sentences=3,
    max_tokens=200,
    history_turns=8,
    question_limit=8000,
    abstain=False,
)


def chat_services(pool: Pool, found: Stores) -> ChatParts:
    """What a turn works with, on this database."""
    embedder = HashEmbedder()
    return ChatParts(
        found.catalog,
        found.search,
        embedder,
        FixedEmbedders([embedder]),
        PostgresMemory(pool),
        None,
        SentenceVectors(embedder),
        LIMITS,
        "english",
    )


@asynccontextmanager
async def open_world(
    pool: Pool, database: str, folder: Path, server: VectorServer | None = None
) -> AsyncIterator[World]:
    """The vectors are in the server, where there is one."""
    blobs = FolderBlobStore(folder / "blobs")
    embedder = HashEmbedder()
    async with (
        open_sandboxed_parser(ParseLimits(30, 1024**3, 5_000_000), 2) as parser,
        open_queue(database, pool, QueueLimits(30, 5, 7)) as queue,
    ):
        index = IndexSpec(parser.version, "c/1 64/8", "r/1", format_analyser_name("english"), embedder.spec)
        if server:
            index = replace(index, vectors="server")
        found = stores(pool, server)
        chat = chat_services(pool, found)
        ingest = Ingestion(
            catalog=found.catalog, upkeep=found.upkeep, blobs=blobs, parser=parser, embedders=chat.embedders, queue=queue,
            index=index, batch_chunks=16,
        )  # fmt: skip
        yield World(found, blobs, ingest, chat)


@pytest.fixture
async def world(pool: Pool, database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(pool, database, tmp_path) as found:
        yield found


@dataclass(frozen=True)
class Bakery:
    """A database that knows of bread, made from a template; without the machinery that filled it."""

    pool: Pool
    chat: ChatParts
    principal: Principal = OWNER


@pytest.fixture(scope="session")
def bread(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a template that knows of bread."""
    folder = tmp_path_factory.mktemp("bread")

    async def fill() -> None:
        url = await databases.template("template_bread")
        (folder / "bread.txt").write_text("Bread is made of flour and water. It is baked in an oven.")
        async with (
            open_pool(url, size=4, connect_timeout=5, statement_timeout=30, name="test") as pool,
            open_world(pool, url, folder) as world,
        ):
            source = LocalSource(folder / "bread.txt", max_bytes=10**6)
            found = [item.status.value async for item in world.ingest.ingester_for(OWNER).ingest_source("c", source)]
            assert found == ["indexed"]

    asyncio.run(fill())
    return "template_bread"


@pytest.fixture
async def bakery(databases: Any, bread: str) -> AsyncIterator[Bakery]:
    async with (
        databases.copy(bread) as url,
        open_pool(url, size=8, connect_timeout=5, statement_timeout=30, name="test") as pool,
    ):
        yield Bakery(pool, chat_services(pool, stores(pool)))


async def keep_leftovers() -> None:
    """No process was killed here."""


@dataclass
class Office:
    """A world with a queue, a registry and a worker that can be run over it."""

    world: World
    queue: PostgresQueue
    registry: PostgresRegistry
    folder: Path
    wrap: Callable[[Source], Source] = lambda source: source

    @asynccontextmanager
    async def open_source(self, registered: RegisteredSource) -> AsyncIterator[Source]:
        yield self.wrap(LocalSource(Path(registered.location), max_bytes=10**6))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        worker = replace(self.world.ingest, queue=self.queue).worker(
            self.registry, self.open_source, SyncLimits(share=0.5, least=2), keep_leftovers
        )
        task = asyncio.create_task(worker.work(4))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def register(self, interval: int | None = None) -> RegisteredSource:
        return await self.registry.add(self.world.principal, "c", str(self.folder), {}, interval)

    async def sync(self, source: RegisteredSource, *, confirmed: bool = False) -> RegisteredSource:
        """Sync and wait until everything is done."""
        await self.queue.add(self.world.principal, [sync_job(source, confirmed=confirmed)])
        await self.idle()
        return await self.registry.source(self.world.principal, source.id)

    async def until_done(self, job_id: str) -> None:
        async with asyncio.timeout(60):
            while (await self.queue.job(self.world.principal, job_id)).status in ("queued", "running"):
                await asyncio.sleep(0.02)

    async def idle(self) -> None:
        async with asyncio.timeout(60):
            while (counts := await self.queue.counts(self.world.principal))["queued"] or counts["running"]:
                await asyncio.sleep(0.02)

    async def documents(self) -> Sequence[Document]:
        return await self.world.catalog.documents(self.world.principal, collection="c")

    async def uris(self) -> set[str]:
        return {Path(document.uri).name for document in await self.documents() if document.status.value == "indexed"}

    async def texts(self, question: str) -> list[str]:
        ranking, _ = await retrieve(self.world.chat, self.world.principal, question, ["c"])
        return [hit.text for hit in ranking.hits]

    @property
    def storage(self) -> Storage:
        """What removing a source works with; the rest is not there."""
        there = {
            "catalog": self.world.catalog, "upkeep": self.world.stores.upkeep, "queue": self.queue, "registry": self.registry,
            "blobs": self.world.blobs, "principal": self.world.principal,
        }  # fmt: skip
        return Storage(**{item.name: there.get(item.name) for item in fields(Storage)})  # type: ignore[arg-type]


@pytest.fixture
async def office(world: World, database: str, pool: Pool, tmp_path: Path) -> AsyncIterator[Office]:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(8):
        (folder / f"n{number}.txt").write_text(f"Harbour number {number}.")
    async with open_queue(database, pool, QueueLimits(30, 5, 7)) as queue:
        yield Office(world, queue, PostgresRegistry(pool), folder)
