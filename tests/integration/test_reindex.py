"""Index versions on a real Postgres: built beside the live one, caught up with, switched, gone back to, discarded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.integration.conftest import World, open_world

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.tables import IndexTables
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.adapters.vectors import pgvector
from anchorage.errors import BadRequest, Conflict, IndexMismatch, ModelUnavailable, NotAllowed, NotFound
from anchorage.evaluation.golden import compare_index_versions, read_golden
from anchorage.ingest.indexing import chunker_name
from anchorage.ingest.reindex import Reindexer, check_chunk_size, find_other_version, target_spec
from anchorage.model import EmbedderSpec, IndexVersion, Outcome, Principal, SourceEntry
from anchorage.ports.index_versions import IndexVersions
from anchorage.ports.upkeep import Upkeep
from anchorage.ports.vector_index import Space
from anchorage.testing.fakes import FixedEmbedders, HashEmbedder
from anchorage.testing.memory_vectors import MemoryVectors
from anchorage.testing.troubled_vectors import Killed, TroubledVectors, away, killed_at
from anchorage.wiring.chat import build_chat
from support.asking import retrieve
from support.stores import stores

SMALL, LARGE = HashEmbedder(), HashEmbedder(96, "large")
BOTH = ["pgvector", "server"]
TOPICS = ("harbour of Ghent", "bread and flour", "melting iron", "purring cats")


def text_of(topic: str, extra: str = "") -> str:
    parts = [
        f"## Part {n}\n\nThe {topic} number {n} is told of here at some length, as it must be. {extra}"
        for n in range(12)
    ]
    return f"# {topic}\n\n" + "\n\n".join(parts)


@pytest.fixture
def server() -> TroubledVectors:
    return TroubledVectors(MemoryVectors())


@pytest.fixture(params=BOTH)
async def world(
    request: pytest.FixtureRequest, pool: Pool, database: str, tmp_path: Path, server: TroubledVectors
) -> AsyncIterator[World]:
    """With the vectors in Postgres, and on a server."""
    async with open_world(pool, database, tmp_path, server if request.param == "server" else None) as found:
        yield found


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    for number, topic in enumerate(TOPICS):
        (place / f"{number}.md").write_text(text_of(topic))
    return place


@dataclass(frozen=True)
class Reindexing:
    """What reindexing works with."""

    versions: IndexVersions
    embedders: FixedEmbedders
    upkeep: Upkeep

    @property
    def reindexer(self) -> Reindexer:
        return Reindexer(self.versions, self.embedders, self.upkeep, 16)


@pytest.fixture
def shop(world: World, pool: Pool) -> tuple[World, Reindexing]:
    """Services that know both embedders, and what reindexes with them."""
    both = FixedEmbedders([SMALL, LARGE])
    known = replace(world, ingest=replace(world.ingest, embedders=both), chat=replace(world.chat, embedders=both))
    return known, Reindexing(world.stores.index_versions, both, world.stores.upkeep)


async def ingest(world: World, folder: Path) -> list[Outcome]:
    source = LocalSource(folder, max_bytes=10**7)
    return [outcome async for outcome in world.ingester.ingest_source("c", source)]


async def hits(world: World, question: str, index_id: int | None = None) -> list[tuple[str, str]]:
    ranking, _ = await retrieve(world.chat, world.principal, question, ["c"], 20, index_id=index_id)
    return [(hit.uri.rsplit("/", 1)[-1], hit.text) for hit in ranking.hits]


async def unneeded() -> None:
    raise AssertionError


def silent(done: int, total: int) -> None:
    assert 0 <= done <= total


async def begin(world: World, services: Reindexing, chunk: str = "16/4") -> IndexVersion:
    live, *_ = await services.versions.versions(world.principal, "c")
    spec = target_spec(live.spec, world.ingest.index, LARGE.spec, chunk)
    return await services.versions.begin(world.principal, "c", spec)


async def test_a_new_version_is_built_beside_the_old_and_takes_over(
    shop: tuple[World, Reindexing], folder: Path
) -> None:
    world, services = shop
    await ingest(world, folder)
    before = await hits(world, "harbour of Ghent number 3")
    version = await begin(world, services)
    await services.reindexer.build(world.principal, version, silent)
    assert await hits(world, "harbour of Ghent number 3") == before
    beside = await hits(world, "harbour of Ghent number 3", version.id)
    assert beside and beside != before
    documents = await world.catalog.documents(world.principal, collection="c")
    await services.reindexer.switch(world.principal, version, silent)
    assert await hits(world, "harbour of Ghent number 3") == beside
    live, other = await services.versions.versions(world.principal, "c")
    assert (live.id, live.documents, other.documents) == (version.id, 4, 4)
    assert live.spec.embedder == LARGE.spec and live.spec.chunker == chunker_name(16, 4)
    after = await world.catalog.documents(world.principal, collection="c")
    assert [item.version for item in after] == [item.version for item in documents]
    assert all(new.chunks != old.chunks for new, old in zip(after, documents, strict=True))
    for uri, passage in beside:
        text = (await world.catalog.text(world.principal, next(d.id for d in after if d.uri.endswith(uri)))).text
        assert passage in text


async def test_changes_and_deletions_made_meanwhile_are_in_the_new_version(
    shop: tuple[World, Reindexing], folder: Path
) -> None:
    world, services = shop
    outcomes = await ingest(world, folder)
    version = await begin(world, services)
    await services.reindexer.build(world.principal, version, silent)
    (folder / "1.md").write_text(text_of("bread and flour", "Now with zucchini."))
    (folder / "new.md").write_text(text_of("white lighthouses"))
    await ingest(world, folder)
    gone = next(item.document_id for item in outcomes if item.uri.endswith("3.md")) or ""
    await world.ingest.remover.delete_documents(world.principal, [gone])
    assert await services.versions.switch(world.principal, version.id, unneeded, most=1) == 2  # it lacks two
    await services.reindexer.switch(world.principal, version, silent)
    assert (await hits(world, "zucchini"))[0][0] == "1.md"
    assert (await hits(world, "white lighthouses"))[0][0] == "new.md"
    assert "3.md" not in {name for name, _ in await hits(world, "purring cats")}
    # What is written now goes into the new version, by the new embedder.
    (folder / "late.md").write_text(text_of("copper kettles"))
    await ingest(world, folder)
    assert (await hits(world, "copper kettles"))[0][0] == "late.md"


async def test_going_back_loses_nothing(shop: tuple[World, Reindexing], folder: Path) -> None:
    world, services = shop
    outcomes = await ingest(world, folder)
    version = await begin(world, services)
    await services.reindexer.switch(world.principal, version, silent)
    (folder / "1.md").write_text(text_of("bread and flour", "Now with zucchini."))
    await ingest(world, folder)
    gone = next(item.document_id for item in outcomes if item.uri.endswith("2.md")) or ""
    await world.ingest.remover.delete_documents(world.principal, [gone])
    old = await find_other_version(services.versions, world.principal, "c")
    assert old.documents == 2  # one was changed and one deleted since
    await services.reindexer.switch(world.principal, old, silent)
    assert (await hits(world, "zucchini"))[0][0] == "1.md"
    assert "2.md" not in {name for name, _ in await hits(world, "melting iron")}
    kept = await find_other_version(services.versions, world.principal, "c")
    await services.versions.discard(world.principal, kept.id)
    with pytest.raises(NotFound):
        await find_other_version(services.versions, world.principal, "c")
    with pytest.raises(Conflict):
        await services.versions.discard(world.principal, old.id)


async def test_writers_and_readers_go_on_while_it_is_built_and_switched(
    shop: tuple[World, Reindexing], folder: Path
) -> None:
    world, services = shop
    await ingest(world, folder)
    version = await begin(world, services)
    finished = asyncio.Event()
    seen, written = 0, 0

    async def read() -> None:
        nonlocal seen
        while not finished.is_set():
            found = [name for name, _ in await hits(world, "harbour of Ghent number 3")]
            assert found and found[0] == "0.md" and set(found) <= {*(f"{n}.md" for n in range(4)), "new.md"}
            seen += 1

    async def write() -> None:
        nonlocal written
        ingester = world.ingester
        source = LocalSource(folder, max_bytes=10**7)
        uri = (folder / "1.md").as_uri()
        while not finished.is_set() or written < 8:
            written += 1
            (folder / "1.md").write_text(text_of("bread and flour", f"Edition {written}."))
            known = (await world.catalog.versions(world.principal, "c", [uri])).get(uri)
            outcome = await ingester.ingest_document("c", source, SourceEntry(uri), known)
            assert outcome.status.value == "indexed", outcome
            (folder / "new.md").write_text(text_of("white lighthouses", f"Edition {written}."))
            new = (folder / "new.md").as_uri()
            outcome = await ingester.ingest_document("c", source, SourceEntry(new), None)
            assert outcome.document_id
            await world.ingest.remover.delete_documents(world.principal, [outcome.document_id])

    async def reindex() -> None:
        try:
            for _ in range(3):
                await services.reindexer.switch(world.principal, version_of[0], silent)
                version_of[0] = await find_other_version(services.versions, world.principal, "c")
        finally:
            finished.set()

    version_of = [version]
    await asyncio.gather(read(), write(), reindex())
    assert seen > 3 and written >= 8
    top = (await hits(world, f"bread and flour Edition {written}"))[0]
    assert top[0] == "1.md" and f"Edition {written}." in top[1]
    for item in await services.versions.versions(world.principal, "c"):
        await services.reindexer.build(world.principal, item, silent) if not item.live else None
    live, other = await services.versions.versions(world.principal, "c")
    assert live.documents == other.documents == 4


async def test_who_wrote_into_the_old_index_before_the_switch_goes_on_in_the_new_one(
    shop: tuple[World, Reindexing], folder: Path
) -> None:
    """A worker keeps what it knows of a collection, and most passages of a changed document are there already."""
    world, services = shop
    await ingest(world, folder)
    ingester, source = world.ingester, LocalSource(folder, max_bytes=10**7)
    await ingester.open_index("c")
    live, *_ = await services.versions.versions(world.principal, "c")
    spec = target_spec(live.spec, world.ingest.index, LARGE.spec, None)  # cut alike, in another dimension
    await services.reindexer.switch(world.principal, await services.versions.begin(world.principal, "c", spec), silent)
    (folder / "1.md").write_text(text_of("bread and flour") + "\n\nAnd of zucchini.")
    entry = SourceEntry((folder / "1.md").as_uri())
    outcome = await ingester.ingest_document("c", source, entry, await ingester.find_document("c", entry.uri))
    assert outcome.status.value == "indexed", outcome
    assert (await hits(world, "zucchini"))[0][0] == "1.md"


async def test_the_old_embedder_can_be_turned_off_after_the_switch(
    shop: tuple[World, Reindexing], folder: Path
) -> None:
    world, services = shop

    class Leaving(HashEmbedder):
        gone = False

        async def embed_passages(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
            if Leaving.gone:
                raise ModelUnavailable("The model server is away.")
            return await HashEmbedder.embed_passages(self, texts)

    both = FixedEmbedders([Leaving(), LARGE])
    world = replace(world, ingest=replace(world.ingest, embedders=both))
    await ingest(world, folder)
    ingester, source = world.ingester, LocalSource(folder, max_bytes=10**7)
    await ingester.open_index("c")
    await services.reindexer.switch(world.principal, await begin(world, services), silent)
    Leaving.gone = True
    (folder / "new.md").write_text(text_of("white lighthouses"))
    outcome = await ingester.ingest_document("c", source, SourceEntry((folder / "new.md").as_uri()), None)
    assert outcome.status.value == "indexed", outcome


async def test_a_killed_build_goes_on_where_it_stopped(shop: tuple[World, Reindexing], folder: Path) -> None:
    world, services = shop
    await ingest(world, folder)
    version = await begin(world, services)
    (first, *_) = await services.versions.behind(world.principal, version.id, after=None, limit=1)

    class Dying(HashEmbedder):
        async def embed_passages(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
            raise ConnectionError

    dying = replace(services, embedders=FixedEmbedders([SMALL, Dying(96, "large")]))
    with pytest.raises(ConnectionError):
        await dying.reindexer.build(world.principal, version, silent)
    assert await begin(world, services) == version
    assert len(await services.versions.behind(world.principal, version.id, after=None, limit=9)) == 4
    assert first.parsed.blocks[0].kind.value == "heading"
    await services.reindexer.switch(world.principal, version, silent)
    assert (await hits(world, "melting iron"))[0][0] == "2.md"


async def test_two_operators_at_once_build_one_index(shop: tuple[World, Reindexing], folder: Path, pool: Pool) -> None:
    world, services = shop
    await ingest(world, folder)
    version = await begin(world, services)
    await asyncio.gather(*(services.reindexer.build(world.principal, version, silent) for _ in range(3)))
    await services.reindexer.switch(world.principal, version, silent)
    documents = await world.catalog.documents(world.principal, collection="c")
    async with pool.connection() as connection:
        cursor = await connection.execute(f"SELECT count(*) FROM anchorage.chunks_{version.id}")
        row = await cursor.fetchone()
    assert row == (sum(item.chunks for item in documents),)


@pytest.mark.parametrize("world", ["pgvector"], indirect=True)
async def test_its_vector_index_is_there_before_the_switch_whoever_tidies_meanwhile(
    shop: tuple[World, Reindexing], folder: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, services = shop
    monkeypatch.setattr(pgvector, "worth_it", lambda dimension: 1)
    await ingest(world, folder)
    version = await begin(world, services)
    async with pool.connection() as worker:
        await worker.execute("SELECT pg_advisory_lock(20762)")
        building = asyncio.create_task(services.reindexer.build(world.principal, version, silent))
        async with asyncio.timeout(30):
            asked = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%' AND state = 'idle'"
            while not await (await worker.execute(asked)).fetchone():
                await asyncio.sleep(0.02)
        await worker.execute("SELECT pg_advisory_unlock(20762)")
        await building
        assert await pgvector.has_graph(worker, IndexTables(version.id))


@pytest.mark.parametrize("world", ["server"], indirect=True)
async def test_a_build_that_was_killed_between_its_two_writes(
    shop: tuple[World, Reindexing], folder: Path, server: TroubledVectors
) -> None:
    world, services = shop
    await ingest(world, folder)
    version = await begin(world, services)
    space = Space(version.id, 96)
    for step in range(3):
        server.after = killed_at("put")
        with pytest.raises(Killed):
            await services.reindexer.build(world.principal, version, silent)
        server.heal()
        assert await server.count(space) > step  # chunks that Postgres does not know
        assert not await hits(world, "harbour of Ghent number 3", version.id)
    await services.reindexer.switch(world.principal, version, silent)  # what it builds is mended, too
    chunks = sum(item.chunks for item in await world.catalog.documents(world.principal, collection="c"))
    assert await server.count(space) == chunks
    assert (await hits(world, "melting iron"))[0][0] == "2.md"
    old = await find_other_version(services.versions, world.principal, "c")
    await services.versions.discard(world.principal, old.id)
    assert list(await server.spaces()) == [version.id]


@pytest.mark.parametrize("world", ["pgvector"], indirect=True)
async def test_a_living_collection_moves_to_another_vector_index_and_back(
    world: World, pool: Pool, folder: Path, server: TroubledVectors
) -> None:
    """Only where its vectors are is another: it finds the same."""
    found = stores(pool, server)
    world = replace(
        world,
        stores=found,
        chat=replace(world.chat, catalog=found.catalog, search=found.search),
        ingest=replace(world.ingest, catalog=found.catalog, upkeep=found.upkeep),
    )
    services = Reindexing(found.index_versions, world.ingest.embedders, found.upkeep)
    await ingest(world, folder)
    before = await hits(world, "harbour of Ghent number 3")
    live, *_ = await services.versions.versions(world.principal, "c")
    there = await services.versions.begin(world.principal, "c", replace(live.spec, vectors="server"))
    await services.reindexer.switch(world.principal, there, silent)
    assert await server.count(Space(there.id, 64)) > 0
    after = await hits(world, "harbour of Ghent number 3")
    assert after[0] == before[0] and len(after) == len(before)
    # The others are as far from the question as one another, so that any of them may come.
    assert {hit for hit in after if hit[0] == "0.md"} == {hit for hit in before if hit[0] == "0.md"}
    (folder / "1.md").write_text(text_of("bread and flour", "Now with zucchini."))
    await ingest(world, folder)
    assert (await hits(world, "zucchini"))[0][0] == "1.md"
    back = await find_other_version(services.versions, world.principal, "c")
    await services.reindexer.switch(world.principal, back, silent)
    server.before = away
    assert (await hits(world, "zucchini"))[0][0] == "1.md"
    assert (await hits(world, "harbour of Ghent number 3"))[0] == before[0]


async def test_nobody_waits_for_the_embedder_at_the_switch(shop: tuple[World, Reindexing], folder: Path) -> None:
    world, services = shop
    outcomes = await ingest(world, folder)
    version = await begin(world, services)
    await services.reindexer.build(world.principal, version, silent)
    (folder / "1.md").write_text(text_of("bread and flour", "Now with zucchini."))
    await ingest(world, folder)
    gone = next(item.document_id for item in outcomes if item.uri.endswith("3.md")) or ""

    class Slow(HashEmbedder):
        async def embed_passages(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
            async with asyncio.timeout(20):
                await world.ingest.remover.delete_documents(world.principal, [gone])
            return await HashEmbedder.embed_passages(self, texts)

    slow = replace(services, embedders=FixedEmbedders([SMALL, Slow(96, "large")]))
    await slow.reindexer.switch(world.principal, version, silent)
    assert (await hits(world, "zucchini"))[0][0] == "1.md"
    assert "3.md" not in {name for name, _ in await hits(world, "purring cats")}


async def test_texts_of_before_structures_were_stored_are_cut_by_paragraphs(
    shop: tuple[World, Reindexing], folder: Path, pool: Pool
) -> None:
    world, services = shop
    await ingest(world, folder)
    async with pool.connection() as connection:
        await connection.execute("UPDATE anchorage.document_texts SET blocks = NULL")
    await services.reindexer.switch(world.principal, await begin(world, services), silent)
    assert (await hits(world, "harbour of Ghent number 3"))[0][0] == "0.md"


async def test_what_cannot_be_reindexed_is_refused(shop: tuple[World, Reindexing], folder: Path) -> None:
    world, services = shop
    await ingest(world, folder)
    (live,) = await services.versions.versions(world.principal, "c")
    with pytest.raises(Conflict, match="already"):
        await services.versions.begin(world.principal, "c", live.spec)
    await begin(world, services)
    with pytest.raises(Conflict, match="--discard"):
        await begin(world, services, "48/8")
    stranger = Principal("stranger")
    with pytest.raises(NotFound):
        await services.versions.versions(stranger, "c")
    with pytest.raises((NotFound, NotAllowed)):
        await services.versions.begin(stranger, "c", live.spec)
    for wrong in ("x", "8", "100/90", "-5", "32/x", "99999"):
        with pytest.raises(BadRequest, match="--chunk"):
            target_spec(live.spec, world.ingest.index, None, wrong)
    with pytest.raises(BadRequest, match="256"):
        await check_chunk_size(services.embedders, target_spec(live.spec, world.ingest.index, None, "300"))
    with pytest.raises(IndexMismatch):
        await services.embedders.of(EmbedderSpec("nosuch", "1", 8))


async def test_a_golden_set_compares_two_versions(shop: tuple[World, Reindexing], folder: Path, tmp_path: Path) -> None:
    world, services = shop
    await ingest(world, folder)
    version = await begin(world, services)
    await services.reindexer.build(world.principal, version, silent)
    (live, _) = await services.versions.versions(world.principal, "c")
    rows = [f'{{"_id": "{n}", "text": "{topic}"}}' for n, topic in enumerate(TOPICS)]
    (tmp_path / "queries.jsonl").write_text("\n".join(rows))
    (tmp_path / "qrels.tsv").write_text("q\td\ts\n" + "\n".join(f"{n}\t{n}.md\t1" for n in range(3)))
    queries = read_golden(tmp_path)
    check = await compare_index_versions(
        build_chat(world.chat).retriever, world.principal, "c", queries, live.id, version.id
    )
    assert check.questions == 3 and check.before["ndcg@10"] == check.after["ndcg@10"] == 1 and check.compute_loss() == 0
    (tmp_path / "qrels.tsv").write_text("q\td\ts\n0\telsewhere.md\t1\n")
    with pytest.raises(BadRequest, match="qrels"):
        await compare_index_versions(
            build_chat(world.chat).retriever, world.principal, "c", read_golden(tmp_path), live.id, version.id
        )
