"""The direct routes answer as the generic path does, and leave to it what is not plain."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from anchorage.adapters.postgres.pool import Pool
from anchorage.faces.http import direct

from .api import Api, ingest_documents, running_api
from .conftest import World

BODY = {"message": "What is bread made of?", "conversation_id": "c"}
COMPLETION = {"model": "anchorage", "messages": [{"role": "user", "content": "What is bread made of?"}]}
HEADERS = {"content-type": "application/json"}


@pytest.fixture
async def api(world: World, pool: Pool, tmp_path: Path) -> AsyncIterator[Api]:
    await ingest_documents(world, tmp_path / "documents")
    async with running_api(world, pool, tmp_path / "data") as running:
        yield running


@pytest.fixture(params=["/api/chat", "/v1/chat/completions"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def both(api: Api, path: str, content: bytes, headers: Mapping[str, str], monkeypatch: Any) -> list[Any]:
    """The status and the body of the direct and of the generic answer, but what is another each time."""
    found = []
    for way in ("direct", "generic"):
        with monkeypatch.context() as patch:
            if way == "generic":
                patch.setattr(direct, "_is_json", lambda scope: False)
            reply = await api.client.post(path, content=content, headers=dict(headers))
        body = reply.json()
        body.pop("request_id", None)
        found.append((reply.status_code, reply.headers["content-type"], body))
    return found


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'{"message": 1}', b'{"message": ""}', b'{"messages": []}', b"\xff\xfe", b'{"message": "x", "nosuch": 1}',
        b'{"model": "nosuch", "messages": [{"role": "user", "content": "x"}]}', b"[" * 20_000,
        json.dumps({"message": "x", "conversation_id": "no good"}).encode(),
    ],
)  # fmt: skip
async def test_what_is_refused_is_refused_alike(
    api: Api, path: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await both(api, path, content, HEADERS, monkeypatch)
    assert one == other and one[0] >= 400


async def test_an_answer_is_the_same(api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps(BODY if path == "/api/chat" else COMPLETION).encode()
    answers = []
    for status, kind, body in await both(api, path, content, HEADERS, monkeypatch):
        assert status == 200 and kind == "application/json"
        answers.append(body["answer"] if path == "/api/chat" else body["choices"][0]["message"]["content"])
    assert answers[0] == answers[1]


async def test_it_is_counted_by_its_route(api: Api, path: str) -> None:
    content = json.dumps(BODY if path == "/api/chat" else COMPLETION).encode()
    assert (await api.client.post(path, content=content, headers=HEADERS)).is_success
    metrics = (await api.client.get("/metrics")).text
    assert f'anchorage_http_requests_total{{method="POST",route="{path}",status="200"}}' in metrics


@pytest.mark.parametrize(
    "kinds", [["application/jsonl"], ["application/jsonp"], ["text/plain", "application/json"], ["text/plain"]]
)
async def test_other_content_types_go_the_generic_path(api: Api, path: str, kinds: list[str]) -> None:
    content = json.dumps(BODY if path == "/api/chat" else COMPLETION).encode()
    reply = await api.client.post(path, content=content, headers=[("content-type", kind) for kind in kinds])
    assert reply.status_code in (400, 422)
    plain = await api.client.post(path, content=content, headers={"content-type": "Application/JSON ; charset=utf-8"})
    assert plain.is_success


async def test_an_http_exception_keeps_its_status(api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(headers: object) -> None:
        raise HTTPException(401, "Sign in.", {"www-authenticate": "Bearer"})

    services = replace(api.services, principals=refuse)
    monkeypatch.setattr(api.state, "services", services)
    content = json.dumps(BODY if path == "/api/chat" else COMPLETION).encode()
    reply = await api.client.post(path, content=content, headers=HEADERS)
    assert reply.status_code == 401 and reply.headers["www-authenticate"] == "Bearer" and "Sign in." in reply.text
    assert "x-request-id" in reply.headers
