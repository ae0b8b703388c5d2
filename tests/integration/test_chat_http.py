"""Chat over HTTP with a real model server: what goes wrong, who leaves, and what clients can do with conversations."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.model import Principal, Turn
from anchorage.settings import load_settings
from anchorage.telemetry import STREAMS
from anchorage.testing.model_server import Behaviour, ModelServer, model_server
from anchorage.testing.serving import serve_app
from anchorage.wiring.services import Services, open_services
from support.markdown import active

QUESTION = "When was the harbour of Ghent opened?"
ANSWER = "The harbour of Ghent was opened in 1827. [1]"


@dataclass
class Api:
    client: httpx.AsyncClient
    model: ModelServer
    services: Services

    async def chat(self, **body: Any) -> httpx.Response:
        return await self.client.post("/api/chat", json={"message": QUESTION, **body})

    async def events(self, **body: Any) -> list[dict[str, Any]]:
        return _events(await self.chat(stream=True, **body))

    async def quiet(self) -> None:
        await eventually(lambda: not self.services.streams._lives and self.model.active == 0)


def _events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "harbour.txt").write_text("The harbour of Ghent was opened in 1827. Ships came from Antwerp.")
    async with model_server() as model:
        settings = load_settings(
            data={"dir": tmp_path / "data"},
            database={"vector_url": database, "state_url": database},
            embedding={"provider": "openai", "model": "hashed", "dimension": 64},
            llm={"base_url": model.url, "model": "x", "retries": 1},
            ingest={"parsers": 1},
            stream={"grace": 0.3, "lease": 1},
            answer={"history_turns": 2, "history_tokens": 1000},
        )
        async with open_services(settings) as services:
            source = LocalSource(tmp_path / "harbour.txt", max_bytes=10**6)
            found = [
                item.status.value
                async for item in services.ingest.ingester_for(services.principal).ingest_source("c", source)
            ]
            assert found == ["indexed"]
            state = ProcessState(services, None)
            async with (
                serve_app(create_app(settings.http, state)) as address,
                httpx.AsyncClient(base_url=address, timeout=30) as client,
            ):
                yield Api(client, model, services)


async def test_what_model_servers_do(api: Api) -> None:
    """Each failure has a clear outcome, whole and streamed; what is temporary is tried again."""
    for behaviour, status, code in (
        (Behaviour(fault="cut", pieces=3), 503, "model_unavailable"),
        (Behaviour(error_event="out of memory", pieces=2), 503, "model_unavailable"),
        (Behaviour(fault="html"), 502, "model_error"),
        (Behaviour(fault="nonsense"), 502, "model_error"),
        (Behaviour(status=401, message="no such key"), 502, "model_error"),
        (Behaviour(status=404, message="no such model"), 502, "model_error"),
        (Behaviour(status=429, retry_after="3600"), 503, "model_unavailable"),
    ):
        embedding = Behaviour()
        api.model.script(embedding, behaviour)
        whole = await api.chat()
        assert (whole.status_code, whole.json()["code"]) == (status, code), behaviour
        api.model.script(embedding, behaviour)
        streamed = await api.events()
        assert [event["type"] for event in streamed[-2:]] == ["error", "done"] and streamed[-2]["code"] == code, (
            behaviour
        )
    for slow in (Behaviour(status=429), Behaviour(status=429, retry_after="0.01"), Behaviour(status=500)):
        api.model.script(Behaviour(), slow)
        assert (await api.chat()).json()["answer"] == ANSWER
        api.model.script(Behaviour(), slow)
        assert (await api.events())[-2]["answer"] == ANSWER
    assert not (await api.client.get("/api/conversations?limit=1000")).json()["conversations"][6:]
    await api.quiet()


async def test_a_wait_that_the_model_server_asks_for_is_told(api: Api) -> None:
    api.model.script(Behaviour(), Behaviour(status=429, retry_after="3600"))
    told = await api.chat()
    assert told.headers["retry-after"] == "3600" and "in 3600 s" in told.json()["detail"]
    api.model.script(Behaviour(), Behaviour(fault="cut", pieces=3))
    assert (await api.chat()).headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", r'{"message": "harbour", "collection": "\ud800"}'),
        ("/api/chat", r'{"message": "harbour", "conversation_id": "c", "instead_of": "\ud800"}'),
        ("/api/chat", r'{"message": "\ud800"}'),
        ("/api/search", r'{"question": "harbour", "collection": "\ud800"}'),
        ("/api/search", r'{"question": "harbour", "collection": "a\u0000"}'),
        ("/api/search", "[" * 5000),
        ("/api/search", b'{"question": "\xff"}'),
    ],
)
async def test_what_is_no_text_is_refused_with_words(api: Api, path: str, body: str | bytes) -> None:
    for _ in range(2):
        answer = await api.client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["code"] in ("bad_request", "invalid_request") and len(answer.json()["detail"]) > 40


async def test_a_table_of_links_is_an_answer(api: Api) -> None:
    table = "| town | page |\n|---|---|\n| Ghent | https://ghent.example/harbour |"
    api.model.script(Behaviour(), Behaviour(answer=f"{ANSWER}\n\n{table}"))
    found = (await api.chat()).json()
    assert not found["abstained"] and "| Ghent | `https://ghent.example/harbour`" in found["answer"]


async def test_an_answer_that_broke_off_can_be_asked_for_again(api: Api) -> None:
    ids = {"conversation_id": "c", "message_id": "m"}
    api.model.script(Behaviour(), Behaviour(fault="cut", pieces=3))
    broken = await api.events(**ids)
    assert broken[-2]["temporary"]
    again = await api.events(**ids)
    assert again[0]["type"] == "reset" and again[0]["n"] == broken[-1]["n"] + 1 and again[-2]["answer"] == ANSWER
    assert (await api.chat(**ids)).json()["answer"] == ANSWER
    assert [turn["message_id"] for turn in (await api.client.get("/api/conversations/c")).json()["turns"]] == ["m"]


async def test_a_repeated_post_from_two_clients(api: Api) -> None:
    api.model.behaviour = Behaviour(token_delay=0.02)
    ids = {"conversation_id": "c", "message_id": "m"}
    first, second = await asyncio.gather(api.events(**ids), api.events(**ids))
    assert first == second and first[-2]["answer"] == ANSWER and api.model.count() == 1
    assert await api.events(**ids) == first
    after = await api.client.post(
        "/api/chat", json={"message": QUESTION, "stream": True, **ids}, headers={"Last-Event-ID": "2"}
    )
    assert _events(after) == first[2:]


async def test_resuming(api: Api) -> None:
    found = await api.events(conversation_id="c")
    last = found[-1]["n"]

    async def get(query: str = "", **headers: str) -> httpx.Response:
        return await api.client.get(f"/api/chat/c/events{query}", headers=headers)

    assert _events(await get()) == _events(await get("?after=0")) == found
    assert _events(await get(**{"Last-Event-ID": "2"})) == _events(await get("?after=2")) == found[2:]
    nothing = await get(f"?after={last}")
    assert nothing.status_code == 204 and not nothing.content
    assert (await get(f"?after={last + 1}")).json()["code"] == "bad_request"
    assert (await get(f"?after={10**30}")).status_code == 422 and (await get("?after=-1")).status_code == 422
    for absurd in ("-1", "x", "9" * 30, "²"):
        refused = await api.client.get("/api/chat/c/events", headers={"Last-Event-ID": absurd.encode("latin-1")})
        assert refused.status_code == 400
    assert (await api.client.get("/api/chat/nosuch/events")).status_code == 404


async def test_clients_that_leave(api: Api) -> None:
    api.model.script(Behaviour(), Behaviour(first_delay=30))
    asking = asyncio.create_task(api.chat())
    await api.model.until(lambda model: model.count() == 1)
    asking.cancel()
    await api.model.until(lambda model: model.disconnects == 1)  # at once
    api.model.behaviour = Behaviour(token_delay=0.5)
    async with api.client.stream("POST", "/api/chat", json={"message": QUESTION, "stream": True}) as response:
        async for line in response.aiter_lines():
            if "token" in line:
                break
    await api.model.until(lambda model: model.disconnects == 2)  # after the grace
    await api.quiet()
    await eventually(lambda: STREAMS._value.get() == 0)


async def test_stopping(api: Api) -> None:
    api.model.behaviour = Behaviour(answer="One two three four five six seven eight [1].", token_delay=0.1)
    streaming = asyncio.create_task(api.events(conversation_id="c"))
    await api.model.until(lambda model: model.count() == 1)
    while True:
        shown = (await api.client.get("/api/chat/nosuch/events")).status_code == 404
        state = await api.services.storage.stream_log.state(api.services.principal, "c")
        if shown and state and state.last_n >= 3:
            break
    stopped = await api.client.post("/api/chat/c/stop")
    assert stopped.status_code == 202 and stopped.json()["stopping"]
    found = await streaming
    assert found[-2]["type"] == "answer" and found[-2]["stopped"] and found[-2]["answer"].startswith("One")
    assert (await api.client.get("/api/conversations/c")).json()["turns"][0]["stopped"]
    assert (await api.client.post("/api/chat/c/stop")).json() == {"stopping": False, "message_id": None}


async def test_strangers_and_giants(api: Api) -> None:
    turn = Turn(0, "m", "A secret?", "A secret.")
    await api.services.storage.memory.append(Principal("somebody"), "theirs", turn)
    for path, method in (
        ("/api/conversations/theirs", "GET"), ("/api/conversations/theirs", "DELETE"), ("/api/chat/theirs/events", "GET"),
        ("/api/conversations/theirs/export", "GET"), ("/api/chat/theirs/stop", "POST"),
    ):  # fmt: skip
        assert (await api.client.request(method, path)).status_code == 404, path
    assert (await api.client.patch("/api/conversations/theirs", json={"title": "mine"})).status_code == 404
    for stream in (False, True):
        for more in ({}, {"message_id": "m"}, {"instead_of": "m"}, {"parent_message_id": "m"}):
            refused = await api.chat(conversation_id="theirs", stream=stream, **more)
            assert refused.status_code == 404 and "secret" not in refused.text
        giant = await api.client.post("/api/chat", json={"message": "x" * 10 * 1024**2, "stream": stream})
        assert giant.status_code == 413
        for wrong in ({"message": None}, {"instead_of": "a", "parent_message_id": "b"}):
            assert (await api.chat(conversation_id="c", stream=stream, **wrong)).status_code == 422
        assert (await api.chat(instead_of="m", stream=stream)).status_code == 400
        assert (await api.chat(conversation_id="new", instead_of="m", stream=stream)).status_code == 404
    assert api.model.count() == 0


async def test_branches_and_exports(api: Api) -> None:
    await api.chat(conversation_id="c", message_id="m1")
    await api.chat(conversation_id="c", message_id="m2", message="Where did ships come from to Ghent?")
    again = await api.client.post(
        "/api/chat", json={"conversation_id": "c", "message_id": "m3", "instead_of": "m2", "stream": True}
    )
    assert _events(again)[-1]["type"] == "done"
    shown = (await api.client.get("/api/conversations/c")).json()
    assert [(turn["message_id"], turn["siblings"]) for turn in shown["turns"]] == [("m1", ["m1"]), ("m3", ["m2", "m3"])]
    assert shown["turns"][1]["question"] == "Where did ships come from to Ghent?"
    changed = await api.client.patch("/api/conversations/c", json={"title": "Ghent", "branch": "m2"})
    assert changed.json()["title"] == "Ghent"
    assert [turn["message_id"] for turn in (await api.client.get("/api/conversations/c")).json()["turns"]] == [
        "m1",
        "m2",
    ]
    whole = (await api.client.get("/api/conversations/c/export")).json()
    assert [item["message_id"] for item in whole["messages"]] == ["m1", "m2", "m3"] and whole["title"] == "Ghent"
    text = await api.client.get("/api/conversations/c/export?format=md")
    assert text.headers["content-type"].startswith("text/markdown") and text.text.startswith("# Ghent\n\n## When was")
    assert "“The harbour of Ghent was opened in 1827.”" in text.text and "m3" not in text.text
    assert (await api.client.get("/api/conversations/c/export?format=pdf")).status_code == 422
    assert (await api.client.patch("/api/conversations/c", json={"branch": "nosuch"})).status_code == 404
    assert (await api.client.patch("/api/conversations/c", json={"title": ""})).status_code == 422


async def test_a_question_is_not_active_in_an_export(api: Api) -> None:
    hostile = "![x](https://evil.example/a.png) <img src=x onerror=alert(1)> see https://evil.example\n\n[1]: https://evil.example"
    await api.chat(conversation_id="h", message_id="m", message=hostile)
    text = (await api.client.get("/api/conversations/h/export?format=md")).text
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(headings) == 2 and all("evil.example" in line and not active(line) for line in headings)
    assert "\n[1]:" not in text


async def test_a_long_thread_is_summarised_in_the_background(api: Api) -> None:
    """The window holds two turns; what leaves it is in the summary, which the next prompts begin with."""

    def answer(messages: Any) -> str:
        return "They spoke of Ghent." if "running summary" in messages[0]["content"] else "It was opened in 1827 [1]."

    api.model.behaviour = Behaviour(answer=answer)
    for number in range(6):
        assert (
            await api.chat(conversation_id="c", message=f"When was the harbour number {number} of Ghent opened?")
        ).is_success
        assert api.services.asking.summaries
        await api.services.asking.summaries.settle(10)
    last = api.model.bodies()[-1 if "running summary" not in str(api.model.bodies()[-1]) else -2]["messages"]
    assert last[1]["content"] == "What have we talked about before this?"
    assert last[2]["content"] == "They spoke of Ghent." and len(last) <= 2 + 2 + 2 * 2
    asked = [body for body in api.model.bodies() if "running summary" in body["messages"][0]["content"]]
    ledger, today = api.services.storage.ledger, datetime.now(UTC).date()

    async def counted() -> int:
        rows = await ledger.rows(today - timedelta(days=1))
        return sum(row.requests for row in rows if row.model != api.services.models.embedder.spec.name)

    async with asyncio.timeout(20):
        while await counted() != len(api.model.bodies()):  # summaries are paid for too
            await asyncio.sleep(0.05)
    assert "Summary so far: They spoke of Ghent." in asked[-1]["messages"][1]["content"]
    recount = (await api.chat(conversation_id="c", message="What have I asked so far?")).json()["answer"]
    assert "6. When was the harbour number 5" in recount and "1. When was the harbour number 0" in recount
    assert (await api.client.delete("/api/conversations/c")).status_code == 204
