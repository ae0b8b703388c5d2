"""The classic APIs, feedback, and what keeps strangers' pages out, over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from anchorage.adapters.postgres.feedback import PostgresFeedback
from anchorage.adapters.postgres.pool import Pool
from anchorage.errors import BadRequest
from anchorage.evaluation.dataset import read_corpus, read_dataset
from anchorage.evaluation.feedback import export_feedback
from anchorage.testing.fakes import ScriptedGenerator

from .api import OTHER, Api, ingest_documents, running_api
from .conftest import World


@pytest.fixture
async def api(world: World, pool: Pool, tmp_path: Path) -> AsyncIterator[Api]:
    async with running_api(world, pool, tmp_path / "data") as running:
        yield running


def problem(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text


async def test_the_classic_apis(api: Api) -> None:
    client = api.client
    text = "The lighthouse of Ostend was lit in 1860."
    assert (await client.post("/add_text", json={"text": text})).json() == "OK"
    answer = (await client.post("/query", params={"q": "When was the lighthouse of Ostend lit?"})).json()
    assert set(answer) == {"answer"} and "1860" in answer["answer"]
    answer = (await client.post("/query", json={"text": "When was the lighthouse of Ostend lit?"})).json()
    assert set(answer) == {"response", "context"} and "1860" in answer["response"] and text in answer["context"]
    assert (await client.post("/add_text", json={"text": text})).json() == "OK"
    many = [f"Ship number {number} carries cargo {number}." for number in range(12)]
    done = await asyncio.gather(*(client.post("/add_text", json={"text": item}) for item in many))
    assert {response.json() for response in done} == {"OK"}
    documents = (await client.get("/api/documents", params={"collection": "default"})).json()["documents"]
    assert len(documents) == 13 and {item["status"] for item in documents} == {"indexed"}
    assert not (await client.get("/api/conversations")).json()["conversations"]
    other = (await client.post("/query", json={"text": "When was it lit?"}, headers={"x-who": "other"})).json()
    assert other["context"] == []
    problem(await client.post("/add_text", json={"text": "mine"}, headers={"x-who": "other"}), 403, "not_allowed")


async def test_what_the_classic_apis_refuse(api: Api) -> None:
    client = api.client
    problem(await client.post("/query"), 400, "bad_request")
    problem(await client.post("/query", params={"q": " "}), 400, "bad_request")
    problem(await client.post("/query", json={"text": "x" * 9000}), 413, "too_large")
    problem(await client.post("/query", json={"question": "x"}), 422, "invalid_request")
    problem(await client.post("/query", json={"text": 7}), 422, "invalid_request")
    problem(await client.get("/query", params={"q": "x"}), 405, "method_not_allowed")
    problem(await client.post("/add_text", json={"text": " \n"}), 400, "bad_request")
    problem(await client.post("/add_text", json={"text": "x" * 10_000_000}), 413, "too_large")
    problem(
        await client.post("/add_text", content=b"{", headers={"content-type": "application/json"}),
        422,
        "invalid_request",
    )
    half = b'{"text": "A half character \\ud800 and a zero \\u0000 byte."}'
    done = await client.post("/add_text", content=half, headers={"content-type": "application/json"})
    assert done.status_code == 200, done.text


async def ask(api: Api, question: str, conversation: str, message: str, **headers: str) -> dict[str, Any]:
    body = {"message": question, "conversation_id": conversation, "message_id": message}
    response = await api.client.post("/api/chat", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_feedback(world: World, pool: Pool, tmp_path: Path) -> None:
    await ingest_documents(world, tmp_path / "documents")
    generator = ScriptedGenerator(["Flour and water [1].", "Horta [1].", "Nobody knows."])
    async with running_api(world, pool, tmp_path / "data", generator=generator) as api:
        client = api.client
        await ask(api, "What is bread made of?", "t1", "m1", **{"x-request-id": "req-1"})
        await ask(api, "Who designed the Hôtel Tassel?", "t1", "m2")
        await ask(api, "What is bread?", "t2", "m1")
        problem(await client.post("/api/feedback", json={"message_id": "m1", "rating": "up"}), 409, "conflict")
        good = {"message_id": "m1", "conversation_id": "t1", "rating": "up", "comment": " good\x00 "}
        rated = await client.post("/api/feedback", json=good)
        kept = rated.json()
        assert kept["rating"] == "up" and kept["comment"] == "good" and kept["question"] == "What is bread made of?"
        assert kept["answer"] == "Flour and water [1]." and kept["citations"][0]["quote"].startswith("Bread is made")
        trace = kept["trace"]
        assert trace["request_id"] == "req-1" and trace["usage"]["model"] == "scripted" and len(trace["settings"]) == 12
        assert trace["hits"][0][0] == kept["citations"][0]["document_id"]
        again = {"message_id": "m2", "rating": -1}
        assert (await client.post("/api/feedback", json=again)).json()["rating"] == "down"
        assert (await client.post("/api/feedback", json={**again, "rating": 1})).json()["rating"] == "up"
        await client.post("/api/feedback", json={"message_id": "m1", "conversation_id": "t2", "rating": "down"})
        listed = (await client.get("/api/feedback")).json()["feedback"]
        assert [(item["conversation_id"], item["message_id"]) for item in listed] == [
            ("t2", "m1"),
            ("t1", "m2"),
            ("t1", "m1"),
        ]
        pages, after = [], None
        while True:
            page = (
                await client.get("/api/feedback", params={"limit": 1, **({"after": after} if after else {})})
            ).json()
            pages += page["feedback"]
            if (after := page["next"]) is None:
                break
        assert pages == listed
        # A rating that is taken back or given again between two pages: the place stays where it was.
        page = (await client.get("/api/feedback", params={"limit": 1})).json()
        seen = {"message_id": "m1", "conversation_id": "t2", "rating": "down"}
        rest = {"params": {"limit": 5, "after": page["next"]}}
        await client.delete("/api/feedback/m1", params={"conversation_id": "t2"})
        assert (await client.get("/api/feedback", **rest)).json()["feedback"] == listed[1:]
        await client.post("/api/feedback", json=seen)
        assert (await client.get("/api/feedback", **rest)).json()["feedback"] == listed[1:]
        problem(await client.get("/api/feedback", params={"after": f"{'9' * 40}/a/b"}), 400, "bad_request")
        assert len((await client.get("/api/feedback", params={"rating": "up"})).json()["feedback"]) == 2

        other = {"x-who": "other"}
        assert not (await client.get("/api/feedback", headers=other)).json()["feedback"]
        problem(await client.post("/api/feedback", json=again, headers=other), 404, "not_found")
        problem(await client.delete("/api/feedback/m2", headers=other), 404, "not_found")
        for wrong in (
            {"rating": "up"},
            {"message_id": "m1", "rating": 5},
            {"message_id": "m1"},
            {"message_id": "", "rating": "up"},
        ):
            problem(await client.post("/api/feedback", json=wrong), 422, "invalid_request")
        problem(await client.post("/api/feedback", json={**again, "comment": "x" * 5000}), 413, "too_large")
        problem(await client.post("/api/feedback", json={"message_id": "nosuch", "rating": "up"}), 404, "not_found")
        problem(await client.get("/api/feedback", params={"after": "x"}), 400, "bad_request")

        services = api.services
        report = await export_feedback(
            services.storage.feedback, services.storage.catalog, services.principal, tmp_path / "set"
        )
        assert report == {"queries": 3, "judged": 2, "documents": 2}
        dataset = read_dataset(tmp_path / "set")
        first = next(query for query in dataset.queries if query.text == "What is bread made of?")
        assert list(first.relevant) == [kept["citations"][0]["document_id"]]
        assert list(first.answers) == ["Bread is made of flour and water."]
        corpus = {document: text for document, _, text in read_corpus(dataset.corpus)}
        assert set(first.relevant) <= set(corpus) and "flour" in corpus[next(iter(first.relevant))]
        with pytest.raises(BadRequest, match="not empty"):
            await export_feedback(
                services.storage.feedback, services.storage.catalog, services.principal, tmp_path / "set"
            )
        with pytest.raises(BadRequest, match="no rated answers"):
            await export_feedback(services.storage.feedback, services.storage.catalog, OTHER, tmp_path / "none")

        assert (await client.delete("/api/feedback/m2")).status_code == 204
        assert (await client.delete("/api/conversations/t1")).status_code == 204
        assert len((await client.get("/api/feedback")).json()["feedback"]) == 1
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM anchorage.feedback WHERE conversation_id = 't1'")
            assert await cursor.fetchone() == (0,)


async def test_an_export_misses_no_rating_that_is_given_again_meanwhile(
    world: World, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anchorage.evaluation.feedback._PAGE", 2)
    async with running_api(world, pool, tmp_path / "data") as api:
        store, owner = api.services.storage.feedback, api.services.principal
        for number in range(5):
            await ask(api, "What is bread made of?", "t", f"m{number}")
            await store.rate(owner, f"m{number}", 1, "")

        class Rerating(PostgresFeedback):
            rerated = False

            async def ratings(self, *args: Any, **more: Any) -> Any:
                page = await super().ratings(*args, **more)
                if not self.rerated:
                    self.rerated = True
                    for message in ("m0", "m4"):  # one at either end
                        await self.withdraw(owner, message)
                        await self.rate(owner, message, -1, "again")
                return page

        report = await export_feedback(Rerating(pool), api.services.storage.catalog, owner, tmp_path / "set")
        assert report["queries"] == 5
        lines = [json.loads(line) for line in (tmp_path / "set/queries.jsonl").read_text().splitlines()]
        assert {line["_id"]: line["comment"] for line in lines} == {
            "t/m4": "again", "t/m0": "again", "t/m1": "", "t/m2": "", "t/m3": "",
        }  # fmt: skip


async def test_pages_of_strangers_are_kept_out(world: World, pool: Pool, tmp_path: Path) -> None:
    http = {"cors_origins": "https://ui.example.org"}
    async with running_api(world, pool, tmp_path / "data", http=http) as api:
        client = api.client
        body: dict[str, Any] = {"json": {"text": "planted"}}
        problem(await client.post("/add_text", headers={"host": "evil.example"}, **body), 421, "unknown_host")
        problem(await client.post("/add_text", headers={"origin": "https://evil.example"}, **body), 403, "cross_origin")
        problem(
            await client.delete("/api/conversations", headers={"sec-fetch-site": "cross-site"}), 403, "cross_origin"
        )
        refused = await client.post("/v1/chat/completions", json={}, headers={"origin": "https://evil.example"})
        assert refused.status_code == 403 and refused.json()["error"]["type"] == "permission_error"
        assert not (await client.get("/api/documents")).json()["documents"]
        allowed = await client.post("/query", params={"q": "x"}, headers={"origin": "https://ui.example.org"})
        assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == "https://ui.example.org"
        assert (await client.post("/query", params={"q": "x"}, headers={"origin": api.url})).status_code == 200
        assert (await client.get("/livez", headers={"host": "pod"})).status_code == 200
