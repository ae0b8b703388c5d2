"""The faces for other programs, on whole processes."""

import asyncio
import signal
from pathlib import Path

import httpx
import openai
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from anchorage.adapters.postgres.embedded.cluster import Cluster
from anchorage.adapters.postgres.embedded.supervisor import find_server_pid

from .conftest import ANCHORAGE, Cli, clean_environment, served, until


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("faces")
    (folder / "bread.txt").write_text("Bread is made of flour and water. It is baked in an oven.")
    cli = Cli(folder / "data")
    cli("ingest", str(folder / "bread.txt"))
    return cli


def test_mcp_on_stdio(cli: Cli) -> None:
    async def run() -> None:
        server = StdioServerParameters(
            command=ANCHORAGE, args=["mcp", "documents"], env=clean_environment(ANCHORAGE_DATA=str(cli.data))
        )
        async with Client(stdio_client(server)) as client:
            answer = (await client.call_tool("ask", {"question": "What is bread made of?"})).structured_content
            assert "flour and water" in answer["answer"]
            (resource,) = (await client.list_resources()).resources
            assert "baked in an oven" in (await client.read_resource(resource.uri)).contents[0].text

    asyncio.run(run())
    wrong = cli("mcp", "nosuch", code=2)
    assert "documents" in wrong.err and not wrong.out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_mcp_ends_by_a_signal_and_the_database_after_it(cli: Cli, number: signal.Signals) -> None:
    process = cli.start("mcp", "documents")
    until("the database to start", lambda: find_server_pid(Cluster(cli.data / "postgres")))
    process.send_signal(number)
    process.communicate(timeout=30)
    until("the database to end", lambda: find_server_pid(Cluster(cli.data / "postgres")) is None)


def test_clients_of_other_projects(cli: Cli, tmp_path: Path) -> None:
    with served(cli, "serve") as (client, _):
        until("the server to be ready", lambda: client.get("/readyz").status_code == 200)
        address = str(client.base_url)
        with openai.OpenAI(base_url=f"{address}/v1", api_key="any") as asking:
            done = asking.chat.completions.create(
                model="anchorage/default", messages=[{"role": "user", "content": "What is bread made of?"}],
                metadata={"conversation_id": "t1", "message_id": "m1"},
            )  # fmt: skip
        assert "flour and water" in (done.choices[0].message.content or "")
        assert client.post("/query", params={"q": "What is bread made of?"}).json()["answer"]
        assert client.post("/add_text", json={"text": "Beer is made of barley."}).json() == "OK"
        assert "barley" in client.post("/query", json={"text": "What is beer made of?"}).json()["response"]
        assert client.post("/api/feedback", json={"message_id": "m1", "rating": "up"}).status_code == 200

        async def over_mcp() -> None:
            async with Client(streamable_http_client(f"{address}/mcp")) as asking:
                assert (await asking.call_tool("search", {"question": "beer"})).structured_content["hits"]

        asyncio.run(over_mcp())
        host = {"host": "evil.example"}
        assert client.post("/mcp", json={}, headers=host).status_code == 421
        assert httpx.get(f"{address}/v1/models", headers={"origin": "http://evil.example"}).status_code == 200

    (item,) = cli("feedback", "list", "--json").json["feedback"]
    assert item["rating"] == "up" and "flour" in item["answer"]
    assert "up" in cli("feedback", "list").out
    assert "--rating" in cli("feedback", "list", "--rating", "sideways", code=2).err
    report = cli("feedback", "export", str(tmp_path / "set"), "--json").json
    assert report["queries"] == 1 and report["judged"] == 1
    figures = cli("eval", str(tmp_path / "set")).json
    assert figures["ndcg@10"] == 1 and figures["answer"]["containment"] == 1
    assert "not empty" in cli("feedback", "export", str(tmp_path / "set"), code=2).err
