"""The OpenAI-compatible face, by the official client against a real server."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import open_model_client
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.pool import Pool
from anchorage.chat.memory.recall import Caching
from anchorage.chat.state import ABSTENTION
from anchorage.chat.streaming.events import Event
from anchorage.errors import ModelUnavailable
from anchorage.faces.http.openai import _AskedCompletion, _stream_chunks
from anchorage.model import Answer
from anchorage.testing.fakes import ScriptedGenerator
from anchorage.testing.model_server import Behaviour, model_server
from anchorage.wiring.chat import build_chat

from .api import Api, ingest_documents, running_api
from .conftest import World


@pytest.fixture
async def asked(world: World, tmp_path: Path) -> World:
    await ingest_documents(world, tmp_path / "documents")
    return world


@pytest.fixture
async def api(asked: World, pool: Pool, tmp_path: Path) -> AsyncIterator[Api]:
    async with running_api(asked, pool, tmp_path / "data") as running:
        yield running


def client_of(api: Api, who: str = "owner") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{api.url}/v1", api_key="any", max_retries=0, timeout=30, default_headers={"x-who": who}
    )


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def test_models_are_all_collections_and_each(api: Api) -> None:
    async with client_of(api) as client:
        assert [model.id async for model in client.models.list()] == ["anchorage", "anchorage/c"]
        assert (await client.models.retrieve("anchorage/c")).id == "anchorage/c"
        with pytest.raises(openai.NotFoundError) as raised:
            await client.models.retrieve("gpt-4o")
        assert raised.value.code == "model_not_found" and raised.value.type == "invalid_request_error"


async def test_an_answer_with_its_citations(api: Api) -> None:
    async with client_of(api) as client:
        done = await client.chat.completions.create(model="anchorage/c", messages=[user("What is bread made of?")])
    message = done.choices[0].message
    assert done.object == "chat.completion" and done.choices[0].finish_reason == "stop" and message.role == "assistant"
    assert "Bread is made of flour and water. [1]" in (message.content or "")
    citation = message.citations[0]  # type: ignore[attr-defined]
    assert citation["marker"] == 1 and citation["quote"] == "Bread is made of flour and water."
    assert done.usage is not None and done.usage.total_tokens == 0
    assert done.anchorage == {"abstained": False}  # type: ignore[attr-defined]
    assert not await api.services.storage.memory.conversations(api.services.principal)


async def test_a_stream_with_usage(api: Api) -> None:
    async with client_of(api) as client:
        stream = await client.chat.completions.create(
            model="anchorage", messages=[user("What is bread made of?")], stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = [chunk async for chunk in stream]
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"} and len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Bread is made of flour and water. [1]" in text
    *_, last, usage = chunks
    assert last.choices[0].finish_reason == "stop" and last.usage is None
    assert last.choices[0].delta.citations[0]["quote"] == "Bread is made of flour and water."  # type: ignore[attr-defined]
    assert last.anchorage == {"abstained": False}  # type: ignore[attr-defined]
    assert usage.choices == [] and usage.usage is not None
    async with client_of(api) as client:
        stream = await client.chat.completions.create(model="anchorage", messages=[user("Bread?")], stream=True)
        assert [chunk async for chunk in stream if not chunk.choices] == []


async def test_the_clients_history_is_the_conversation(api: Api) -> None:
    history = [
        {"role": "system", "content": "You are a pirate."}, {"role": "assistant", "content": "Hello!"},
        user("Who designed the Hôtel Tassel?"), {"role": "assistant", "content": "Victor Horta designed it. [1]"},
    ]  # fmt: skip
    async with client_of(api) as client:
        done = await client.chat.completions.create(
            model="anchorage", messages=[*history, user("and where has Victor Horta lived?")]
        )
        assert "Saint-Gilles" in (done.choices[0].message.content or "")
        parts = {"role": "user", "content": [{"type": "text", "text": "What have I asked so far?"}]}
        done = await client.chat.completions.create(model="anchorage", messages=[*history, parts])
        assert "1. Who designed the Hôtel Tassel?" in (done.choices[0].message.content or "")
    assert not await api.services.storage.memory.conversations(api.services.principal)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_the_model_cut_says_so(asked: World, pool: Pool, tmp_path: Path, stream: bool) -> None:
    async with (
        model_server(Behaviour(answer="Bread is made of flour [1].", finish="length")) as model,
        open_model_client() as http,
    ):
        generator = OpenAIGenerator(http, Endpoint(model.url), "m")
        caching = Caching(PostgresAnswerCache(pool, ttl=60, max_entries=10), "f", None)
        world = replace(asked, chat=replace(asked.chat, caching=caching))
        async with running_api(world, pool, tmp_path / "data", generator=generator) as api, client_of(api) as client:
            for number, finish in enumerate(("length", "stop", "stop")):
                question: dict[str, Any] = {"model": "anchorage", "messages": [user("What is bread made of?")]}
                if stream:
                    chunks = [chunk async for chunk in await client.chat.completions.create(**question, stream=True)]
                    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == [finish]
                else:
                    done = await client.chat.completions.create(**question)
                    assert done.choices[0].finish_reason == finish
                asking = {"message": "What is bread made of?", "conversation_id": f"c{number}", "message_id": "m"}
                for _ in "ab":  # the same message again gets the same answer
                    body = (await api.client.post("/api/chat", json=asking)).json()
                    assert body.get("cut", False) is (finish == "length") and "cut" not in body["usage"]
                model.behaviour = Behaviour(answer="Bread is made of flour [1].")
            assert model.count() == 4  # what was cut is not given again; of the last round, both came from the cache


async def test_a_generator_gets_the_history_and_its_limit(asked: World, pool: Pool, tmp_path: Path) -> None:
    generator = ScriptedGenerator(["Where does Victor Horta live?", "In Saint-Gilles [1]."])
    async with running_api(asked, pool, tmp_path / "data", generator=generator) as api, client_of(api) as client:
        done = await client.chat.completions.create(
            model="anchorage", max_tokens=7, temperature=0.3, seed=1, stop=["x"], user="u",
            messages=[user("Who designed it?"), {"role": "assistant", "content": "Victor Horta."}, user("and where does he live?")],
        )  # fmt: skip
    assert done.choices[0].message.content == "In Saint-Gilles [1]."
    assert done.usage is not None and done.usage.completion_tokens > 0
    rewriting, answering = generator.prompts
    assert "User: Who designed it?\nAssistant: Victor Horta." in rewriting[-1].content
    assert [message.role for message in answering] == ["system", "user", "assistant", "user"]


async def test_a_conversation_is_kept_when_the_client_names_one(api: Api) -> None:
    metadata = {"conversation_id": "thread", "message_id": "m1"}
    async with client_of(api) as client:
        done = await client.chat.completions.create(
            model="anchorage", messages=[user("Who designed the Hôtel Tassel?")], metadata=metadata
        )
        assert done.anchorage == {"abstained": False, **metadata}  # type: ignore[attr-defined]
        assert done.id == "chatcmpl-m1"
        follow = await client.chat.completions.create(
            model="anchorage",
            messages=[user("and where has Victor Horta lived?")],
            metadata={"conversation_id": "thread"},
        )
        assert "Saint-Gilles" in (follow.choices[0].message.content or "")
    turns = await api.services.storage.memory.window(api.services.principal, "thread", 9)
    assert [turn.question for turn in turns] == ["Who designed the Hôtel Tassel?", "and where has Victor Horta lived?"]
    async with client_of(api, "other") as client:
        for stream in (False, True):
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(
                    model="anchorage", messages=[user("and when?")], metadata=metadata, stream=stream
                )


async def test_another_principal_sees_no_collection_and_no_document(api: Api) -> None:
    async with client_of(api, "other") as client:
        assert [model.id async for model in client.models.list()] == ["anchorage"]
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="anchorage/c", messages=[user("What is bread made of?")])
        done = await client.chat.completions.create(model="anchorage", messages=[user("What is bread made of?")])
        assert done.anchorage["abstained"] and not done.choices[0].message.citations  # type: ignore[attr-defined]
    async with client_of(api, "nobody") as client:
        with pytest.raises(openai.PermissionDeniedError) as raised:
            await client.models.list()
        assert raised.value.type == "permission_error"


REFUSED: list[tuple[dict[str, Any], int, str, str | None]] = [
        ({"model": "gpt-4o"}, 404, "model_not_found", "model"),
        ({"model": "anchorage/nosuch"}, 404, "model_not_found", "model"),
        ({"model": 7}, 400, "invalid_request", "model"),
        ({"messages": []}, 400, "invalid_request", "messages"),
        ({"messages": "hello"}, 400, "invalid_request", "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, 400, "invalid_request", "messages.0.role"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, 400, "unsupported_value", "messages"),
        ({"messages": [user("x"), {"role": "assistant", "content": "y"}]}, 400, "unsupported_value", "messages"),
        ({"messages": [user(" ")]}, 400, "bad_request", None),
        ({"messages": [user("x" * 9000)]}, 413, "too_large", None),
        ({"messages": [user("x" * 10_000_000)]}, 413, "too_large", None),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, 400, "unsupported_value", "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
            400, "unsupported_value", "messages[0].content[0]",
        ),
        ({"n": 2}, 400, "unsupported_value", "n"),
        ({"tools": [{"type": "function"}]}, 400, "unsupported_value", "tools"),
        ({"response_format": {"type": "json_object"}}, 400, "unsupported_value", "response_format"),
        ({"logprobs": True}, 400, "unsupported_value", "logprobs"),
        ({"max_tokens": 0}, 400, "invalid_request", "max_tokens"),
        ({"temperature": 3}, 400, "invalid_request", "temperature"),
        ({"metadata": {"conversation_id": "a b"}}, 400, "bad_request", None),
]  # fmt: skip


async def test_what_cannot_be_taken(api: Api) -> None:
    for change, status, code, param in REFUSED:
        for stream in (False, True):
            body = {"model": "anchorage", "messages": [user("What is bread made of?")], "stream": stream, **change}
            response = await api.client.post("/v1/chat/completions", json=body)
            assert response.status_code == status, (change, response.text)
            error = response.json()["error"]
            assert set(error) == {"message", "type", "param", "code"} and error["message"]
            assert (error["code"], error["type"]) == (code, "invalid_request_error"), change
            assert param is None or error["param"] == param, change


async def test_half_a_character_is_no_trouble(api: Api) -> None:
    body = b'{"model": "anchorage", "messages": [{"role": "user", "content": "Bread? \\ud800"}], "response_format": {"type": "text"}}'
    for more in (b"", b', "metadata": {"conversation_id": "half"}'):
        content = body[:-1] + more + b"}"
        response = await api.client.post(
            "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
        )
        assert response.status_code == 200, response.text
    assert (await api.services.storage.memory.window(api.services.principal, "half", 1))[0].question == "Bread?"


async def test_wrong_paths_methods_and_bodies(api: Api) -> None:
    for response, status in (
        (
            await api.client.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"}),
            400,
        ),
        (await api.client.get("/v1/chat/completions"), 405),
        (await api.client.post("/v1/embeddings", json={}), 404),
        (await api.client.delete("/v1/models"), 405),
    ):
        assert response.status_code == status and response.json()["error"]["type"] == "invalid_request_error"
        assert response.headers["x-request-id"]


async def test_a_model_that_is_away_is_a_status_that_clients_try_again(
    asked: World, pool: Pool, tmp_path: Path
) -> None:
    for stream in (False, True):
        generator = ScriptedGenerator([ModelUnavailable("The model server is away. Try again.")])
        async with running_api(asked, pool, tmp_path / "data", generator=generator) as api, client_of(api) as client:
            with pytest.raises(openai.InternalServerError) as raised:
                await client.chat.completions.create(
                    model="anchorage", messages=[user("What is bread?")], stream=stream
                )
        assert raised.value.status_code == 503 and raised.value.code == "model_unavailable"
        assert raised.value.response.headers["retry-after"]


async def test_slow_and_broken_models(asked: World, pool: Pool, tmp_path: Path) -> None:
    body = {"model": "anchorage", "messages": [user("What is bread made of?")], "stream": True}
    async with model_server(Behaviour(answer="Bread is made of flour [1].")) as server, open_model_client() as http:
        generator = OpenAIGenerator(http, Endpoint(server.url), "any")
        async with (
            running_api(asked, pool, tmp_path / "data", generator=generator, http={"sse_heartbeat": 0.02}) as api,
            client_of(api) as client,
        ):
            server.script(Behaviour(answer="Bread is made of flour [1].", first_delay=0.3))
            lines = (await api.client.post("/v1/chat/completions", json=body)).text.splitlines()
            assert sum(line.startswith(":") for line in lines) > 2 and lines[-2:] == ["data: [DONE]", ""]
            stream = await client.chat.completions.create(**body)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            assert text == "Bread is made of flour [1]."
            for limit, sent in (({"max_tokens": 3}, 3), ({"max_completion_tokens": 10**6}, 200)):
                done = await client.chat.completions.create(**{**body, "stream": False, **limit})
                assert server.requests[-1].body["max_tokens"] == sent
            assert done.choices[0].message.content == text
            # Nothing more comes before something was heard: else the failure would be a status.
            server.script(Behaviour(answer="Bread is made of flour.", fault="hang", pieces=2))
            stream, heard = await client.chat.completions.create(**body), ""
            with pytest.raises(openai.APIError) as raised:
                async for chunk in stream:
                    heard += chunk.choices[0].delta.content or ""
                    if heard:
                        server.close()
            assert heard.startswith("Bread") and raised.value.code in ("model_unavailable", "model_error")


async def test_a_client_that_leaves_ends_the_generation(asked: World, pool: Pool, tmp_path: Path) -> None:
    behaviour = Behaviour(answer="Bread is made of flour.", fault="hang", pieces=1)
    async with model_server(behaviour) as server, open_model_client() as http:
        generator = OpenAIGenerator(http, Endpoint(server.url), "any")
        async with running_api(asked, pool, tmp_path / "data", generator=generator) as api:

            async def ask(stream: bool) -> None:
                body = {"model": "anchorage", "messages": [user("What is bread made of?")], "stream": stream}
                async with api.client.stream("POST", "/v1/chat/completions", json=body) as response:
                    await anext(response.aiter_bytes())

            for stream in (False, True):
                task = asyncio.create_task(ask(stream))
                async with asyncio.timeout(20):
                    while not (server.active or task.done()):  # a stream is left after its first piece
                        await asyncio.sleep(0.01)
                    task.cancel()
                    await asyncio.wait({task})
                    while server.active:  # it hangs until its client leaves
                        await asyncio.sleep(0.01)
            assert (await api.client.get("/livez")).status_code == 200


async def test_what_a_stream_shows_of_an_answer_that_is_corrected(asked: World, pool: Pool, tmp_path: Path) -> None:
    written, verified = "Horta made it [1]. It stands [7].", "Horta made it [1]. It stands."
    nothing = f"Let me see. {ABSTENTION}"
    for how, answer, shown, corrected in (
        ("live", written, written, verified), ("verified", written, verified, None), ("live", verified, verified, None),
        ("live", ABSTENTION, ABSTENTION, None), ("live", nothing, f"{nothing} \n\n{ABSTENTION}", ABSTENTION),
    ):  # fmt: skip
        generator, settings = ScriptedGenerator([answer]), {"stream": how}
        async with (
            running_api(asked, pool, tmp_path / "data", generator=generator, openai=settings) as api,
            client_of(api) as client,
        ):
            stream = await client.chat.completions.create(
                model="anchorage", messages=[user("Who made the Hôtel Tassel?")], stream=True
            )
            chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip() == shown
        assert chunks[-1].anchorage.get("answer") == corrected  # type: ignore[attr-defined]


async def test_a_new_attempt_is_shown_whole_after_what_was_sent(world: World) -> None:
    async def source() -> AsyncGenerator[Sequence[Event], None]:
        for kind, data in (("token", {"text": "Half of"}), ("reset", {}), ("token", {"text": "All of it."})):
            yield [Event(kind, 1, 1, 1, data)]
        yield [
            Event("answer", 4, 1, 2, {"answer": Answer("All of it.", False, (), (), "t", "m")}),
            Event("done", 5, 1, 2),
        ]

    asked = _AskedCompletion(build_chat(world.chat).chat, world.principal, "q", None, "m", None, (), None, {})
    sent = b"".join([frame async for frame in _stream_chunks(asked, [], source(), live=True, with_usage=False)])
    frames = sent.split(b"\n\n")[:-1]
    chunks = [json.loads(frame.removeprefix(b"data: ")) for frame in frames[:-1]]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "Half of\n\nAll of it." and frames[-1] == b"data: [DONE]"
    assert chunks[-1]["anchorage"]["answer"] == "All of it."


@pytest.mark.filterwarnings("ignore::fastapi.exceptions.FastAPIDeprecationWarning")
async def test_it_works_behind_a_prefix(asked: World, pool: Pool, tmp_path: Path) -> None:
    async with running_api(asked, pool, tmp_path / "data", http={"root_path": "/rag"}) as api:
        assert (await api.client.get("/v1/models")).json()["object"] == "list"
        assert (await api.client.get("/v1/models/x")).json()["error"]["code"] == "model_not_found"


async def test_an_answer_that_is_cut_short_for_one_client_is_not_kept_for_others(
    asked: World, pool: Pool, tmp_path: Path
) -> None:
    caching = Caching(PostgresAnswerCache(pool, ttl=60, max_entries=10), "f", None)
    world = replace(asked, chat=replace(asked.chat, caching=caching))
    generator = ScriptedGenerator(["Bread is", "Bread is made of flour and water [1]."])
    question = [user("What is bread made of?")]
    async with running_api(world, pool, tmp_path / "data", generator=generator) as api, client_of(api) as client:
        await client.chat.completions.create(
            model="anchorage", messages=question, max_tokens=2, metadata={"conversation_id": "c1"}
        )
        whole = await client.chat.completions.create(
            model="anchorage", messages=question, metadata={"conversation_id": "c2"}
        )
    assert whole.choices[0].message.content.startswith("Bread is made of flour and water")
