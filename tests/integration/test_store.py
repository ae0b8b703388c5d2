"""The pgvector store on a real Postgres: visibility, BM25 exactness, access, index versions."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.stores.pgvector import documents, vector_index
from anchorage.adapters.stores.pgvector import search as searching
from anchorage.adapters.stores.pgvector.collections import live_indexes
from anchorage.adapters.stores.pgvector.fusion import Candidates
from anchorage.adapters.stores.pgvector.search import SearchLimits
from anchorage.adapters.stores.pgvector.store import PgvectorStore
from anchorage.errors import NotAllowed, NotFound, Superseded
from anchorage.model import Block, BlockKind, Chunk, EmbedderSpec, Failure, IndexSpec, ParsedDocument, Principal
from anchorage.model.indexing import IndexedDocument
from anchorage.model.search import Query, Span
from anchorage.testing.hashing import hash_texts
from anchorage.text.analyser import format_analyser_name, load_analyser

ANNA, BEN = Principal("anna"), Principal("ben")
DIMENSION = 32
WORDS = [f"word{number}" for number in range(60)]


def spec(dimension: int = DIMENSION, embedder: str = "hash") -> IndexSpec:
    return IndexSpec("p/1", "c/1", "r/1", format_analyser_name("english"), EmbedderSpec(embedder, "1", dimension))


def document(uri: str, *passages: str, version: str = "v1") -> IndexedDocument:
    text = "\n".join(passages)
    chunks, at = [], 0
    for number, passage in enumerate(passages):
        chunks.append(Chunk(number, passage, at, at + len(passage)))
        at += len(passage) + 1
    parsed = ParsedDocument(text, "", (Block(BlockKind.PARAGRAPH, 0, len(text)),))
    return IndexedDocument(uri, version, parsed, chunks, hash_texts(passages, DIMENSION), [""] * len(passages))


@pytest.fixture
async def store(pool: Pool) -> PgvectorStore:
    found = PgvectorStore(pool, SearchLimits(120, 1_000_000, 2**25))
    await found.open_collection(ANNA, "c", spec())
    return found


async def search(
    store: PgvectorStore, text: str, *, k: int = 10, principal: Principal = ANNA, names: Sequence[str] | None = ("c",)
):
    vectors = {spec().embedder: hash_texts([text], DIMENSION)[0]}
    return await store.search(principal, Query(text, vectors, k, lists=True), names)


def reference_bm25(passages: dict[str, str], question: str) -> dict[str, float]:
    """BM25 by the book over live passages."""
    analyser = load_analyser(format_analyser_name("english"))
    counts = {key: analyser.count_terms(text) for key, text in passages.items()}
    average = sum(sum(item.values()) for item in counts.values()) / len(counts)
    scores: dict[str, float] = {}
    for term, weight in Counter(analyser.extract_terms(question)).items():
        df = sum(term in item for item in counts.values())
        idf = math.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
        for key, item in counts.items():
            if tf := item.get(term, 0):
                norm = 1.2 * (1 - 0.75 + 0.75 * sum(item.values()) / average)
                scores[key] = scores.get(key, 0) + weight * idf * 2.2 * tf / (tf + norm)
    return scores


@pytest.mark.parametrize("merge", [False, True])
async def test_bm25_is_exact_under_inserts_updates_deletes_and_merges(store: PgvectorStore, merge: bool) -> None:
    rng = random.Random(7)
    live: dict[str, str] = {}
    ids: dict[str, str] = {}
    for step in range(40):
        batch = []
        for uri in {f"u{rng.randrange(40)}" for _ in range(4)}:
            text = " ".join(rng.choices(WORDS, k=rng.randrange(3, 40)))
            batch.append(document(uri, text, version=f"v{step}"))
            live[uri] = text
        for uri, document_id in zip([item.uri for item in batch], await store.replace(ANNA, "c", batch), strict=True):
            ids[uri] = document_id
        if step % 5 == 4:
            gone = rng.choice(sorted(live))
            await store.delete(ANNA, [ids[gone]])
            del live[gone]
        if merge and step % 7 == 6:
            while await store.maintain():
                pass
    for question in ("word1 word2 word3", "word7", "word10 word10 word20 nothing"):
        expected = reference_bm25(live, question)
        found = await search(store, question, k=100)
        scores = {hit.uri: hit.lexical_score for hit in found.hits if hit.lexical_score}
        lexical = {document_id for _, document_id in found.lexical}
        assert {uri for uri in expected if ids[uri] in lexical} == set(expected)
        assert scores == pytest.approx(expected, rel=1e-3)


async def test_a_question_of_unknown_words_finds_by_meaning_alone(store: PgvectorStore) -> None:
    await store.replace(ANNA, "c", [document("a", "alpha beta"), document("b", "gamma delta")])
    found = await search(store, "zzz")
    assert not found.lexical
    assert len(found.hits) == 2


async def test_a_new_version_replaces_the_old_one_at_once(store: PgvectorStore) -> None:
    (one,) = await store.replace(ANNA, "c", [document("a", "the old harbour", "second old passage")])
    (two,) = await store.replace(ANNA, "c", [document("a", "the new harbour", version="v2")])
    assert one == two
    assert [hit.text for hit in (await search(store, "harbour")).hits] == ["the new harbour"]
    assert (await store.text(ANNA, one)).version == "v2"


async def test_readers_never_see_half_a_document(store: PgvectorStore) -> None:
    async def write() -> None:
        for number in range(15):
            passages = [f"harbour {number} passage {part}" for part in range(12)]
            await store.replace(ANNA, "c", [document("a", *passages, version=f"v{number}")])

    writer = asyncio.create_task(write())
    seen = 0
    while not writer.done():
        hits = (await search(store, "harbour passage", k=100)).hits
        assert len(hits) in (0, 12)
        assert len({hit.version for hit in hits}) <= 1
        seen += 1
    await writer
    assert seen > 3


async def test_a_failure_keeps_the_version_that_answers(store: PgvectorStore) -> None:
    (one,) = await store.replace(ANNA, "c", [document("a", "harbour")])
    await store.fail(ANNA, "c", "a", "a", Failure("corrupt", "a is damaged."), {})
    assert len((await search(store, "harbour")).hits) == 1
    shown = await store.document(ANNA, one)
    assert (shown.status.value, shown.error) == ("failed", Failure("corrupt", "a is damaged."))
    await store.confirm(ANNA, one, "v1", None)
    assert (await store.document(ANNA, one)).error is None


async def test_a_deleted_document_answers_no_more(store: PgvectorStore) -> None:
    ids = await store.replace(ANNA, "c", [document("a", "harbour one"), document("b", "harbour two")])
    assert list(await store.delete(ANNA, ids[:1])) == ids[:1]
    assert [hit.uri for hit in (await search(store, "harbour")).hits] == ["b"]
    assert not await store.delete(ANNA, ids[:1])
    with pytest.raises(NotFound):
        await store.document(ANNA, ids[0])


async def test_the_text_of_a_cited_version_stays(store: PgvectorStore) -> None:
    (one,) = await store.replace(ANNA, "c", [document("a", "the old harbour of Ghent")])
    assert list(await store.excerpts(BEN, [Span(one, "v1", 4, 15)], keep=True)) == [None]
    await store.excerpts(ANNA, [Span(one, "v1", 4, 15)], keep=True)
    await store.replace(ANNA, "c", [document("a", "new", version="v2")])
    (excerpt,) = await store.excerpts(ANNA, [Span(one, "v1", 4, 15)], width=4)
    assert excerpt is not None
    assert (excerpt.prefix, excerpt.quote, excerpt.suffix) == ("the ", "old harbour", " of ")


async def test_what_the_caller_has_of_a_text_is_not_read_and_the_rest_is(store: PgvectorStore) -> None:
    text = "In Ghent the old harbour was dug by hand."
    (one,) = await store.replace(ANNA, "c", [document("a", text)])
    passage = text[9:30]  # "the old harbour was d"
    for start, end in ((13, 24), (9, 16), (20, 30), (0, 8), (33, 41)):
        (read,) = await store.excerpts(ANNA, [Span(one, "v1", start, end)], width=4)
        (with_it,) = await store.excerpts(ANNA, [Span(one, "v1", start, end, passage, 9)], width=4)
        assert read == with_it
        assert read is not None and (read.prefix, read.quote, read.suffix) == (
            text[max(start - 4, 0) : start], text[start:end], text[end : end + 4],
        )  # fmt: skip
    # Seen by a text that is not the kept one: only then can it be told what was read.
    (told,) = await store.excerpts(ANNA, [Span(one, "v1", 13, 24, passage.upper(), 9)], width=4)
    assert told is not None and told.quote == "OLD HARBOUR"
    (read,) = await store.excerpts(ANNA, [Span(one, "v1", 9, 16, passage.upper(), 9)], width=4)
    assert read is not None and read.quote == "the old"
    for other, version in ((BEN, "v1"), (ANNA, "v0")):
        assert list(await store.excerpts(other, [Span(one, version, 13, 24, passage, 9)], keep=True)) == [None]


async def test_a_principal_sees_only_what_it_may(store: PgvectorStore) -> None:
    (one,) = await store.replace(ANNA, "c", [document("a", "harbour")])
    for forbidden in (
        store.document(BEN, one), store.text(BEN, one), search(store, "harbour", principal=BEN), store.drop_collection(BEN, "c"),
        store.documents(BEN, collection="c"), store.replace(BEN, "c", [document("x", "y")]),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await forbidden
    with pytest.raises(NotAllowed):
        await store.open_collection(BEN, "c", spec())
    assert not (await search(store, "harbour", principal=BEN, names=None)).hits
    assert not await store.delete(BEN, [one])
    assert list(await store.excerpts(BEN, [Span(one, "v1", 0, 3)])) == [None]
    assert not await store.documents(BEN)
    assert not await store.versions(BEN, "c", ["a"])


async def test_a_collection_keeps_its_index_whatever_the_settings_say(store: PgvectorStore) -> None:
    await store.replace(ANNA, "c", [document("a", "harbour")])
    other = spec(16, "other")
    assert (await store.open_collection(ANNA, "c", other)).index == spec()
    found = await store.search(ANNA, Query("x", {other.embedder: np.ones(16, dtype=np.float32)}, 5), ["c"])
    assert list(found.needs) == [spec().embedder] and not found.hits


async def test_collections_of_two_embedders_are_searched_together(store: PgvectorStore) -> None:
    other = spec(16, "other")
    await store.open_collection(ANNA, "d", other)
    passages = ["harbour of Ghent", "bread and flour", "purring cats"]
    await store.replace(ANNA, "c", [document(f"c{n}", text) for n, text in enumerate(passages)])
    items = [replace(document(f"d{n}", text), vectors=hash_texts([text], 16)) for n, text in enumerate(passages)]
    await store.replace(ANNA, "d", items)
    vectors = {item.embedder: hash_texts(["harbour Ghent"], item.embedder.dimension)[0] for item in (spec(), other)}
    found = await store.search(ANNA, Query("harbour Ghent", vectors, 6), ["c", "d"])
    assert {hit.uri for hit in found.hits[:2]} == {"c0", "d0"}
    assert [hit.score for hit in found.hits[:2]] == pytest.approx([1, 1])  # each on the scale of its own embedder


async def test_an_empty_collection_takes_another_embedder(store: PgvectorStore) -> None:
    ids = await store.replace(ANNA, "c", [document("a", "harbour")])
    await store.delete(ANNA, ids)
    assert (await store.open_collection(ANNA, "c", spec(16, "other"))).index.embedder.name == "other"


async def test_all_collections_are_searched_but_those_of_eval(store: PgvectorStore) -> None:
    await store.open_collection(ANNA, "d", spec())
    await store.open_collection(ANNA, "e", spec(), kind="eval")
    for name in ("c", "d", "e"):
        await store.replace(ANNA, name, [document(f"in-{name}", "harbour")])
    assert {hit.collection for hit in (await search(store, "harbour", names=None)).hits} == {"c", "d"}
    assert {hit.collection for hit in (await search(store, "harbour", names=["e"])).hits} == {"e"}
    assert {item.name for item in await store.collections(ANNA)} == {"c", "d"}
    with pytest.raises(NotFound, match="nosuch"):
        await search(store, "harbour", names=["nosuch"])


async def test_a_filtered_hnsw_search_finds_as_many_as_it_should(
    store: PgvectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many deleted rows near the question must not leave the dense list short."""
    monkeypatch.setattr(vector_index, "WORTH_IT", 1)
    near = [document(f"near{number}", "harbour harbour harbour") for number in range(300)]
    far = [document(f"far{number}", f"harbour lake {number}") for number in range(150)]
    ids = await store.replace(ANNA, "c", near)
    await store.replace(ANNA, "c", far)
    while await store.maintain(settled=True):
        pass
    await store.delete(ANNA, ids)
    assert len((await search(store, "harbour", k=100)).dense) == 100


