"""What every `Search` must do. Subclass with a fixture `world`."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from anchorage.errors import NotFound
from anchorage.model.search import Query
from anchorage.testing.collections import ANNA, BEN, WORDS, CollectionWorld, document
from anchorage.testing.hashing import hash_texts
from anchorage.text.analyser import format_analyser_name, load_analyser


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


async def hidden_dead_posting(world: CollectionWorld) -> None:
    """The counters agree, and a posting is dead."""
    items = [document(f"u{number}", f"harbour {WORDS[number % 60]}") for number in range(150)]
    ids = await world.catalog.replace(
        ANNA, "c", [document("best", "harbour harbour harbour zebra zebra"), document("none", "!!!"), *items]
    )
    (gone,) = await world.catalog.replace(ANNA, "c", [document("old", "harbour harbour")])
    await world.catalog.delete(ANNA, [gone])
    for number in range(20):
        await world.catalog.replace(ANNA, "c", [document("again", "something else", version=f"v{number}")])
    while await world.upkeep.maintain():
        pass
    await world.catalog.delete(ANNA, [ids[0]])


class SearchConformance:
    """Exact by words, right by meaning, and nothing of what is not there or may not be read."""

    @pytest.mark.parametrize("merge", [False, True])
    async def test_bm25_is_exact_under_inserts_updates_deletes_and_merges(
        self, world: CollectionWorld, merge: bool
    ) -> None:
        rng = random.Random(7)
        live: dict[str, str] = {}
        ids: dict[str, str] = {}
        for step in range(40):
            batch = []
            for uri in {f"u{rng.randrange(40)}" for _ in range(4)}:
                text = " ".join(rng.choices(WORDS, k=rng.randrange(3, 40)))
                batch.append(document(uri, text, version=f"v{step}"))
                live[uri] = text
            for uri, document_id in zip(
                [item.uri for item in batch], await world.catalog.replace(ANNA, "c", batch), strict=True
            ):
                ids[uri] = document_id
            if step % 5 == 4:
                gone = rng.choice(sorted(live))
                await world.catalog.delete(ANNA, [ids[gone]])
                del live[gone]
            if merge and step % 7 == 6:
                while await world.upkeep.maintain():
                    pass
        for question in ("word1 word2 word3", "word7", "word10 word10 word20 nothing"):
            expected = reference_bm25(live, question)
            found = await world.ask(question, k=100)
            scores = {hit.uri: hit.lexical_score for hit in found.hits if hit.lexical_score}
            lexical = {document_id for _, document_id in found.lexical}
            assert {uri for uri in expected if ids[uri] in lexical} == set(expected)
            assert scores == pytest.approx(expected, rel=1e-3)

    async def test_a_question_of_unknown_words_finds_by_meaning_alone(self, world: CollectionWorld) -> None:
        await world.catalog.replace(ANNA, "c", [document("a", "alpha beta"), document("b", "gamma delta")])
        found = await world.ask("zzz")
        assert not found.lexical
        assert len(found.hits) == 2

    async def test_readers_never_see_half_a_document(self, world: CollectionWorld) -> None:
        async def write() -> None:
            for number in range(15):
                passages = [f"harbour {number} passage {part}" for part in range(12)]
                await world.catalog.replace(ANNA, "c", [document("a", *passages, version=f"v{number}")])

        writer = asyncio.create_task(write())
        seen = 0
        while not writer.done():
            hits = (await world.ask("harbour passage", k=100)).hits
            assert len(hits) in (0, 12)
            assert len({hit.version for hit in hits}) <= 1
            seen += 1
        await writer
        assert seen > 3

    async def test_collections_of_two_embedders_are_searched_together(self, world: CollectionWorld) -> None:
        other = world.spec(16, "other")
        await world.catalog.open_collection(ANNA, "d", other)
        passages = ["harbour of Ghent", "bread and flour", "purring cats"]
        await world.catalog.replace(ANNA, "c", [document(f"c{n}", text) for n, text in enumerate(passages)])
        items = [replace(document(f"d{n}", text), vectors=hash_texts([text], 16)) for n, text in enumerate(passages)]
        await world.catalog.replace(ANNA, "d", items)
        vectors = {
            item.embedder: hash_texts(["harbour Ghent"], item.embedder.dimension)[0] for item in (world.spec(), other)
        }
        found = await world.search.search(ANNA, Query("harbour Ghent", vectors, 6), ["c", "d"])
        assert {hit.uri for hit in found.hits[:2]} == {"c0", "d0"}
        assert [hit.score for hit in found.hits[:2]] == pytest.approx([1, 1])  # each on the scale of its own embedder

    async def test_all_collections_are_searched_but_those_of_eval(self, world: CollectionWorld) -> None:
        await world.catalog.open_collection(ANNA, "d", world.spec())
        await world.catalog.open_collection(ANNA, "e", world.spec(), kind="eval")
        for name in ("c", "d", "e"):
            await world.catalog.replace(ANNA, name, [document(f"in-{name}", "harbour")])
        assert {hit.collection for hit in (await world.ask("harbour", names=None)).hits} == {"c", "d"}
        assert {hit.collection for hit in (await world.ask("harbour", names=["e"])).hits} == {"e"}
        assert {item.name for item in await world.catalog.collections(ANNA)} == {"c", "d"}
        with pytest.raises(NotFound, match="nosuch"):
            await world.ask("harbour", names=["nosuch"])

    async def test_a_dead_posting_that_the_counters_hide_takes_no_place(self, world: CollectionWorld) -> None:
        """A passage without a word has no posting: the counters may agree while a posting of another is dead."""
        await hidden_dead_posting(world)
        found = await world.ask("harbour", k=20)
        assert len(found.hits) == 20 and "best" not in {hit.uri for hit in found.hits}

    async def test_an_index_that_the_last_question_found_may_have_gone(self, world: CollectionWorld) -> None:
        for version in range(3):
            await world.catalog.replace(ANNA, "c", [document("a", f"the harbour {version}")])
            for names in (["c"], None):
                assert [hit.text for hit in (await world.ask("harbour", names=names)).hits] == [
                    f"the harbour {version}"
                ]
            await world.catalog.drop_collection(ANNA, "c")
            assert not (await world.ask("harbour", names=None)).hits
            with pytest.raises(NotFound):
                await world.ask("harbour")
            await world.catalog.open_collection(ANNA, "c", world.spec())

    async def test_what_others_may_read_is_not_remembered_for_me(self, world: CollectionWorld) -> None:
        await world.catalog.replace(ANNA, "c", [document("a", "the harbour")])
        assert (await world.ask("harbour", names=None)).hits
        assert not (await world.ask("harbour", names=None, principal=BEN)).hits

    async def test_a_dead_posting_distorts_no_score(self, world: CollectionWorld) -> None:
        await hidden_dead_posting(world)
        found = await world.ask("zebra zebra word1", k=1)
        assert [hit.uri for hit in found.hits] == ["u1"] and found.hits[0].score == pytest.approx(1.0)
