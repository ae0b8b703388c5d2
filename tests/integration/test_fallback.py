"""Chains of models: what falls over to the next, what does not, and who is left alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.fallback import Breaker, BreakerEmbedder, FallbackEmbedder, FallbackGenerator
from anchorage.adapters.models.http import RetryPolicy, open_model_client
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.errors import ConfigurationError, ModelError, ModelUnavailable
from anchorage.model import Message, Usage
from anchorage.settings import load_settings
from anchorage.telemetry import REGISTRY
from anchorage.testing.model_server import Behaviour, ModelServer, model_server
from anchorage.wiring.models import open_client, open_embedder, open_generator

ONCE = RetryPolicy(0)
ASK = (Message("user", "Hello?"),)


@pytest.fixture
async def servers() -> AsyncIterator[tuple[ModelServer, ModelServer]]:
    async with (
        model_server(Behaviour(answer="From the first.")) as one,
        model_server(Behaviour(answer="From the second.")) as two,
    ):
        yield one, two


@asynccontextmanager
async def chain(*servers: ModelServer, failures: int = 3, pause: float = 30) -> AsyncIterator[FallbackGenerator]:
    async with open_model_client(1.0) as client:
        models = [
            OpenAIGenerator(
                client, Endpoint(server.url), f"m{number}", first_token_timeout=0.3, idle_timeout=0.3, retry=ONCE
            )
            for number, server in enumerate(servers, 1)
        ]
        yield FallbackGenerator(models, failures=failures, pause=pause)


async def answer(found: FallbackGenerator) -> tuple[str, str | None]:
    items = [item async for item in found.stream(ASK)]
    assert isinstance(items[-1], Usage)
    return "".join(item for item in items if isinstance(item, str)), items[-1].model


def fallbacks(which: str = "llm_fallback") -> float:
    return REGISTRY.get_sample_value("anchorage_degradations_total", {"which": which}) or 0.0


async def test_the_first_answers_while_it_can(servers: tuple[ModelServer, ModelServer]) -> None:
    async with chain(*servers) as found:
        assert await answer(found) == ("From the first.", "m1")
        assert found.model == "m1" and await found.ping() == "available"
    assert servers[1].count() == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(status=503),
        Behaviour(status=429),
        Behaviour(fault="hang"),
        Behaviour(answer="A b c.", fault="cut", pieces=0),
    ],
)
async def test_before_the_first_piece_the_next_is_taken(
    servers: tuple[ModelServer, ModelServer], behaviour: Behaviour
) -> None:
    counted = fallbacks()
    servers[0].behaviour = behaviour
    async with chain(*servers) as found:
        assert await answer(found) == ("From the second.", "m2")
    assert fallbacks() == counted + 1


@pytest.mark.parametrize("behaviour", [Behaviour(status=401), Behaviour(status=404), Behaviour(fault="html")])
async def test_what_is_wrong_for_good_is_told(servers: tuple[ModelServer, ModelServer], behaviour: Behaviour) -> None:
    servers[0].behaviour = behaviour
    async with chain(*servers) as found:
        with pytest.raises(ModelError):
            await answer(found)
    assert servers[1].count() == 0


async def test_an_answer_that_has_begun_is_not_begun_anew_by_another(servers: tuple[ModelServer, ModelServer]) -> None:
    servers[0].behaviour = Behaviour(answer="A b c d.", fault="cut", pieces=2)
    async with chain(*servers, failures=1) as found:
        with pytest.raises(ModelUnavailable, match="cut off"):
            await answer(found)
        # The caller's next attempt goes to the next model.
        assert await answer(found) == ("From the second.", "m2")


async def test_when_none_is_left_all_reasons_are_told(servers: tuple[ModelServer, ModelServer]) -> None:
    servers[0].behaviour, servers[1].behaviour = Behaviour(status=503), Behaviour(status=429)
    async with chain(*servers) as found:
        with pytest.raises(ModelUnavailable, match=r"None of 2 models answers.*503.*429"):
            await answer(found)


async def test_a_model_that_fails_in_a_row_is_left_alone_and_tried_again(
    servers: tuple[ModelServer, ModelServer],
) -> None:
    servers[0].behaviour = Behaviour(status=503)
    async with chain(*servers, failures=2, pause=60) as found:
        for _ in range(5):
            assert (await answer(found))[1] == "m2"
        assert servers[0].count() == 2
        found._choices[0][1]._open_until = 0  # the pause is over
        servers[0].behaviour = Behaviour(answer="Back.")
        assert await answer(found) == ("Back.", "m1")
        assert (await answer(found))[1] == "m1"


async def test_another_than_the_first_is_named_before_its_text(servers: tuple[ModelServer, ModelServer]) -> None:
    """So that an answer which breaks off is charged to the model that wrote it."""
    servers[0].behaviour = Behaviour(status=503)
    servers[1].behaviour = Behaviour(answer="A b c d.", fault="cut", pieces=2)
    items: list[object] = []
    async with chain(*servers) as found:
        with pytest.raises(ModelUnavailable, match="cut off"):
            async for item in found.stream(ASK):
                items.append(item)
    assert items[0] == Usage("m2") and "".join(map(str, items[1:])).split() == ["A", "b"]


async def test_where_all_are_left_alone_all_are_tried(servers: tuple[ModelServer, ModelServer]) -> None:
    for server in servers:
        server.behaviour = Behaviour(status=503)
    async with chain(*servers, failures=1, pause=60) as found:
        with pytest.raises(ModelUnavailable):
            await answer(found)
        servers[1].behaviour = Behaviour(answer="Back.")
        assert (await answer(found))[0] == "Back."


def test_of_the_callers_after_a_pause_one_is_let_through() -> None:
    breaker = Breaker("m", failures=1, pause=60)
    breaker.record_failure(ModelError("its own fault"))
    assert breaker.allows_call()
    breaker.record_failure(ModelUnavailable("away"))
    assert not breaker.allows_call()
    breaker._open_until = 0
    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    breaker.record_success()
    assert breaker.allows_call()


async def test_embeddings_fall_over_to_the_same_model_only(servers: tuple[ModelServer, ModelServer]) -> None:
    async with open_model_client(1.0) as client:
        embedders = [await OpenAIEmbedder.create(client, Endpoint(s.url), "any", retry=ONCE) for s in servers]
        found = FallbackEmbedder(embedders)
        before = await found.embed_query("cats")
        servers[0].behaviour = Behaviour(status=503)
        counted = fallbacks("embedding_fallback")
        assert (await found.embed_query("cats") == before).all()
        assert (await found.embed_passages(["cats"]))[0] == pytest.approx(before)
        assert fallbacks("embedding_fallback") == counted + 2
        assert found.spec == embedders[0].spec and await found.ping() == "available"
        servers[1].behaviour = Behaviour(status=401)
        with pytest.raises(ModelError):
            await found.embed_query("cats")
        other = await OpenAIEmbedder.create(client, Endpoint(servers[0].url), "other", dimension=8, retry=ONCE)
        with pytest.raises(ConfigurationError, match="EMBEDDING__FALLBACKS"):
            FallbackEmbedder([embedders[0], other])


async def test_the_chain_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, servers: tuple[ModelServer, ModelServer]
) -> None:
    one, two = servers
    one.behaviour = Behaviour(status=503)
    monkeypatch.setenv("OPENAI_BASE_URL", one.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one")
    monkeypatch.setenv("LLM_MODEL", "m1")
    monkeypatch.setenv("ANCHORAGE_LLM__RETRIES", "0")
    monkeypatch.setenv("OLLAMA_HOST", two.url.removesuffix("/v1"))
    monkeypatch.setenv(
        "ANCHORAGE_LLM__FALLBACKS",
        '[{"provider": "compatible", "model": "m2", "base_url": "http://127.0.0.1:9/v1", "retries": 0}, "ollama:tiny"]',
    )
    monkeypatch.setenv("EMBEDDING_MODEL", "e")
    monkeypatch.setenv("ANCHORAGE_EMBEDDING__DIMENSION", "64")
    monkeypatch.setenv("ANCHORAGE_EMBEDDING__RETRIES", "0")
    monkeypatch.setenv("ANCHORAGE_EMBEDDING__FALLBACKS", f'["{two.url}"]')
    settings = load_settings()
    async with open_client(settings) as client:
        found = open_generator(settings.llm, client)
        assert isinstance(found, FallbackGenerator)
        assert await answer(found) == ("From the second.", "tiny")
        assert (await (await open_embedder(settings, client)).embed_query("cats")).shape == (64,)
    assert all("authorization" not in request.headers for request in two.requests)  # a key stays with its server


@pytest.mark.parametrize(
    "value", ['["nonsense:m"]', "ollama:m", '[{"provider": "ollama", "modle": "m"}]', '[{"model": 7}]']
)
def test_a_wrong_chain_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ANCHORAGE_LLM__FALLBACKS", value)
    with pytest.raises(ConfigurationError, match="ANCHORAGE_LLM__FALLBACKS"):
        load_settings()


async def test_an_embedder_that_failed_in_a_row_is_not_asked_for_a_while(
    servers: tuple[ModelServer, ModelServer],
) -> None:
    server = servers[0]
    async with open_model_client(1.0) as client:
        found = BreakerEmbedder(
            await OpenAIEmbedder.create(client, Endpoint(server.url), "any", retry=ONCE), failures=2
        )
        before = await found.embed_query("cats")
        server.behaviour = Behaviour(status=503)
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="503"):
                await found.embed_query("cats")
        asked = len(server.bodies())
        server.behaviour = Behaviour()
        with pytest.raises(ModelUnavailable, match=r"503.* asked again in a moment"):
            await found.embed_query("cats")
        assert len(server.bodies()) == asked
        assert len(await found.embed_passages(["cats"])) == 1  # a job has its own pauses
        found._breaker._open_until = 0
        assert (await found.embed_query("cats") == before).all()


async def test_sentences_that_an_answer_waits_for_get_to_the_next_server_in_time() -> None:
    async with (
        model_server(Behaviour(first_delay=60)) as hanging,
        model_server(Behaviour()) as fine,
        open_model_client() as client,
    ):
        servers = [
            await OpenAIEmbedder.create(client, Endpoint(server.url), "any", dimension=64, query_timeout=0.2)
            for server in (hanging, fine)
        ]
        embedder = BreakerEmbedder(FallbackEmbedder(servers)).with_query_timeout()
        assert (await SentenceVectors(embedder, wait=20).embed_sentences(["a harbour"])).shape == (1, 64)
        assert fine.count("/v1/embeddings") == 1