async def test_what_was_read_before_a_change_does_not_undo_it(store: PgvectorStore) -> None:
    await store.replace(ANNA, "c", [replace(document("a", "old bread"), replaces="")])
    await store.replace(ANNA, "c", [replace(document("a", "new bread", version="v2"), replaces="v1")])
    late = replace(document("a", "late bread", version="v1.5"), replaces="v1")
    with pytest.raises(Superseded, match="since it was read"):
        await store.replace(ANNA, "c", [document("b", "iron"), late])
    assert [hit.text for hit in (await search(store, "bread iron")).hits] == ["new bread"]
    await store.replace(ANNA, "c", [replace(document("a", "new bread", version="v2"), replaces="v1")])
    (held,) = await store.documents(ANNA, collection="c")
    await store.delete(ANNA, [held.id])
    with pytest.raises(Superseded):
        await store.replace(ANNA, "c", [replace(late, replaces="v2")])


async def test_documents_are_listed_in_pages(store: PgvectorStore) -> None:
    await store.replace(ANNA, "c", [document(f"u{number}", "x") for number in range(5)])
    first = await store.documents(ANNA, limit=3)
    rest = await store.documents(ANNA, limit=3, after=(first[-1].collection, first[-1].uri))
    assert [item.uri for item in [*first, *rest]] == [f"u{number}" for number in range(5)]


