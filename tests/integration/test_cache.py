"""The answer cache: what is answered again, what never is, and how ingestion and deletion take effect at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.sources.folder import LocalSource
from anchorage.chat.cache import Caching
from anchorage.chat.state import ChatServices
from anchorage.chat.turn import ask, ask_events
from anchorage.ingest.pipeline import ingest_source
from anchorage.model import Answer, Principal
from anchorage.ports.cache import Slot
from anchorage.settings import load_settings
from anchorage.telemetry import REGISTRY
from anchorage.testing.fakes import ScriptedGenerator
from anchorage.wiring.cache import open_caching

from .conftest import World

QUESTION = "When did the harbour open?"


async def ingest(world: World, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    source = LocalSource(folder / name, max_bytes=10**6)
    found = [item.status.value async for item in ingest_source(world.ingest, world.principal, "c", source)]
    assert found == ["indexed"]


@pytest.fixture
async def asked(world: World, tmp_path: Path) -> World:
    await ingest(world, tmp_path, "harbour.txt", "The harbour opened in 1827. It has two lighthouses.")
    return world


def chat(world: World, pool: Pool, *answers: str, similar: float | None = None, fingerprint: str = "f") -> ChatServices:
    caching = Caching(PostgresAnswerCache(pool, ttl=60, max_entries=100), fingerprint, similar)
    return replace(world.chat, caching=caching, generator=ScriptedGenerator(list(answers)) if answers else None)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("anchorage_answer_cache_total", {"outcome": outcome}) or 0.0


def same(one: Answer, two: Answer) -> bool:
    return (one.answer, one.abstained, one.citations, one.hits) == (two.answer, two.abstained, two.citations, two.hits)


async def test_the_same_question_is_answered_once(asked: World, pool: Pool) -> None:
    services = chat(asked, pool, "In 1827 [1].")
    first = await ask(services, asked.principal, QUESTION)
    hits = counted("exact")
    found = [
        event
        async for event in ask_events(services, asked.principal, " when did  the harbour OPEN ", conversation_id="x")
    ]
    assert [event.type for event in found] == ["start", "hits", "token", "answer", "done"]
    again = found[3].data["answer"]
    assert same(first, again) and first.citations and counted("exact") == hits + 1
    assert again.usage.model is None  # nobody was asked
    (turn,) = await services.memory.window(asked.principal, "x", 10)
    assert turn.answer == first.answer and turn.citations == first.citations


async def test_what_an_answer_depends_on_keeps_it_apart(asked: World, pool: Pool) -> None:
    await ask(chat(asked, pool, "In 1827 [1]."), asked.principal, QUESTION)
    missed = counted("miss")
    await ask(chat(asked, pool, "Other settings.", fingerprint="g"), asked.principal, QUESTION)
    await ask(chat(asked, pool, "Another set."), asked.principal, QUESTION, collections=["c"])
    await ask(chat(asked, pool, "Other question."), asked.principal, "Where is the harbour?")
    stranger = await ask(chat(asked, pool, "Not asked."), Principal("stranger"), QUESTION)
    assert counted("miss") == missed + 4 and stranger.abstained


async def test_a_generator_that_reads_the_conversation_is_asked(asked: World, pool: Pool) -> None:
    services = chat(asked, pool, "In 1827 [1].", "It said 1827 [1].")
    await ask(services, asked.principal, QUESTION, conversation_id="y")
    second = await ask(services, asked.principal, QUESTION, conversation_id="y")
    assert second.answer == "It said 1827."


async def test_ingestion_and_deletion_take_effect_at_once(asked: World, pool: Pool, tmp_path: Path) -> None:
    first = await ask(chat(asked, pool), asked.principal, QUESTION)
    assert "1827" in first.answer
    await ingest(asked, tmp_path, "harbour.txt", "The harbour opened in 1903. It has two lighthouses.")
    second = await ask(chat(asked, pool), asked.principal, QUESTION)
    assert "1903" in second.answer and "1827" not in second.answer
    await asked.store.delete(asked.principal, [second.hits[0].document_id])
    third = await ask(chat(asked, pool), asked.principal, QUESTION)
    assert third.abstained and not third.hits
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM anchorage.answer_cache")).fetchone()
    assert row == (1,)  # nothing of the deleted document is left


async def test_every_change_gives_another_state(asked: World, tmp_path: Path) -> None:
    async def state() -> str:
        return await asked.store.state(asked.principal, None)

    seen = [await state()]
    assert await state() == seen[0]
    await ingest(asked, tmp_path, "bread.txt", "Bread is baked in an oven.")
    seen.append(await state())
    # The same passages at other places: no posting changes.
    await ingest(asked, tmp_path, "bread.txt", "\n\nBread is baked in an oven.")
    seen.append(await state())
    await asyncio.gather(
        ingest(asked, tmp_path, "one.txt", "One lighthouse."), ingest(asked, tmp_path, "two.txt", "Two lighthouses.")
    )
    seen.append(await state())
    while await asked.store.maintain(settled=True):
        pass
    await asked.store.drop_collection(asked.principal, "c")
    seen.append(await state())
    assert len(set(seen)) == len(seen)
    assert await asked.store.state(Principal("stranger"), None) == ""


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ("When was it that the harbour did open?", True), ("When did the harbour not open?", False),
        ("When did the harbour open in 1827?", False), ("When did the harbour of Ghent open?", False),
        ("What do lighthouses cost?", False),
    ],
)  # fmt: skip
async def test_questions_that_are_alike_share_an_answer(asked: World, pool: Pool, other: str, shared: bool) -> None:
    services = chat(asked, pool, "First [1].", "Second [1].", similar=0.6)
    await ask(services, asked.principal, QUESTION)
    assert (await ask(services, asked.principal, other)).answer == ("First." if shared else "Second.")


async def test_a_cache_that_fails_costs_the_cache(asked: World) -> None:
    async with open_pool(
        "postgresql://127.0.0.1:9/x", size=1, connect_timeout=0.1, statement_timeout=1, name="none"
    ) as away:
        assert "1827" in (await ask(chat(asked, away), asked.principal, QUESTION)).answer


@pytest.fixture
async def small(pool: Pool) -> AsyncIterator[PostgresAnswerCache]:
    yield PostgresAnswerCache(pool, ttl=60, max_entries=10)


async def test_what_is_old_or_too_much_is_forgotten(small: PostgresAnswerCache, pool: Pool) -> None:
    for number in range(100):
        await small.keep(Slot("f", "f/1", str(number)), None, {"n": number})
    assert await small.exact(Slot("f", "f/1", "99")) and await small.exact(Slot("f", "f/1", "50")) is None
    brief = PostgresAnswerCache(pool, ttl=0, max_entries=10)
    await brief.keep(Slot("f", "f/1", "brief"), None, {"n": 1})
    assert await brief.exact(Slot("f", "f/1", "brief")) is None


async def test_the_settings(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> None:
    assert open_caching(load_settings(), pool) is None
    monkeypatch.setenv("ANCHORAGE_CACHE__BACKEND", "postgres")
    monkeypatch.setenv("ANCHORAGE_CACHE__SIMILARITY", "0.97")
    first = open_caching(load_settings(), pool)
    assert first and first.similar == 0.97
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("LLM_MODEL", "another")
    second = open_caching(load_settings(), pool)
    assert second and second.fingerprint != first.fingerprint
