"""MCP over HTTP, by the official client against a real server."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from anchorage.adapters.postgres.pool import Pool

from .api import Api, ingest_documents, running_api
from .conftest import World


@pytest.fixture
async def api(world: World, pool: Pool, tmp_path: Path) -> AsyncIterator[Api]:
    await ingest_documents(world, tmp_path / "documents")
    async with running_api(world, pool, tmp_path / "data", mcp={"text_limit": 1000}) as running:
        yield running


@asynccontextmanager
async def client_of(api: Api, path: str = "/mcp", mode: str = "auto", who: str = "owner") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"x-who": who}, follow_redirects=False, timeout=30) as http,
        Client(streamable_http_client(f"{api.url}{path}", http_client=http), mode=mode) as client,
    ):
        yield client


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.mark.parametrize(("path", "mode"), [("/mcp", "auto"), ("/mcp/", "legacy")])
async def test_tools_and_resources(api: Api, path: str, mode: str) -> None:
    async with client_of(api, path, mode) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"search", "ask", "list_documents"}
        found = await client.call_tool("search", {"question": "What is bread made of?", "k": 1})
        assert not found.is_error
        (hit,) = found.structured_content["hits"]
        assert "flour" in hit["text"] and json.loads(found.content[0].text) == found.structured_content
        answer = (
            await client.call_tool("ask", {"question": "What is bread made of?", "collection": "c"})
        ).structured_content
        assert "flour and water. [1]" in answer["answer"] and "conversation_id" not in answer
        citation = answer["citations"][0]
        passage = f"anchorage://documents/{citation['document_id']}/text/{citation['start']}-{citation['end']}"
        (text,) = (await client.read_resource(passage)).contents
        assert text.text == citation["quote"] and text.meta["start"] == citation["start"]
        documents = (await client.call_tool("list_documents", {})).structured_content["documents"]
        resources = (await client.list_resources()).resources
        assert [item.uri for item in resources] == [
            f"anchorage://documents/{item['document_id']}" for item in documents
        ]
        whole = [(await client.read_resource(item.uri)).contents[0].text for item in resources]
        assert any(text.startswith("Bread is made of flour") for text in whole)
        templates = (await client.list_resource_templates()).resource_templates
        assert {item.name for item in templates} == {"document", "passage"}
    assert not await api.services.storage.memory.conversations(api.services.principal)


async def test_conversations_pages_and_long_texts(api: Api, world: World, tmp_path: Path) -> None:
    async with client_of(api) as client:
        for question in ("Who designed the Hôtel Tassel?", "and where has Victor Horta lived?"):
            result = await client.call_tool("ask", {"question": question, "conversation_id": "mcp-1"})
        assert "Saint-Gilles" in result.structured_content["answer"] and result.structured_content["message_id"]
        first = (await client.call_tool("list_documents", {"limit": 1})).structured_content
        second = (await client.call_tool("list_documents", {"limit": 1, "after": first["next"]})).structured_content
        assert first["documents"] != second["documents"] and second["next"] is None
        long = "All work and no play makes Jack a dull boy. " * 40
        assert (await api.client.post("/add_text", json={"text": long})).json() == "OK"
        listed = (await client.list_resources()).resources
        (uri,) = [item.uri for item in listed if (item.description or "").startswith("default")]
        start, rest = (await client.read_resource(uri)).contents
        assert len(start.text) == 1000 and start.meta["length"] == len(long.strip())
        (end,) = (await client.read_resource(rest.uri)).contents
        assert start.text + end.text == long.strip()


async def test_what_goes_wrong_is_told(api: Api) -> None:
    async with client_of(api) as client:
        for name, arguments, word in (
            ("search", {"question": " "}, "empty"), ("search", {}, "question"), ("search", {"question": "x", "k": 0}, "k:"),
            ("search", {"question": "x", "collection": "nosuch"}, "nosuch"), ("ask", {"question": "x" * 9000}, "8000"),
            ("ask", {"question": "x", "conversation_id": "a b"}, "conversation_id"), ("ask", {"question": 7}, "question"),
            ("list_documents", {"collection": "c", "what": 1}, "what"),
        ):  # fmt: skip
            result = await client.call_tool(name, arguments)
            assert result.is_error and word in result.content[0].text, (name, arguments)
        with pytest.raises(MCPError, match="There is no tool"):
            await client.call_tool("delete_everything", {})
        for uri in ("anchorage://documents/nosuch", "file:///etc/passwd", "anchorage://documents/x/text/9-1"):
            with pytest.raises(MCPError) as raised:
                await client.read_resource(uri)
            assert raised.value.code == -32602 and "Traceback" not in raised.value.message


async def test_the_principal_is_the_requests(api: Api) -> None:
    async with client_of(api) as client:
        await client.call_tool("ask", {"question": "What is bread made of?", "conversation_id": "mine"})
        uri = (await client.list_resources()).resources[0].uri
    async with client_of(api, who="other") as client:
        assert not (await client.list_resources()).resources
        assert not (await client.call_tool("list_documents", {})).structured_content["documents"]
        assert not (await client.call_tool("search", {"question": "bread"})).structured_content["hits"]
        assert (await client.call_tool("ask", {"question": "bread?", "conversation_id": "mine"})).is_error
        with pytest.raises(MCPError):
            await client.read_resource(uri)
    refused = await api.client.post("/mcp", json=rpc("tools/list"), headers={"x-who": "nobody"})
    assert refused.status_code == 403 and refused.json()["code"] == "not_allowed"


async def test_bad_requests(api: Api) -> None:
    accepts = {"accept": "application/json, text/event-stream"}
    for path in ("/mcp", "/mcp/"):
        for method in ("GET", "DELETE", "PUT"):
            response = await api.client.request(method, path, headers=accepts)
            assert response.status_code == 405 and response.headers["allow"] == "POST"
    listed = await api.client.post("/mcp", json=rpc("tools/list"), headers=accepts)
    assert listed.status_code == 200 and listed.headers["content-type"] == "application/json"
    for content, kind, status in (
        (b"{", "application/json", 400), (b"[]", "application/json", 400), (b'{"jsonrpc": "1.0"}', "application/json", 400),
        (b"{}", "text/plain", 400), (b" " * 10_000_000, "application/json", 413),
    ):  # fmt: skip
        response = await api.client.post("/mcp", content=content, headers={**accepts, "content-type": kind})
        assert response.status_code == status, (content[:20], response.text)
    stranger = await api.client.post("/mcp", json=rpc("tools/list"), headers={**accepts, "host": "evil.example"})
    assert stranger.status_code == 421 and "ANCHORAGE_HTTP__ALLOWED_HOSTS" in stranger.json()["detail"]


async def test_it_can_be_turned_off(world: World, pool: Pool, tmp_path: Path) -> None:
    async with running_api(world, pool, tmp_path / "data", mcp={"enabled": False}) as api:
        assert (await api.client.post("/mcp", json=rpc("tools/list"))).status_code == 404


async def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    for name in [name for name in sys.modules if name.startswith(("anchorage.faces.mcp.", "mcp."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    response = await api.client.post("/mcp", json=rpc("tools/list"))
    assert response.status_code == 500 and "extra `mcp`" in response.json()["detail"]