async def test_concurrent_writers_of_the_same_documents(store: PgvectorStore) -> None:
    async def write(version: int) -> None:
        items = [document(f"u{number}", f"harbour {number} {version}", version=f"v{version}") for number in range(10)]
        random.Random(version).shuffle(items)
        await store.replace(ANNA, "c", items)

    await asyncio.gather(*(write(version) for version in range(8)))
    hits = (await search(store, "harbour", k=100)).hits
    assert len(hits) == 10


async def test_the_vector_index_is_built_when_a_load_is_over(
    store: PgvectorStore, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "WORTH_IT", 30)
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'anchorage' AND indexdef LIKE '%hnsw%'"

    async def built() -> int:
        async with pool.connection() as connection:
            return len(await (await connection.execute(indexes)).fetchall())

    async def tend(*, settled: bool = False) -> None:
        while await store.maintain(settled=settled):
            pass

    await store.replace(ANNA, "c", [document(f"u{n}", f"harbour word{n % 30}") for n in range(20)])
    await tend(settled=True)
    assert await built() == 0  # too few to be worth it
    await store.replace(ANNA, "c", [document(f"v{n}", f"harbour word{n % 30}") for n in range(20)])
    before = (await search(store, "harbour word7", k=10)).hits
    await tend()
    assert await built() == 0  # more may be coming
    await tend(settled=True)
    assert await built() == 1
    assert {hit.uri for hit in (await search(store, "harbour word7", k=10)).hits[:2]} == {hit.uri for hit in before[:2]}
    await store.replace(ANNA, "c", [document("new", "harbour lighthouse")])
    assert (await search(store, "lighthouse")).hits[0].uri == "new"
    await tend(settled=True)
    assert await built() == 1


