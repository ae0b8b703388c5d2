"""What is kept of a lexical index is never told from what is read of it, but by its cost."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from anchorage.adapters.postgres.lexical import lexical_search
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.postgres.search.search import SearchLimits
from anchorage.model.search import Query
from anchorage.telemetry import REGISTRY
from anchorage.testing.collections import ANNA, DIMENSION, WORDS, CollectionWorld, document, spec
from anchorage.testing.hashing import hash_texts
from support.stores import collection_world

ASKED = SearchLimits(1_000_000, 2**25)


async def opened(pool: Pool, limits: SearchLimits) -> CollectionWorld:
    return await collection_world(pool, limits=limits)


async def by_words(store: CollectionWorld, text: str, names: Sequence[str] | None = ("c",)) -> list[tuple[str, float]]:
    """The passages with their scores by words."""
    query = Query(text, {spec().embedder: hash_texts([text], DIMENSION)[0]}, 100, lists=True)
    found = await store.search.search(ANNA, query, names)
    hits = {hit.chunk_id: hit for hit in found.hits}
    return [(hits[key].text, round(hits[key].lexical_score or 0.0, 5)) for key, _ in found.lexical]


def looked_up(outcome: str) -> float:
    return REGISTRY.get_sample_value("anchorage_index_terms_total", {"outcome": outcome}) or 0.0


async def test_a_question_asked_again_reads_no_postings(pool: Pool) -> None:
    store = await opened(pool, ASKED)
    await store.catalog.replace(ANNA, "c", [document("a", "an old harbour"), document("b", "a new harbour")])
    first = await by_words(store, "old harbour whale")
    read, kept = looked_up("read"), looked_up("kept")
    assert await by_words(store, "old harbour whale") == first
    assert looked_up("read") == read and looked_up("kept") == kept + 3
    await by_words(store, "new harbour")
    assert looked_up("read") == read + 1


async def test_every_change_is_seen_at_once(pool: Pool) -> None:
    store = await opened(pool, ASKED)
    (one,) = await store.catalog.replace(ANNA, "c", [document("a", "an old harbour")])
    assert [text for text, _ in await by_words(store, "harbour")] == ["an old harbour"]
    await store.catalog.replace(ANNA, "c", [document("b", "another harbour")])
    assert {text for text, _ in await by_words(store, "harbour")} == {"an old harbour", "another harbour"}
    await store.catalog.replace(ANNA, "c", [document("a", "the lake", version="v2")])
    assert [text for text, _ in await by_words(store, "harbour")] == ["another harbour"]
    await store.catalog.delete(ANNA, [one])
    assert not await by_words(store, "lake")


@pytest.mark.parametrize("budget", [15, 60, 1_000_000], ids=["few", "some", "all"])
@pytest.mark.parametrize("kept", [3000, 2**25], ids=["little-room", "room"])
async def test_scores_are_those_of_a_store_that_keeps_nothing(pool: Pool, budget: int, kept: int) -> None:
    chance = random.Random(budget + kept)
    keeping = await opened(pool, SearchLimits(budget, kept))
    plain = await opened(pool, SearchLimits(budget, 0))
    uris = [f"u{number}" for number in range(30)]
    for version in range(12):
        for _ in range(chance.randint(0, 4)):
            texts = [" ".join(chance.choices(WORDS[:20], k=12)) for _ in range(3)]
            await keeping.catalog.replace(ANNA, "c", [document(chance.choice(uris), *texts, version=f"v{version}")])
        if version % 4 == 3:
            held = await keeping.catalog.documents(ANNA, collection="c")
            await keeping.catalog.delete(ANNA, [item.id for item in held[: len(held) // 3]])
            while await keeping.upkeep.maintain(settled=True):
                pass
        for _ in range(8):
            question = " ".join(chance.choices([*WORDS[:20], "unknown"], k=chance.randint(1, 8)))
            assert await by_words(keeping, question) == await by_words(plain, question)


async def test_many_questions_while_documents_come(pool: Pool) -> None:
    """Each sees the documents that were there when it began, whatever the others have kept."""
    store = await opened(pool, ASKED)
    await store.catalog.replace(ANNA, "c", [document("first", "harbour zero")])
    written = 0

    async def write() -> None:
        nonlocal written
        for number in range(15):
            await store.catalog.replace(ANNA, "c", [document(f"u{number}", f"harbour {number}")])
            written += 1

    async def ask() -> None:
        while written < 15:
            least = written + 1
            assert least <= len(await by_words(store, "harbour zero")) <= 16

    await asyncio.gather(write(), *(ask() for _ in range(6)))
    assert len(await by_words(store, "harbour")) == 16


async def test_a_word_that_gave_way_once_is_read_when_it_does_not(pool: Pool) -> None:
    store = await opened(pool, SearchLimits(12, 2**25))
    await store.catalog.replace(ANNA, "c", [document(f"u{number}", f"harbour rare{number}") for number in range(10)])
    await store.catalog.replace(ANNA, "c", [document(f"v{number}", "quay") for number in range(5)])
    assert len(await by_words(store, "harbour quay rare1")) == 6  # harbour gives way
    for _ in range(2):
        assert len(await by_words(store, "harbour")) == 10
        assert len(await by_words(store, "harbour rare2")) == 10
        assert len(await by_words(store, "harbour quay rare1")) == 6


async def test_what_was_kept_long_ago_is_read_anew(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that was played back may have the same numbers for other postings."""
    store = await opened(pool, ASKED)
    await store.catalog.replace(ANNA, "c", [document("a", "an old harbour"), document("b", "a lake")])
    assert len(await by_words(store, "harbour")) == 1
    await by_words(store, "lake")
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'postings_%' AND relkind = 'r'"
        )
        (table,) = [row[0] for row in await found.fetchall()]
        for old, new in (("harbour", "swap"), ("lake", "harbour"), ("swap", "lake")):
            await connection.execute(f"UPDATE anchorage.{table} SET term = %s WHERE term = %s", (new, old))
    assert [text for text, _ in await by_words(store, "harbour")] == ["an old harbour"]
    monkeypatch.setattr(lexical_search, "_BELIEVED", 0.0)
    assert [text for text, _ in await by_words(store, "harbour")] == ["a lake"]
    monkeypatch.undo()
    assert [text for text, _ in await by_words(store, "lake")] == ["an old harbour"]


async def test_a_small_memory_keeps_the_words_asked_last(pool: Pool) -> None:
    store = await opened(pool, SearchLimits(1_000_000, 4 * 700))
    await store.catalog.replace(ANNA, "c", [document("a", " ".join(WORDS))])
    for word in WORDS:
        await by_words(store, word)
    read = looked_up("read")
    await by_words(store, WORDS[-1])
    assert looked_up("read") == read
    await by_words(store, WORDS[0])
    assert looked_up("read") == read + 1


async def test_nothing_is_kept_where_nothing_may_be(pool: Pool) -> None:
    store = await opened(pool, replace(ASKED, kept_bytes=0))
    await store.catalog.replace(ANNA, "c", [document("a", "an old harbour")])
    kept = looked_up("kept")
    for _ in range(3):
        assert len(await by_words(store, "harbour")) == 1
    assert looked_up("kept") == kept


def test_a_kept_word_holds_no_other() -> None:
    ids, weights = np.arange(1000), np.ones(1000, dtype=np.float32)
    term = lexical_search.Term(1, 1, lexical_search.Weighed(ids[:1], weights[:1])).alone()
    assert term.postings and term.postings.chunk_ids.base is None and term.postings.weights.base is None
