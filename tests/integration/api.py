"""The API as a real server in the running loop, over the services of a test."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from anchorage.adapters.postgres.feedback import PostgresFeedback
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.sources import PostgresRegistry
from anchorage.adapters.sources.folder import LocalSource
from anchorage.adapters.stores.pgvector.versions import PgvectorIndexVersions
from anchorage.errors import NotAllowed
from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.ingest.pipeline import ingest_source
from anchorage.model import Principal
from anchorage.ports.llm import Generator
from anchorage.settings import Settings, load_settings
from anchorage.testing.serving import serving
from anchorage.wiring import Services, Storage

from .conftest import World

OTHER = Principal("other")


async def by_header(headers: Mapping[str, str]) -> Principal:
    """The owner, or whoever the header names."""
    name = headers.get("x-who", "owner")
    if name == "nobody":
        raise NotAllowed("Nobody may ask here.")
    return Principal(name)


@dataclass
class Api:
    """A running server, with what it works with."""

    url: str
    services: Services
    client: httpx.AsyncClient
    state: ProcessState = field(default_factory=ProcessState)


@asynccontextmanager
async def running_api(
    world: World, pool: Pool, folder: Path, *, generator: Generator | None = None, **sections: Mapping[str, Any]
) -> AsyncIterator[Api]:
    settings = load_settings(**{"data": {"dir": folder}, **sections})
    services = services_of(world, pool, settings, generator)
    state = ProcessState(services, None)
    app = create_app(settings.http, state, mcp=settings.mcp.enabled)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield Api(url, services, client, state)


def services_of(world: World, pool: Pool, settings: Settings, generator: Generator | None = None) -> Services:
    storage = Storage(
        settings=settings, store=world.store, index_versions=PgvectorIndexVersions(pool), memory=world.chat.memory, feedback=PostgresFeedback(pool),
        queue=world.ingest.queue, registry=PostgresRegistry(pool), blobs=world.blobs, s3=None,  # type: ignore[arg-type]
        principal=world.principal, ledger=None, caching=None,
    )  # fmt: skip
    chat = replace(world.chat, generator=generator)
    return Services(
        storage=storage, embedder=chat.embedder, embedders=chat.embedders, generator=generator, ingest=world.ingest,
        worker=None, chat=chat, principals=by_header,  # type: ignore[arg-type]
    )  # fmt: skip


DOCUMENTS = {
    "horta.md": "# Victor Horta\n\nVictor Horta designed the Hôtel Tassel in 1893. Victor Horta lived in Saint-Gilles. He taught at the academy.",
    "bread.txt": "Bread is made of flour and water. It is baked in an oven.",
}


async def ingest_documents(world: World, folder: Path, collection: str = "c") -> None:
    folder.mkdir(exist_ok=True)
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
        source = LocalSource(folder / name, max_bytes=10**6)
        done = [item.status.value async for item in ingest_source(world.ingest, world.principal, collection, source)]
        assert done == ["indexed"]
