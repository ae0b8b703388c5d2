"""The answer cache: what is answered again, what never is, and how ingestion and deletion take effect at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.pool import Pool, open_pool
from anchorage.adapters.redis.answer_cache import RedisAnswerCache, open_redis_answer_cache
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.chat.memory.recall import Caching
from anchorage.chat.streaming.tidy import sweep_forever
from anchorage.diagnosis import _check_answer_cache
from anchorage.errors import ConfigurationError, NotFound, Unavailable
from anchorage.model import Answer, Principal
from anchorage.ports.cache import AnswerCache, Slot
from anchorage.settings import load_settings
from anchorage.telemetry import REGISTRY
from anchorage.testing.fakes import ScriptedGenerator
from anchorage.wiring.cache import open_caching
from anchorage.wiring.chat import ChatParts
from support.asking import ask, ask_events

from .api import running_api
from .conftest import World

QUESTION = "When did the harbour open?"


@pytest.fixture(params=["postgres", "redis"])
async def cache(request: pytest.FixtureRequest, pool: Pool, redis_url: str) -> AsyncIterator[AnswerCache]:
    if request.param == "postgres":
        yield PostgresAnswerCache(pool, ttl=60, max_entries=100)
        return
    async with open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=100) as opened:
        yield opened


@pytest.fixture
def entries(cache: AnswerCache, pool: Pool) -> Callable[[], Awaitable[int]]:
    """How many answers the cache holds."""

    async def count() -> int:
        if isinstance(cache, RedisAnswerCache):
            return len([key async for key in cache._client.scan_iter("*:?" + "?" * 63)])
        async with pool.connection() as connection:
            row = await (await connection.execute("SELECT count(*) FROM anchorage.answer_cache")).fetchone()
        assert row
        return int(row[0])

    return count


async def ingest(world: World, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    source = LocalSource(folder / name, max_bytes=10**6)
    found = [item.status.value async for item in world.ingester.ingest_source("c", source)]
    assert found == ["indexed"]


@pytest.fixture
async def asked(world: World, tmp_path: Path) -> World:
    await ingest(world, tmp_path, "harbour.txt", "The harbour opened in 1827. It has two lighthouses.")
    return world


def chat(
    world: World, cache: AnswerCache, *answers: str, similar: float | None = None, fingerprint: str = "f"
) -> ChatParts:
    caching = Caching(cache, fingerprint, similar)
    return replace(world.chat, caching=caching, generator=ScriptedGenerator(list(answers)) if answers else None)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("anchorage_answer_cache_total", {"outcome": outcome}) or 0.0


def same(one: Answer, two: Answer) -> bool:
    return (one.answer, one.abstained, one.citations, one.hits) == (two.answer, two.abstained, two.citations, two.hits)


async def test_the_same_question_is_answered_once(asked: World, cache: AnswerCache) -> None:
    services = chat(asked, cache, "In 1827 [1].")
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


async def test_what_an_answer_depends_on_keeps_it_apart(asked: World, cache: AnswerCache) -> None:
    await ask(chat(asked, cache, "In 1827 [1]."), asked.principal, QUESTION)
    missed = counted("miss")
    await ask(chat(asked, cache, "Other settings.", fingerprint="g"), asked.principal, QUESTION)
    await ask(chat(asked, cache, "Another set."), asked.principal, QUESTION, collections=["c"])
    await ask(chat(asked, cache, "Other question."), asked.principal, "Where is the harbour?")
    stranger = await ask(chat(asked, cache, "Not asked."), Principal("stranger"), QUESTION)
    assert counted("miss") == missed + 4 and stranger.abstained


async def test_a_generator_that_reads_the_conversation_is_asked(asked: World, cache: AnswerCache) -> None:
    services = chat(asked, cache, "In 1827 [1].", "It said 1827 [1].")
    await ask(services, asked.principal, QUESTION, conversation_id="y")
    second = await ask(services, asked.principal, QUESTION, conversation_id="y")
    assert second.answer == "It said 1827."


async def test_ingestion_and_deletion_take_effect_at_once(
    asked: World, cache: AnswerCache, entries: Callable[[], Awaitable[int]], tmp_path: Path
) -> None:
    first = await ask(chat(asked, cache), asked.principal, QUESTION)
    assert "1827" in first.answer
    await ingest(asked, tmp_path, "harbour.txt", "The harbour opened in 1903. It has two lighthouses.")
    second = await ask(chat(asked, cache), asked.principal, QUESTION)
    assert "1903" in second.answer and "1827" not in second.answer
    await asked.catalog.delete(asked.principal, [second.hits[0].document_id])
    third = await ask(chat(asked, cache), asked.principal, QUESTION)
    assert third.abstained and not third.hits
    assert await entries() == 1  # nothing of the deleted document is left


async def test_every_change_gives_another_state(asked: World, tmp_path: Path) -> None:
    async def state() -> str:
        return await asked.stores.search.state(asked.principal, None)

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
    while await asked.stores.upkeep.maintain(settled=True):
        pass
    await asked.catalog.drop_collection(asked.principal, "c")
    seen.append(await state())
    assert len(set(seen)) == len(seen)
    assert await asked.stores.search.state(Principal("stranger"), None) == ""


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ("When was it that the harbour did open?", True), ("When did the harbour not open?", False),
        ("When did the harbour open in 1827?", False), ("When did the harbour of Ghent open?", False),
        ("What do lighthouses cost?", False),
    ],
)  # fmt: skip
async def test_questions_that_are_alike_share_an_answer(
    asked: World, cache: AnswerCache, other: str, shared: bool
) -> None:
    services = chat(asked, cache, "First [1].", "Second [1].", similar=0.6)
    await ask(services, asked.principal, QUESTION)
    assert (await ask(services, asked.principal, other)).answer == ("First." if shared else "Second.")


async def test_a_cache_that_fails_costs_the_cache(asked: World) -> None:
    async with open_pool(
        "postgresql://127.0.0.1:9/x", size=1, connect_timeout=0.1, statement_timeout=1, name="none"
    ) as away:
        cache = PostgresAnswerCache(away, ttl=60, max_entries=100)
        assert "1827" in (await ask(chat(asked, cache), asked.principal, QUESTION)).answer


def degraded() -> float:
    return REGISTRY.get_sample_value("anchorage_degradations_total", {"which": "no_answer_cache"}) or 0.0


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A server that takes connections and says nothing."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"redis://user:p%40ss@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


async def test_a_collection_that_is_not_there_is_no_trouble_of_the_cache(asked: World, cache: AnswerCache) -> None:
    before = degraded()
    with pytest.raises(NotFound):
        await ask(chat(asked, cache), asked.principal, QUESTION, collections=["nosuch"])
    assert degraded() == before


async def test_a_redis_that_is_away_or_silent_costs_the_cache(asked: World) -> None:
    async with silent() as mute:
        for url in ("redis://user:p%40ss@127.0.0.1:9/0", mute):
            async with open_redis_answer_cache(url, timeout=0.2, ttl=60, max_entries=100) as cache:
                before = degraded()
                assert "1827" in (await ask(chat(asked, cache), asked.principal, QUESTION)).answer
                assert degraded() == before + 1  # and what could not be looked up is not kept
                with pytest.raises(Unavailable, match=r"Redis at 127\.0\.0\.1:\d+/0 failed.*REDIS_URL") as raised:
                    await cache.ping()
                assert "p%40ss" not in raised.value.message and "p@ss" not in raised.value.message


async def test_a_connection_that_redis_closed_is_made_anew(redis_url: str) -> None:
    async with open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=100) as cache:
        await cache.keep(Slot("f", "f/1", "a"), None, {"n": 1})
        async with Redis.from_url(redis_url) as other:
            await other.client_kill_filter(_type="normal", skipme=True)
        assert await cache.exact(Slot("f", "f/1", "a")) == {"n": 1}


async def test_redis_forgets_what_is_old_or_too_much(redis_url: str) -> None:
    north = np.array([1, 0, 0, 0], np.float32)
    async with (
        open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=10) as small,
        open_redis_answer_cache(redis_url, timeout=5, ttl=0.001, max_entries=10) as brief,
        Redis.from_url(redis_url) as client,
    ):
        for number in range(30):
            await small.keep(Slot(f"f{number % 3}", "1", str(number)), north, {"n": number})
        assert await small.exact(Slot("f2", "1", "29")) and await small.exact(Slot("f0", "1", "18")) is None
        assert len([key async for key in client.scan_iter("*:?" + "?" * 63)]) == 10
        await brief.keep(Slot("g", "1", "brief"), north, {"n": 1})
        async with asyncio.timeout(5):
            while await brief.exact(Slot("g", "1", "brief")) or list(await brief.near(Slot("g", "1", "x"), north, 0.5)):
                await asyncio.sleep(0.001)
        await small.keep(Slot("f2", "2", "new"), None, {"n": 0})  # another state
        assert await small.exact(Slot("f2", "1", "29")) is None and not await client.exists(
            "{anchorage}:answers:f2:1:vectors"
        )


async def test_a_question_that_was_kept_again_counts_once(redis_url: str) -> None:
    north = np.array([1, 0, 0, 0], np.float32)
    async with open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=10) as cache:
        for number in range(3):
            await cache.keep(Slot("f", "1", "same"), north, {"n": number})
        assert list(await cache.near(Slot("f", "1", "x"), north, 0.9)) == [{"n": 2}]


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
    async def opened() -> Caching | None:
        async with AsyncExitStack() as stack:
            return await open_caching(load_settings(), pool, stack)

    assert await opened() is None
    monkeypatch.setenv("ANCHORAGE_CACHE__BACKEND", "postgres")
    monkeypatch.setenv("ANCHORAGE_CACHE__SIMILARITY", "0.97")
    first = await opened()
    assert first and first.similar == 0.97
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("LLM_MODEL", "another")
    second = await opened()
    assert second and second.fingerprint != first.fingerprint
    monkeypatch.setenv("ANCHORAGE_CACHE__BACKEND", "redis")
    with pytest.raises(ConfigurationError, match="set REDIS_URL"):
        await opened()
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.7:6380")  # as Kubernetes sets it beside a service of this name
    monkeypatch.setenv("REDIS_HOST", "cache")
    assert load_settings().redis.address == "redis://cache:6380/0"
    third = await opened()
    assert third and isinstance(third.cache, RedisAnswerCache)
    monkeypatch.setenv("REDIS_URL", "localhost:6379")
    with pytest.raises(ConfigurationError, match=r"redis://HOST:PORT/0"):
        await opened()


async def test_the_doctor_asks_redis(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> None:
    async def told() -> list[tuple[str, str]]:
        return [(check.status, check.detail) for check in await _check_answer_cache(load_settings())]

    assert await told() == []
    monkeypatch.setenv("ANCHORAGE_CACHE__BACKEND", "redis")
    ((status, detail),) = await told()
    assert status == "failed" and "REDIS_URL" in detail
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    ((status, detail),) = await told()
    assert status == "warning" and "127.0.0.1:9" in detail and "nothing is answered from the cache" in detail
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert await told() == [("ok", "Redis: connected")]


async def test_an_answer_goes_with_its_conversation(asked: World, pool: Pool) -> None:
    cache = PostgresAnswerCache(pool, ttl=60, max_entries=100)
    services = chat(asked, cache, "It opened in 1827 [1].", "Once more: in 1827 [1].")
    first = await ask(services, asked.principal, QUESTION)
    assert (await ask(services, asked.principal, QUESTION)).answer == first.answer
    await services.memory.delete(asked.principal, first.conversation_id)
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM anchorage.answer_cache")).fetchone()
    assert row == (0,)
    assert (await ask(services, asked.principal, QUESTION)).answer.startswith("Once more")


async def test_redis_forgets_what_was_kept_for_a_conversation(redis_url: str) -> None:
    north, east = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    async with (
        open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=200) as cache,
        Redis.from_url(redis_url) as client,
    ):
        for number in range(3):
            await cache.keep(Slot("f", "f/1", f"north {number}"), north, {"answer": number}, "mine")
        await cache.keep(Slot("g", "g/1", "north"), None, {"answer": "elsewhere"}, "mine")
        await cache.keep(Slot("f", "f/1", "east"), east, {"answer": "e"}, "other")
        await cache.forget(["nosuch", "mine", *(f"more{number}" for number in range(150))])
        assert await cache.exact(Slot("f", "f/1", "north 1")) is None
        assert await cache.exact(Slot("g", "g/1", "north")) is None
        assert not await cache.near(Slot("f", "f/1", "x"), north, 0.9)
        assert list(await cache.near(Slot("f", "f/1", "x"), east, 0.9)) == [{"answer": "e"}]
        assert await client.llen("{anchorage}:answers:f:f/1:vectors") == 1
        assert await client.zcard("{anchorage}:answers:all") == 1
        await cache.keep(Slot("f", "f/1", "marked"), None, {"answer": "m"}, "mine:deleted")  # an id as good as any
        await cache.forget(["mine:deleted"])
        assert await cache.exact(Slot("f", "f/1", "marked")) is None
        await cache.keep(Slot("f", "f/1", "late"), north, {"answer": "late"}, "mine")  # it was under way
        assert await cache.exact(Slot("f", "f/1", "late")) is None
        left = {key.decode() async for key in client.scan_iter("*mine*")}
        assert left == {f"{{anchorage}}:answers:deleted:{name}" for name in ("mine", "mine:deleted")}


async def test_a_deleted_conversation_leaves_nothing_in_redis(
    asked: World, pool: Pool, redis_url: str, tmp_path: Path
) -> None:
    async with (
        open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=100) as cache,
        Redis.from_url(redis_url) as client,
        AsyncExitStack() as stack,
    ):
        caching = Caching(cache, "f", None)
        world, generator = (
            replace(asked, chat=replace(asked.chat, caching=caching)),
            ScriptedGenerator(["It opened in 1827 [1]."] * 3),
        )
        api = await stack.enter_async_context(running_api(world, pool, tmp_path / "data", generator=generator))
        api.state.services = replace(
            api.services,
            storage=replace(api.services.storage, caching=caching),
        )

        async def answers() -> int:
            return int(await client.zcard("{anchorage}:answers:all"))

        async def said(conversation: str, question: str) -> None:
            body = {"message": question, "conversation_id": conversation}
            assert (await api.client.post("/api/chat", json=body)).status_code == 200

        for conversation in ("one", "two", "three"):
            await said(conversation, f"{QUESTION} {conversation}")
        assert await answers() == 3
        assert (await api.client.delete("/api/conversations/one")).status_code == 204
        assert await answers() == 2
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE anchorage.conversations SET updated_at = now() - interval '2 h' WHERE id = 'two'"
            )
        storage = api.services.storage
        tidying = asyncio.create_task(
            sweep_forever(storage.stream_log, storage.memory, caching, retention=60, ttl=3600)
        )
        async with asyncio.timeout(10):
            while await answers() != 1:
                await asyncio.sleep(0.02)
        tidying.cancel()
        assert (await api.client.delete("/api/conversations")).status_code == 204
        assert await answers() == 0


async def test_a_conversation_is_deleted_while_redis_is_away(asked: World, pool: Pool, tmp_path: Path) -> None:
    async with (
        open_redis_answer_cache("redis://127.0.0.1:9/0", timeout=0.2, ttl=60, max_entries=100) as cache,
        running_api(asked, pool, tmp_path / "data") as api,
    ):
        api.state.services = replace(
            api.services, storage=replace(api.services.storage, caching=Caching(cache, "f", None))
        )
        before = REGISTRY.get_sample_value("anchorage_degradations_total", {"which": "cached_answers_left"}) or 0
        body = {"message": QUESTION, "conversation_id": "one"}
        assert (await api.client.post("/api/chat", json=body)).status_code == 200
        assert (await api.client.delete("/api/conversations/one")).status_code == 204
        assert (await api.client.get("/api/conversations/one")).status_code == 404
        assert REGISTRY.get_sample_value("anchorage_degradations_total", {"which": "cached_answers_left"}) == before + 1
