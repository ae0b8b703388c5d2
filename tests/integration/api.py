"""The API as a real server in the running loop, over the services of a test."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.errors import NotAllowed
from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.model import Principal
from anchorage.ports.llm import Generator
from anchorage.settings import load_settings
from anchorage.testing.serving import serve_app
from anchorage.wiring.services import Services

from .conftest import World, services_of, storage_of

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
    services = services_of(world, storage_of(world, pool, settings), by_header, generator)
    state = ProcessState(services, None)
    app = create_app(settings.http, state, mcp=settings.mcp.enabled)
    async with serve_app(app) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield Api(url, services, client, state)


DOCUMENTS = {
    "horta.md": "# Victor Horta\n\nVictor Horta designed the Hôtel Tassel in 1893. Victor Horta lived in Saint-Gilles. He taught at the academy.",
    "bread.txt": "Bread is made of flour and water. It is baked in an oven.",
}


async def ingest_documents(world: World, folder: Path, collection: str = "c") -> None:
    folder.mkdir(exist_ok=True)
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
        source = LocalSource(folder / name, max_bytes=10**6)
        done = [item.status.value async for item in world.ingester.ingest_source(collection, source)]
        assert done == ["indexed"]
