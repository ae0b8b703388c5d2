"""The model clients against a real HTTP peer that fails in every way that servers do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse

from anchorage.adapters.models import http, openai_client
from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import RetryPolicy, open_model_client
from anchorage.adapters.models.langchain_models import LangChainGenerator
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.diagnosis import _check_embedder, _check_generator, _check_guard
from anchorage.errors import ConfigurationError, ModelError, ModelUnavailable
from anchorage.model import Message, Usage
from anchorage.settings import load_settings
from anchorage.testing.model_server import Behaviour, ModelServer, model_server
from anchorage.testing.web_site import web_site

FAST = RetryPolicy(2, 0.01, 0.05, 0.2)
ASK = (Message("user", "Hello?"),)
CHAT = "/v1/chat/completions"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server(Behaviour(answer="One two three four five.")) as running:
        yield running


@asynccontextmanager
async def generator(server: ModelServer, **more: object) -> AsyncIterator[OpenAIGenerator]:
    async with open_model_client(1.0) as client:
        options = {"retry": FAST, "first_token_timeout": 2.0, "idle_timeout": 1.0, **more}
        yield OpenAIGenerator(client, Endpoint(server.url, "sk-secret"), "any", **options)  # type: ignore[arg-type]


async def answer(found: OpenAIGenerator) -> tuple[str, Usage]:
    items = [item async for item in found.stream(ASK)]
    assert isinstance(items[-1], Usage)
    return "".join(str(item) for item in items[:-1]), items[-1]


async def test_an_answer_comes_in_pieces_with_its_usage(server: ModelServer) -> None:
    async with generator(server) as found:
        text, usage = await answer(found)
        assert text == "One two three four five."
        assert usage.completion_tokens > 0 and usage.model == "any"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(server: ModelServer, status: int) -> None:
    server.script(Behaviour(status=status, retry_after="0.01"), Behaviour(answer="Done."))
    async with generator(server) as found:
        assert (await answer(found))[0] == "Done."
    assert server.count(CHAT) == 2


async def test_429_without_a_wish_is_tried_again_after_a_pause_of_ours(server: ModelServer) -> None:
    server.script(Behaviour(status=429), Behaviour(status=429), Behaviour(answer="Done."))
    async with generator(server) as found:
        assert (await answer(found))[0] == "Done."
    assert server.count(CHAT) == 3


async def test_429_with_a_wish_that_is_too_long_is_told_at_once(server: ModelServer) -> None:
    server.behaviour = Behaviour(status=429, retry_after="3600")
    async with generator(server) as found:
        with pytest.raises(ModelUnavailable, match="in 3600 s"):
            await answer(found)
    assert server.count(CHAT) == 1


async def test_a_server_that_stays_down_is_unavailable(server: ModelServer) -> None:
    server.behaviour = Behaviour(status=503)
    async with generator(server) as found:
        with pytest.raises(ModelUnavailable, match="503"):
            await answer(found)
    assert server.count(CHAT) == 3


@pytest.mark.parametrize(("status", "words"), [(401, "OPENAI_API_KEY"), (404, "LLM_MODEL"), (400, "refused")])
async def test_what_no_retry_mends_is_told_at_once_without_the_key(
    server: ModelServer, status: int, words: str
) -> None:
    server.behaviour = Behaviour(status=status, message="your key sk-secret is wrong")
    async with generator(server) as found:
        with pytest.raises(ModelError, match=words) as raised:
            await answer(found)
    assert "sk-secret" not in raised.value.message
    assert server.count(CHAT) == 1


async def test_an_answer_that_is_cut_off_is_not_whole(server: ModelServer) -> None:
    server.behaviour = Behaviour(answer="One two three four five.", fault="cut", pieces=2)
    async with generator(server) as found:
        with pytest.raises(ModelUnavailable, match="cut off"):
            await answer(found)
    assert server.count(CHAT) == 1


async def test_a_server_that_hangs_is_left(server: ModelServer) -> None:
    server.behaviour = Behaviour(answer="One two three.", fault="hang", pieces=1)
    async with generator(server, idle_timeout=0.1) as found:
        with pytest.raises(ModelUnavailable, match="IDLE_TIMEOUT"):
            await answer(found)
    server.behaviour = Behaviour(first_delay=30)
    async with generator(server, first_token_timeout=0.1) as found:
        with pytest.raises(ModelUnavailable, match="FIRST_TOKEN_TIMEOUT"):
            await answer(found)


@pytest.mark.parametrize("fault", ["html", "nonsense"])
async def test_what_is_no_answer_names_the_address(server: ModelServer, fault: str) -> None:
    server.behaviour = Behaviour(fault=fault)  # type: ignore[arg-type]
    async with generator(server) as found:
        with pytest.raises(ModelError, match="OPENAI_BASE_URL"):
            await answer(found)


async def test_refused_parameters_are_left_out_for_good(server: ModelServer) -> None:
    server.behaviour = Behaviour(answer="Fine.", refuse="max_tokens temperature stream_options")
    async with generator(server) as found:
        for _ in range(2):
            assert (await answer(found))[0] == "Fine."
    assert server.count(CHAT) <= 5


async def test_a_server_that_does_not_stream_is_understood(server: ModelServer) -> None:
    server.behaviour = Behaviour(answer="Whole.", stream=False)
    async with generator(server) as found:
        assert (await answer(found))[0] == "Whole."


async def test_nobody_there() -> None:
    async with open_model_client(0.5) as client:
        found = OpenAIGenerator(client, Endpoint("http://127.0.0.1:9/v1"), "any", retry=RetryPolicy(0))
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await answer(found)
        assert await found.ping() == "unreachable"


async def test_a_wrong_address_or_key_is_a_matter_of_settings() -> None:
    for address in ("localhost:8080", "ftp://x", ""):
        with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
            Endpoint(address)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        Endpoint("http://x/v1", "sk-“quoted”")
    assert Endpoint.ollama("gpu").base_url == "http://gpu:11434/v1"


async def test_embeddings_are_tried_again_and_checked(server: ModelServer) -> None:
    async with open_model_client() as client:
        embedder = await OpenAIEmbedder.create(client, Endpoint(server.url), "any", retry=FAST)
        assert embedder.dimension == 64
        server.script(Behaviour(status=503), Behaviour())
        assert (await embedder.embed_passages(["a", "b"])).shape == (2, 64)
        server.behaviour = Behaviour(dimension=32)
        with pytest.raises(ModelError, match="DIMENSION"):
            await embedder.embed_passages(["a"])


async def test_probing_openai_itself_calls_nobody() -> None:
    async with open_model_client() as client:
        for key, word in (("sk-x", "available"), (None, "not_configured")):
            assert await OpenAIGenerator(client, Endpoint(api_key=key), "gpt").ping() == word


@pytest.mark.parametrize(
    ("said", "cut"),
    [
        ({"finish_reason": "length"}, True), ({"stop_reason": "max_tokens"}, True), ({"finish_reason": "MAX_TOKENS"}, True),
        ({"done_reason": "length"}, True), ({"finish_reason": "stop"}, False), ({}, False),
    ],
)  # fmt: skip
async def test_langchain_says_that_an_answer_was_cut(said: dict[str, str], cut: bool) -> None:
    from langchain_core.messages import AIMessageChunk

    class Chat:
        async def astream(self, thread: object) -> AsyncIterator[Any]:
            yield AIMessageChunk("Bread")
            yield AIMessageChunk("", response_metadata=said)

    found = [piece async for piece in LangChainGenerator(Chat(), "fake", timeout=5).stream([Message("user", "?")])]
    assert found[0] == "Bread" and isinstance(found[-1], Usage) and found[-1].cut is cut


@pytest.mark.parametrize("part", ["generator", "embedder", "guard"])
async def test_an_address_without_v1_is_told_with_what_to_change(server: ModelServer, part: str) -> None:
    """The doctor said ok of a server that answers 404 to every question."""
    for url, status in ((server.url, "ok"), (server.url.removesuffix("/v1"), "failed")):
        sections: dict[str, dict[str, Any]] = {
            "generator": {"llm": {"provider": "compatible", "base_url": url, "model": "m"}},
            "embedder": {"embedding": {"base_url": url, "model": "m", "dimension": 64}},
            "guard": {"guard": {"base_url": url, "model": "m"}},
        }
        settings = load_settings(**sections[part])
        check = await {"generator": _check_generator, "embedder": _check_embedder, "guard": _check_guard}[part](
            settings
        )
        assert check.status == status, check
        if status == "failed":
            assert "below /v1" in check.detail and "end its address in /v1" in check.detail


async def test_a_page_for_people_is_no_api(server: ModelServer) -> None:
    async with web_site() as site, open_model_client() as client:
        site.add_page("/models", "<html>Welcome</html>")
        assert await OpenAIGenerator(client, Endpoint(site.url), "m").ping() == "failing"
        assert (
            await OpenAIGenerator(client, Endpoint(f"{site.url}/api/v1"), "m").ping() == "available"
        )  # lists no models


async def test_names_and_passwords_in_the_address_are_sent_or_refused_with_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Endpoint("http://anna:p%D0%BF@h/v1").headers["Authorization"].startswith("Basic ")
    assert Endpoint("http://:pw@h/v1").headers and not Endpoint("http://h/v1").headers
    assert str(Endpoint("http://anna:secret@h/v1").url("models")) == "http://h/v1/models"
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL") as raised:
        Endpoint("http://a%3Ab:secret@h/v1")
    assert "secret" not in raised.value.message
    monkeypatch.setenv("ALL_PROXY", "proxy.test:3128")
    assert Endpoint("http://proxied.test/v1").proxy == "http://proxy.test:3128"
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.test")
    with pytest.raises(ConfigurationError, match="NO_PROXY"):
        _ = Endpoint("http://socks.test/v1").proxy


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    """Also not where the error in the stream names a parameter that could be left out."""
    requests = 0

    async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        writer.write(b'data: {"choices":[{"delta":{"content":"one "}}]}\n\n')
        await writer.drain()
        writer.write(b'data: {"error":{"code":400,"message":"temperature of the GPU too high"}}\n\n')
        writer.close()

    peer = await asyncio.start_server(failing, "127.0.0.1", 0)
    async with peer, open_model_client(1.0) as client:
        port = peer.sockets[0].getsockname()[1]
        found = OpenAIGenerator(client, Endpoint(f"http://127.0.0.1:{port}/v1"), "any", retry=FAST)
        pieces = []
        with pytest.raises(ModelError, match="GPU"):
            async for piece in found.stream(ASK):
                pieces.append(piece)
    assert pieces == ["one "] and requests == 1


@asynccontextmanager
async def raw_server(first: bytes, *pieces: bytes) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A server that sends these bytes and is gone: its port, and the event at which it goes on after the first of them."""
    go_on = asyncio.Event()

    async def answer_raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(first)
            await go_on.wait()
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass  # the client has had enough
        writer.close()

    peer = await asyncio.start_server(answer_raw, "127.0.0.1", 0)
    async with peer:
        yield peer.sockets[0].getsockname()[1], go_on


