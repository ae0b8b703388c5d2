"""Rate limits that a provider tells in its headers: kept before it refuses."""

import asyncio
import time
from collections.abc import Mapping

import pytest

from anchorage.adapters.models import pace as module
from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import open_model_client
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.adapters.models.pace import RateLimiter, parse_reset
from anchorage.errors import ModelUnavailable
from anchorage.testing.model_server import Behaviour, model_server


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1s", 1), ("6m0s", 360), ("12ms", 0.012), ("1h2m3.5s", 3723.5), ("20", 20), ("0.5", 0.5), (" 7s ", 7),
        ("", None), ("soon", None), ("1s soon", None), ("-1", None), ("nan", None), ("inf", None),
    ],
)  # fmt: skip
def test_what_providers_write(value: str, seconds: float | None) -> None:
    assert parse_reset(value) == (None if seconds is None else pytest.approx(seconds))


def test_a_moment_is_understood_too() -> None:
    assert parse_reset(str(time.time() + 30)) == pytest.approx(30, abs=1)


class Clock:
    """Time that only sleeping passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 1000.0, 0.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(module.asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def told(kind: str, left: str, reset: str, limit: str = "") -> Mapping[str, str]:
    headers = {f"x-ratelimit-remaining-{kind}": left, f"x-ratelimit-reset-{kind}": reset}
    return headers | ({f"x-ratelimit-limit-{kind}": limit} if limit else {})


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 0),
        (told("requests", "5", "10s", "10"), 0),
        (told("requests", "0", "10s", "10"), 1),  # one of ten comes back each second
        (told("requests", "0", "10s"), 10),
        (told("tokens", "1000", "60s", "6000"), 0),
        (told("tokens", "100", "59s", "6000"), 9),  # 900 tokens more, at 100 a second
        (told("tokens", "0", "60s", "500"), 60),  # larger than the limit: when all of it is there
        (told("tokens", "0", "600s", "1000"), 0),  # too long to wait: the server says so itself
        (told("tokens", "-1", "0", "-1"), 0),
        (told("requests", "0", "soon"), 0),
    ],
)
async def test_a_call_waits_until_there_is_room(
    monkeypatch: pytest.MonkeyPatch, headers: Mapping[str, str], wait: float
) -> None:
    clock, pace = Clock(monkeypatch), RateLimiter(60)
    pace.learn_limits(headers)
    async with pace.reserve(1000):
        assert clock.slept == pytest.approx(wait)


async def test_calls_under_way_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), RateLimiter()
    pace.learn_limits(told("requests", "2", "10s", "10"))
    async with pace.reserve(0), pace.reserve(0):
        assert clock.slept == 0
        async with pace.reserve(0):
            assert clock.slept == pytest.approx(1.25)  # eight in ten seconds
    async with pace.reserve(0):
        assert clock.slept == pytest.approx(1.25)


async def test_an_ingest_waits_instead_of_being_refused() -> None:
    limited = {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "400ms",
    }
    async with model_server(Behaviour(headers=limited)) as server, open_model_client() as client:
        embedder = await OpenAIEmbedder.create(client, Endpoint(server.url), "any", dimension=64, batch_size=1)
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(embedder.embed_passages(["cats", "dogs"]) for _ in range(2)))
        # The first two calls know of no limit; then one request in 0.2 s fits.
        assert asyncio.get_running_loop().time() - started >= 0.35
        assert server.count("/v1/embeddings") == 4


async def test_a_question_does_not_wait_behind_an_ingest_for_long() -> None:
    """The gate is the ingest's for half a minute; a question is told to come again, and takes no place of anybody's."""
    limited = {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "60s",
    }
    async with model_server(Behaviour(headers=limited)) as server, open_model_client() as client:
        embedder = await OpenAIEmbedder.create(client, Endpoint(server.url), "any", dimension=64, query_wait=0.1)
        await embedder.embed_query("first")
        with pytest.raises(ModelUnavailable, match=r"rate limit.*within 0\.1 s.*Ask again.*QUERY_WAIT") as raised:
            await embedder.embed_query("no room")
        assert raised.value.temporary
        ingest = asyncio.create_task(embedder.embed_passages(["a", "b"]))
        async with asyncio.timeout(5):
            while not embedder._pace._gate.locked():
                await asyncio.sleep(0)
        with pytest.raises(ModelUnavailable, match="Ask again"):
            await embedder.embed_query("behind")
        assert not ingest.done() and server.count("/v1/embeddings") == 1
        assert embedder._pace._under_way == {"requests": 0.0, "tokens": 0.0}
        ingest.cancel()
        await asyncio.wait({ingest})


async def test_a_question_does_not_wait_for_a_server_that_hangs() -> None:
    async with model_server(Behaviour(first_delay=60)) as server, open_model_client() as client:
        embedder = await OpenAIEmbedder.create(client, Endpoint(server.url), "any", dimension=64, query_timeout=0.2)
        with pytest.raises(ModelUnavailable, match="QUERY_TIMEOUT"):
            await embedder.embed_query("a harbour")


async def test_a_question_does_not_wait_for_a_long_retry_after() -> None:
    behaviour = Behaviour(status=429, retry_after="30")
    async with model_server(behaviour) as server, open_model_client() as client:
        embedder = await OpenAIEmbedder.create(client, Endpoint(server.url), "any", dimension=64, query_wait=1)
        with pytest.raises(ModelUnavailable):
            await embedder.embed_query("?")
        assert server.count("/v1/embeddings") == 1
