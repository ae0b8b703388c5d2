"""The project's own documentation, and what else may be in its collection."""

from pathlib import Path

import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.faces.sample import ingest_own_docs
from anchorage.ingest.jobs.upload import ingest_upload
from anchorage.model import DOCS_COLLECTION, Principal
from anchorage.settings import load_settings

from .conftest import World, services_of, storage_of


async def test_what_was_uploaded_beside_the_documentation_stays(
    world: World, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"The docs of {name}.")
    (tmp_path / "mine/images").mkdir()
    (tmp_path / "mine/images/page.png").write_bytes(b"\x89PNG")
    (tmp_path / "note.txt").write_text("The quay of Ghent.")
    key = await world.blobs.put(tmp_path / "note.txt")
    ingester = world.ingester
    await ingest_upload(ingester, world.blobs, DOCS_COLLECTION, "upload://anchorage-docs/note.txt", "note.txt", key)
    other = LocalSource(tmp_path / "other", max_bytes=10**6)
    assert [item async for item in world.ingester.ingest_source(DOCS_COLLECTION, other)]
    monkeypatch.setattr("anchorage.faces.sample.find_docs_folder", lambda: tmp_path / "mine")

    async def owner(_: object) -> Principal:
        return world.principal

    await ingest_own_docs(services_of(world, storage_of(world, pool, load_settings(data={"dir": tmp_path})), owner))
    held = await world.catalog.documents(world.principal, collection=DOCS_COLLECTION)
    assert {item.uri for item in held} == {"upload://anchorage-docs/note.txt", (tmp_path / "mine/a.txt").as_uri()}