async def test_an_empty_collection_is_not_made_anew_under_its_first_writer(store: PgvectorStore, pool: Pool) -> None:
    """Its settings change, and another process opens it, while the first documents are on their way."""
    async with pool.connection() as writer, writer.transaction():
        (live,) = await live_indexes(writer, ANNA, ["c"], write=True, lock=True)
        await documents.replace(writer, live, [document("file:///a", "The harbour of Ghent")])
        opening = asyncio.create_task(store.open_collection(ANNA, "c", spec(16, "other")))
        async with asyncio.timeout(20), pool.connection() as other:
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            while not await (await other.execute(waits)).fetchone() and not opening.done():
                await asyncio.sleep(0.02)
    assert (await opening).index.embedder == spec().embedder
    assert [hit.uri for hit in (await search(store, "harbour")).hits] == ["file:///a"]


async def test_upkeep_passes_over_an_index_that_was_dropped_meanwhile(store: PgvectorStore, pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO anchorage.index_versions (collection_id, spec, live) SELECT collection_id, spec, false "
            "FROM anchorage.index_versions"
        )
    for number in range(20):
        await store.replace(ANNA, "c", [document(f"u{number}", f"harbour {number}")])
    assert await store.maintain(settled=True) > 0
    while await store.maintain(settled=True):
        pass