def event(text: str) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAMED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_slow_reader_gets_what_came_before_the_connection_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[ClientResponse] = []
    send = OpenAIGenerator._send_request

    async def noted(self: OpenAIGenerator, payload: dict[str, Any], deadline: float) -> ClientResponse:
        sent.append(await send(self, payload, deadline))
        return sent[-1]

    monkeypatch.setattr(OpenAIGenerator, "_send_request", noted)
    async with (
        raw_server(STREAMED + chunked(event("one ")), chunked(event("two ")), chunked(event("three "))) as (port, go_on),
        open_model_client(1.0) as client,
    ):  # fmt: skip
        found = OpenAIGenerator(client, Endpoint(f"http://127.0.0.1:{port}/v1"), "any", retry=FAST)
        pieces: list[object] = []
        with pytest.raises(ModelUnavailable, match="cut off"):
            async for piece in found.stream(ASK):
                pieces.append(piece)
                go_on.set()
                async with asyncio.timeout(10):
                    while sent[-1].content.exception() is None:
                        await asyncio.sleep(0.005)
    assert "".join(map(str, pieces)) == "one two three "


@pytest.mark.parametrize("kind", ["stream", "whole", "vectors"])
async def test_an_answer_without_end_is_not_read_without_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (http, openai_client):
        monkeypatch.setattr(module, "BODY_LIMIT", 1 << 20)
    head = STREAMED if kind == "stream" else STREAMED.replace(b"text/event-stream", b"application/json")
    comment = chunked(b": " + b"x" * 65000 + b"\n\n")
    async with raw_server(head, *[comment] * 64) as (port, go_on), open_model_client(1.0) as client:
        go_on.set()
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")
        with pytest.raises(ModelError, match="more than 1 MiB"):
            if kind == "vectors":
                await OpenAIEmbedder(client, endpoint, "any", 3, None, 256, retry=FAST).embed_query("bread")
            else:
                await answer(OpenAIGenerator(client, endpoint, "any", retry=FAST))
