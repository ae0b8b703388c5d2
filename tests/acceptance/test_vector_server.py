"""The product with its vectors on a server: chosen by a setting, checked by doctor, and killed between the two writes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.vectors.pgvector import PgvectorIndex
from anchorage.model import LOCAL_OWNER
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.vector_index import Space
from anchorage.testing.memory_vectors import MemoryVectors
from anchorage.testing.troubled_vectors import TroubledVectors
from anchorage.testing.vector_server import SCHEME, serve_vectors
from anchorage.wiring.stores import Stores, stores_on
from support.stores import LIMITS

# One line of wiring makes a kind of server known.
PRODUCT = f"""
from anchorage.testing.vector_server import open_served_vectors
from anchorage.wiring.stores import VECTOR_SERVERS
VECTOR_SERVERS[{SCHEME!r}] = open_served_vectors
from anchorage.faces.cli.main import main
main()
"""


class Installation:
    """Commands of the product on one database and one vector server."""

    def __init__(self, url: str, vectors: str, folder: Path, server: TroubledVectors) -> None:
        self.documents = folder / "documents"
        self.documents.mkdir()
        self.server = server
        self._data = folder / "data"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANCHORAGE_", "OPENAI_"))}
        self.environment = clean | {"VECTOR_DB_URL": url, "STATE_DB_URL": url, "ANCHORAGE_VECTORS__URL": vectors}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PRODUCT, *arguments, "--data", str(self._data)]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    async def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        printed, _ = await asyncio.to_thread(process.communicate, timeout=120)
        return process.returncode, printed

    async def is_killed_after(self, operation: str, *arguments: str) -> None:
        """Run a command that gets SIGKILL when the server has done the operation, before it is told so."""
        process = self.start(*arguments)

        async def kill(name: str) -> None:
            if name == operation:
                os.killpg(process.pid, signal.SIGKILL)

        self.server.after = kill
        await asyncio.to_thread(process.communicate, timeout=120)
        self.server.heal()
        assert process.returncode == -signal.SIGKILL, f"{operation} was never asked for"


@pytest.fixture
async def installation(database: str, tmp_path: Path) -> AsyncIterator[Installation]:
    server = TroubledVectors(MemoryVectors())
    async with serve_vectors(server) as address:
        yield Installation(database, address, tmp_path, server)


@pytest.fixture
def found(pool: Pool, installation: Installation) -> Stores:
    indexes = {IN_POSTGRES: PgvectorIndex(pool, ef_search=120), SCHEME: installation.server}
    return stores_on(pool, indexes, LIMITS, compared=0.0)


async def sides(found: Stores, installation: Installation) -> tuple[set[int], set[int]]:
    """The chunks that Postgres has, and the points of the server."""
    (collection,) = await found.catalog.collections(LOCAL_OWNER)
    space = Space(collection.index_id, 384)
    held = await found.catalog.documents(LOCAL_OWNER, collection=collection.name)
    listed = [await found.catalog.chunks(LOCAL_OWNER, item.id, limit=1000) for item in held if item.version]
    chunks = {int(chunk_id.partition(".")[2]) for chunks in listed for chunk_id, _ in chunks}
    return chunks, set(await installation.server.server.chunk_ids(space, after=0, limit=10**6))


async def test_killed_between_the_two_writes(installation: Installation, found: Stores) -> None:
    (installation.documents / "ghent.md").write_text("# Ghent\n\nThe old harbour of Ghent has a crane of 1912.\n")
    code, printed = await installation.run("ingest", str(installation.documents))
    assert code == 0, printed
    (installation.documents / "bruges.md").write_text("# Bruges\n\nThe belfry of Bruges is 83 metres high.\n")
    await installation.is_killed_after("put", "ingest", str(installation.documents))
    chunks, points = await sides(found, installation)
    assert chunks < points, "the points of a document that is not there were not left"
    code, printed = await installation.run("ask", "How high is the belfry of Bruges?")
    assert "83 metres" not in printed
    code, printed = await installation.run("ask", "Which crane has the old harbour of Ghent?")
    assert code == 0 and "crane of 1912" in printed, printed
    while await found.upkeep.maintain(settled=True):
        pass
    chunks, points = await sides(found, installation)
    assert chunks == points
    code, printed = await installation.run("ingest", str(installation.documents))
    assert code == 0, printed
    code, printed = await installation.run("ask", "How high is the belfry of Bruges?")
    assert code == 0 and "83 metres" in printed, printed
    chunks, points = await sides(found, installation)
    assert chunks == points


async def test_doctor_names_the_vector_server(installation: Installation) -> None:
    _, printed = await installation.run("doctor")
    assert f"{SCHEME}: connected" in printed
    installation.environment["ANCHORAGE_VECTORS__URL"] = f"{SCHEME}://127.0.0.1:9"
    code, printed = await installation.run("doctor")
    assert code != 0 and "The vector server did not answer (ping)." in printed, printed
    installation.environment["ANCHORAGE_VECTORS__URL"] = "nowhere://user:secret@host"
    code, printed = await installation.run("doctor")
    assert code != 0 and "no kind of vector server that is known" in printed and "secret" not in printed, printed