async def test_a_search_that_is_cancelled_anywhere_leaves_its_connection_as_it_was(
    pool: Pool, store: PgvectorStore
) -> None:
    await store.replace(ANNA, "c", [document("a", "harbour")])
    for steps in range(40):
        task = asyncio.create_task(search(store, "harbour"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        async with pool.connection() as connection:
            assert connection.info.pipeline_status == PipelineStatus.OFF
            assert connection.info.transaction_status == TransactionStatus.IDLE
    assert (await search(store, "harbour")).hits


async def test_passages_that_need_no_second_look_rank_as_with_one(
    store: PgvectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 40))) for _ in range(400)]
    await store.replace(ANNA, "c", [document(f"u{number}", text) for number, text in enumerate(texts)])
    questions = ["word1 word2 word3", "word7 word8", "word10 word10 word20 nothing"]
    quick = [await search(store, question, k=30) for question in questions]
    candidates, looked = searching.candidates, 0

    async def careful(*given: Any, **_: bool) -> Candidates:
        nonlocal looked
        looked += 1
        return await candidates(*given, careful=True)

    monkeypatch.setattr(searching, "candidates", careful)
    assert quick == [await search(store, question, k=30) for question in questions] and looked == len(questions)


async def hidden_dead_posting(store: PgvectorStore) -> None:
    """The counters agree, and a posting is dead."""
    items = [document(f"u{number}", f"harbour {WORDS[number % 60]}") for number in range(150)]
    ids = await store.replace(
        ANNA, "c", [document("best", "harbour harbour harbour zebra zebra"), document("none", "!!!"), *items]
    )
    (gone,) = await store.replace(ANNA, "c", [document("old", "harbour harbour")])
    await store.delete(ANNA, [gone])
    for number in range(20):
        await store.replace(ANNA, "c", [document("again", "something else", version=f"v{number}")])
    while await store.maintain():
        pass
    await store.delete(ANNA, [ids[0]])


async def test_a_dead_posting_that_the_counters_hide_takes_no_place(store: PgvectorStore) -> None:
    """A passage without a word has no posting: the counters may agree while a posting of another is dead."""
    await hidden_dead_posting(store)
    found = await search(store, "harbour", k=20)
    assert len(found.hits) == 20 and "best" not in {hit.uri for hit in found.hits}


async def test_an_index_that_the_last_question_found_may_have_gone(store: PgvectorStore) -> None:
    for version in range(3):
        await store.replace(ANNA, "c", [document("a", f"the harbour {version}")])
        for names in (["c"], None):
            assert [hit.text for hit in (await search(store, "harbour", names=names)).hits] == [
                f"the harbour {version}"
            ]
        await store.drop_collection(ANNA, "c")
        assert not (await search(store, "harbour", names=None)).hits
        with pytest.raises(NotFound):
            await search(store, "harbour")
        await store.open_collection(ANNA, "c", spec())


async def test_what_others_may_read_is_not_remembered_for_me(store: PgvectorStore) -> None:
    await store.replace(ANNA, "c", [document("a", "the harbour")])
    assert (await search(store, "harbour", names=None)).hits
    assert not (await search(store, "harbour", names=None, principal=BEN)).hits


async def test_a_dead_posting_distorts_no_score(store: PgvectorStore) -> None:
    await hidden_dead_posting(store)
    found = await search(store, "zebra zebra word1", k=1)
    assert [hit.uri for hit in found.hits] == ["u1"] and found.hits[0].score == pytest.approx(1.0)


@pytest.mark.parametrize("by_words", [False, True])
async def test_a_search_and_a_collection_that_is_dropped_do_not_block_one_another(
    store: PgvectorStore, pool: Pool, by_words: bool
) -> None:
    """Both lock the tables of an index in the same order: the search, which comes second, holds none that the other wants."""
    await store.replace(ANNA, "c", [document("a", "the harbour")])
    vectors = {spec().embedder: None if by_words else hash_texts(["harbour"], DIMENSION)[0]}
    query = Query("harbour", vectors, 5)
    await store.search(ANNA, query, ["c"])
    async with pool.connection() as holder, holder.transaction():
        (live,) = await live_indexes(holder, ANNA, ["c"])
        await holder.execute(f"LOCK TABLE anchorage.chunks_{live.tables.id} IN ACCESS EXCLUSIVE MODE")
        dropping = asyncio.create_task(store.drop_collection(ANNA, "c"))
        await waiting_for_locks(pool, 1)
        searching_it = asyncio.create_task(store.search(ANNA, query, ["c"]))
        await waiting_for_locks(pool, 2)
    await dropping
    with pytest.raises(NotFound):
        await searching_it


async def waiting_for_locks(pool: Pool, count: int) -> None:
    async with asyncio.timeout(10), pool.connection() as connection:
        while True:
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
            )
            row = await cursor.fetchone()
            if row and row[0] >= count:
                return
            await asyncio.sleep(0.01)
