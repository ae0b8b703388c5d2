"""Collections whose vectors a server has: ingested, asked, changed and deleted like any other, whatever becomes of the server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.errors import ConfigurationError
from anchorage.model import Hit, Outcome
from anchorage.model.indexes import IN_POSTGRES
from anchorage.ports.vector_index import Space
from anchorage.telemetry import REGISTRY
from anchorage.testing.memory_vectors import MemoryVectors
from anchorage.testing.troubled_vectors import TroubledVectors, away
from support.asking import ask, retrieve

from .conftest import World, open_world

TEXTS = {
    "harbour.txt": "The harbour of Ghent opened in 1827. It has two lighthouses.",
    "bread.txt": "Bread is made of flour and water. It is baked in an oven.",
    "iron.txt": "Iron melts at 1538 degrees. A furnace makes that heat.",
    "cats.txt": "Cats purr when they are content. They sleep most of the day.",
}


@pytest.fixture
def server() -> TroubledVectors:
    return TroubledVectors(MemoryVectors())


@pytest.fixture
async def world(pool: Pool, database: str, tmp_path: Path, server: TroubledVectors) -> AsyncIterator[World]:
    async with open_world(pool, database, tmp_path, server) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    for name, text in TEXTS.items():
        (place / name).write_text(text)
    return place


async def ingest(world: World, folder: Path, collection: str = "c") -> list[Outcome]:
    source = LocalSource(folder, max_bytes=10**6)
    return [outcome async for outcome in world.ingester.ingest_source(collection, source)]


async def hits(world: World, question: str, collection: str = "c") -> list[Hit]:
    ranking, _ = await retrieve(world.chat, world.principal, question, [collection], 20)
    return list(ranking.hits)


async def test_it_finds_what_pgvector_finds(world: World, folder: Path, server: TroubledVectors) -> None:
    in_postgres = replace(world, ingest=replace(world.ingest, index=replace(world.ingest.index, vectors=IN_POSTGRES)))
    for step in range(2):
        for place, name in ((world, "c"), (in_postgres, "p")):
            assert {item.status.value for item in await ingest(place, folder, name)} <= {
                "indexed",
                "unchanged",
                "deleted",
            }
        for question in ("harbour lighthouses", "who bakes bread", "cats", "degrees of heat", "zzz"):
            there, here = await hits(world, question), await hits(world, question, "p")
            others = {hit.text: hit for hit in here}  # those of the same score may be in another order
            assert {hit.text for hit in there} == set(others)
            for mine in there:
                other = others[mine.text]
                assert mine.score == pytest.approx(other.score, abs=2e-3)
                assert mine.dense_score == pytest.approx(other.dense_score, abs=2e-3)
                assert mine.lexical_score == other.lexical_score
        both, _ = await retrieve(world.chat, world.principal, "harbour", ["c", "p"], 20)
        assert {hit.collection for hit in both.hits[:2]} == {"c", "p"}
        if step == 0:
            (folder / "harbour.txt").write_text("The harbour of Ghent closed in 1999. It has two lighthouses.")
            (folder / "cats.txt").unlink()
            (folder / "kettles.txt").write_text("Kettles are made of copper.")


async def test_answers_changes_and_deletions(world: World, folder: Path, server: TroubledVectors) -> None:
    outcomes = await ingest(world, folder)
    answer = await ask(world.chat, world.principal, "When did the harbour of Ghent open?")
    assert "1827" in answer.answer and answer.citations
    (folder / "harbour.txt").write_text("The harbour of Ghent opened in 1830.")
    await ingest(world, folder)
    answer = await ask(world.chat, world.principal, "When did the harbour of Ghent open?")
    assert "1830" in answer.answer and "1827" not in answer.answer
    gone = next(item.document_id for item in outcomes if item.uri.endswith("cats.txt")) or ""
    await world.ingest.remover.delete_documents(world.principal, [gone])
    assert not any("purr" in hit.text for hit in await hits(world, "cats purr"))
    (collection,) = await world.catalog.collections(world.principal)
    (index_id,) = await server.spaces()
    assert await server.count(Space(index_id, world.ingest.index.embedder.dimension)) == collection.chunks


async def test_a_server_that_is_away_in_the_middle_of_ingestion(
    world: World, folder: Path, server: TroubledVectors
) -> None:
    server.before = away
    ingesting = asyncio.create_task(ingest(world, folder))
    await asyncio.sleep(0.3)
    assert not ingesting.done() and not await world.catalog.documents(world.principal, collection="c", status="indexed")
    server.heal()
    assert {item.status.value for item in await ingesting} == {"indexed"}
    assert "1827" in (await hits(world, "harbour"))[0].text


async def test_words_alone_are_counted_and_such_an_answer_is_marked(
    world: World, folder: Path, server: TroubledVectors
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("anchorage_degradations_total", {"which": "vectors_away"}) or 0.0

    await ingest(world, folder)
    server.before, before = away, counted()
    ranking, _ = await retrieve(world.chat, world.principal, "harbour", ["c"], 20)
    assert [hit.text for hit in ranking.hits] == [TEXTS["harbour.txt"]] and ranking.by_words
    assert counted() == before + 1


async def test_a_server_that_the_settings_name_no_more(world: World, folder: Path, pool: Pool, database: str) -> None:
    await ingest(world, folder)
    async with open_world(pool, database, folder.parent) as without:
        with pytest.raises(ConfigurationError, match="'server'"):
            await hits(without, "harbour")
        while await without.stores.upkeep.maintain(settled=True):
            pass
        await without.catalog.drop_collection(without.principal, "c")
        assert not await without.catalog.collections(without.principal)
