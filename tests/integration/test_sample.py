"""The project's own documentation, and what else may be in its collection."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.faces.sample import ingest_own_docs
from anchorage.ingest.jobs.upload import ingest_upload
from anchorage.model import DOCS_COLLECTION, Hit, Principal
from anchorage.model.search import Query
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


async def test_the_sample_leaves_all_collections_when_there_are_documents_of_ones_own(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "sample.txt").write_text("The harbour of the sample.")
    (tmp_path / "own").mkdir()
    catalog, principal = world.catalog, world.principal
    index = (await catalog.open_collection(principal, DOCS_COLLECTION, world.ingest.index, kind="docs")).index
    source = LocalSource(tmp_path / "sample.txt", max_bytes=10**6)
    assert [item async for item in world.ingester.ingest_source(DOCS_COLLECTION, source)]
    await catalog.open_collection(principal, "mine", index)
    assert {hit.collection for hit in await _search(world, None)} == {DOCS_COLLECTION}  # an empty one changes nothing

    (tmp_path / "own/a.txt").write_text("The harbour of my own.")
    assert [item async for item in world.ingester.ingest_source("mine", LocalSource(tmp_path / "own", max_bytes=10**6))]
    assert {hit.collection for hit in await _search(world, None)} == {"mine"}
    assert {hit.collection for hit in await _search(world, [DOCS_COLLECTION])} == {DOCS_COLLECTION}


async def _search(world: World, names: list[str] | None) -> Sequence[Hit]:
    embedder = world.chat.embedder
    vectors = {embedder.spec: await embedder.embed_query("the harbour")}
    return (await world.stores.search.search(world.principal, Query("the harbour", vectors, 10), names)).hits
