"""Collections of several embedders, one of which is away: its collections are searched by words, the others as ever."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.chat.memory.recall import Caching
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.errors import ModelUnavailable
from anchorage.telemetry import REGISTRY
from anchorage.testing.fakes import FixedEmbedders, HashEmbedder, ScriptedGenerator
from anchorage.wiring.chat import ChatParts
from support.asking import ask, retrieve, search

from .conftest import World

QUESTION = "When did the harbour of Ghent open?"
OTHER = HashEmbedder(32, "other")


@dataclass(frozen=True, slots=True)
class Away(HashEmbedder):
    """One whose server does not answer."""

    async def embed_query(self, text: str) -> Any:
        raise ModelUnavailable("The server is away. Try again.")

    async def embed_passages(self, texts: Any) -> Any:
        raise ModelUnavailable("The server is away. Try again.")


@pytest.fixture
async def two(world: World, tmp_path: Path) -> World:
    """The collection `c` by the default embedder, `d` by another."""
    for name, embedder, text in (
        ("c", world.chat.embedder, "The harbour of Ghent opened in 1827."),
        ("d", OTHER, "The harbour of Antwerp opened in 1811."),
    ):
        (tmp_path / f"{name}.txt").write_text(text)
        ingest = replace(
            world.ingest,
            index=replace(world.ingest.index, embedder=embedder.spec),
            embedders=FixedEmbedders([embedder]),
        )
        source = LocalSource(tmp_path / f"{name}.txt", max_bytes=10**6)
        assert [
            item.status.value async for item in ingest.ingester_for(world.principal).ingest_source(name, source)
        ] == ["indexed"]
    return world


def chat(world: World, default: HashEmbedder, other: HashEmbedder, *answers: str) -> ChatParts:
    generator = ScriptedGenerator(list(answers)) if answers else None
    return replace(
        world.chat, embedder=default, embedders=FixedEmbedders([default, other]), sentence_vectors=SentenceVectors(default),
        generator=generator,
    )  # fmt: skip


def degraded() -> float:
    return REGISTRY.get_sample_value("anchorage_degradations_total", {"which": "by_words_alone"}) or 0.0


async def test_the_others_are_searched_as_ever(two: World) -> None:
    whole = await search(chat(two, HashEmbedder(), OTHER), two.principal, QUESTION, None)
    before = degraded()
    hits = await search(chat(two, HashEmbedder(), Away(32, "other")), two.principal, QUESTION, None)
    assert degraded() == before + 1
    assert {hit.collection for hit in hits} == {"c", "d"} == {hit.collection for hit in whole}
    assert hits[0].collection == "c" and hits[0].dense_score == whole[0].dense_score > 0
    (worded,) = [hit for hit in hits if hit.collection == "d"]
    assert worded.dense_score == 0 and worded.lexical_score > 0
    assert [
        hit.collection
        for hit in await search(chat(two, HashEmbedder(), Away(32, "other")), two.principal, QUESTION, ["d"])
    ] == ["d"]


async def test_it_may_be_the_default_one(two: World) -> None:
    services = chat(two, Away(), OTHER, "It opened in 1827 [1].")
    found, vector = await retrieve(services, two.principal, QUESTION, None)
    assert vector is None and list(found.by_words) == [Away().spec]
    assert {hit.collection: hit.dense_score > 0 for hit in found.hits} == {"c": False, "d": True}
    assert (await ask(services, two.principal, QUESTION)).citations
    with pytest.raises(ModelUnavailable, match="is away"):  # quotations are chosen by meaning
        await ask(replace(services, generator=None), two.principal, QUESTION)


async def test_without_any_embedder_words_are_left(two: World) -> None:
    for services in (chat(two, Away(), OTHER), chat(two, Away(), Away(32, "other"))):
        before = degraded()
        hits = await search(services, two.principal, QUESTION, ["c"])
        assert degraded() == before + 1
        assert {hit.collection for hit in hits} == {"c"} and all(hit.lexical_score for hit in hits)
        with pytest.raises(ModelUnavailable, match="is away"):  # quotations are chosen by meaning
            await ask(services, two.principal, QUESTION, collections=["c"])
    answer = await ask(chat(two, Away(), OTHER, "It opened in 1827 [1]."), two.principal, QUESTION, collections=["c"])
    assert answer.citations and not answer.abstained


async def test_who_measures_wants_them_all(two: World) -> None:
    with pytest.raises(ModelUnavailable):
        await retrieve(chat(two, HashEmbedder(), Away(32, "other")), two.principal, QUESTION, None, lists=True)


async def test_such_an_answer_is_not_given_again(two: World, pool: Pool) -> None:
    caching = Caching(PostgresAnswerCache(pool, ttl=60, max_entries=10), "f", None)
    poor = replace(chat(two, HashEmbedder(), Away(32, "other"), "In 1827 [1]."), caching=caching)
    assert (await ask(poor, two.principal, QUESTION)).answer == "In 1827 [1]."
    whole = replace(chat(two, HashEmbedder(), OTHER, "It opened in 1827 [1]."), caching=caching)
    assert (await ask(whole, two.principal, QUESTION)).answer == "It opened in 1827 [1]."
    assert (await ask(replace(whole, generator=None), two.principal, QUESTION)).answer == "It opened in 1827 [1]."
