"""`up` and `serve` over HTTP."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from anchorage.adapters.postgres.embedded.cluster import Cluster
from anchorage.adapters.postgres.embedded.supervisor import find_server_pid

from .conftest import Cli, served, until


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[tuple[httpx.Client, Cli]]":
    cli = Cli(tmp_path_factory.mktemp("up") / "data")
    limits = {
        "ANCHORAGE_HTTP__SSE_HEARTBEAT": "0.05",
        "ANCHORAGE_INGEST__MAX_FILE_BYTES": "100000",
        "ANCHORAGE_HTTP__MAX_UPLOAD_BYTES": "300000",
    }
    with served(cli, "up", **limits) as (client, process):
        yield client, cli
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert find_server_pid(Cluster(cli.data / "postgres")) is None


@pytest.fixture
def client(up: tuple[httpx.Client, Cli]) -> httpx.Client:
    return up[0]


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:anchorage:problem:{code}" and body["detail"] and body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def upload(client: httpx.Client, name: str, content: bytes, collection: str = "up") -> str:
    response = client.post("/api/documents", files=[("files", (name, content))], data={"collection": collection})
    assert response.status_code == 202, response.text
    (job_id,) = response.json()["job_ids"]
    job = until(
        "the upload to be ingested",
        lambda: (found := client.get(f"/api/jobs/{job_id}").json())["status"] in ("done", "failed") and found,
    )
    return str(job["document_id"])


def test_it_is_ready_with_its_own_documentation(client: httpx.Client) -> None:
    for path in ("/livez", "/startupz", "/readyz"):
        assert client.get(path).status_code == 200
    for path in ("/health", "/api/health"):
        body = client.get(path).json()
        assert body["status"] == "healthy" and body["vector_db"] == body["state_db"] == "connected"
        assert body["openai_api"] == "not_configured" and body["timestamp"]
    answer = client.post(
        "/api/chat", json={"message": "Which file holds the password of the embedded Postgres?"}
    ).json()
    assert not answer["abstained"] and answer["citations"]
    assert {hit["collection"] for hit in answer["hits"]} == {"anchorage-docs"}


def test_docs_need_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "http://" not in page and "https://" not in page
    assert client.get("/static-offline-docs/swagger-ui-bundle.js").status_code == 200
    assert "/api/chat" in client.get("/openapi.json").json()["paths"]


def test_upload_show_search_download_delete(client: httpx.Client) -> None:
    content = "The harbour of Ghent was opened in 1827 — by the king.".encode()
    document_id = upload(client, "härbour notes.txt", content)
    shown = client.get(f"/api/documents/{document_id}").json()
    assert shown["status"] == "indexed" and shown["text"] == content.decode() and shown["collection"] == "up"
    hits = client.post("/api/search", json={"question": "harbour of Ghent", "collection": "up", "k": 1}).json()["hits"]
    assert hits[0]["document_id"] == document_id
    raw = client.get(f"/api/documents/{document_id}/content")
    assert raw.content == content and raw.headers["content-disposition"].startswith("attachment")
    assert client.get(f"/api/documents/{document_id}/content?format=text").text == content.decode()
    assert document_id in {
        item["document_id"] for item in client.get("/api/documents?collection=up").json()["documents"]
    }
    assert client.delete(f"/api/documents/{document_id}").status_code == 204
    problem(client.get(f"/api/documents/{document_id}"), 404, "not_found")
    problem(client.delete(f"/api/documents/{document_id}"), 404, "not_found")
    assert not client.post("/api/search", json={"question": "harbour of Ghent", "collection": "up"}).json()["hits"]


def test_a_bad_upload_fails_with_its_reason(client: httpx.Client) -> None:
    document_id = upload(client, "bad.pdf", b"no pdf at all")
    shown = client.get(f"/api/documents/{document_id}").json()
    assert shown["status"] == "failed" and shown["error"]["code"] == "corrupt"
    problem(client.get(f"/api/documents/{document_id}/content"), 404, "not_found")


def test_uploads_are_limited(client: httpx.Client) -> None:
    problem(client.post("/api/documents", files=[("files", ("a.txt", b"x" * 150_000))]), 413, "too_large")
    problem(
        client.post("/api/documents", files=[("files", (f"{n}.txt", b"x" * 90_000)) for n in range(5)]),
        413,
        "too_large",
    )

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
        for _ in range(2000):
            yield b"x" * 1000

    chunked = {"content-type": "multipart/form-data; boundary=b"}
    problem(client.post("/api/documents", content=endless(), headers=chunked), 413, "too_large")
    problem(client.post("/api/documents", files=[("other", ("a.txt", b"x"))]), 400, "bad_request")
    problem(client.post("/api/documents", files=[("files", ("..", b"x"))]), 400, "bad_request")
    problem(client.post("/api/chat", json={"message": "x" * 2_000_000}), 413, "too_large")
    problem(client.post("/api/chat", content=endless(), headers={"content-type": "application/json"}), 413, "too_large")


def events(client: httpx.Client, **body: Any) -> list[tuple[str, dict[str, Any]]]:
    found = []
    with client.stream("POST", "/api/chat", json={"stream": True, **body}) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def test_chat_streams_and_remembers(client: httpx.Client) -> None:
    document_id = upload(
        client, "horta.txt", b"Victor Horta designed the Tassel house. Victor Horta lived in Saint-Gilles."
    )
    found = events(
        client, message="Who designed the Tassel house?", conversation_id="thread-1", message_id="m-1", collection="up"
    )
    assert [name for name, _ in found] == ["start", "hits", "token", "answer", "done"]
    assert [data["n"] for _, data in found] == [1, 2, 3, 4, 5]
    answer = found[3][1]
    assert answer["conversation_id"] == "thread-1" and answer["message_id"] == "m-1" and "Horta" in answer["answer"]
    again = client.post(
        "/api/chat", json={"message": "Who designed the Tassel house?", "session_id": "thread-1", "message_id": "m-1"}
    ).json()
    assert again["answer"] == answer["answer"]
    follow = client.post(
        "/api/chat", json={"message": "and where did he live?", "session_id": "thread-1", "collection": "up"}
    ).json()
    assert "Saint-Gilles" in follow["answer"]
    turns = client.get("/api/conversations/thread-1").json()["turns"]
    assert [turn["number"] for turn in turns] == [1, 2] and turns[0]["citations"][0]["document_id"] == document_id
    assert "thread-1" in {item["id"] for item in client.get("/api/conversations").json()["conversations"]}
    assert client.delete("/api/conversations/thread-1").status_code == 204
    problem(client.get("/api/conversations/thread-1"), 404, "not_found")


@pytest.mark.parametrize("stream", [False, True])
def test_bad_questions_are_problems(client: httpx.Client, stream: bool) -> None:
    def chat(**body: Any) -> httpx.Response:
        return client.post("/api/chat", json={"stream": stream, **body})

    problem(chat(message=" "), 400, "bad_request")
    problem(chat(message="x" * 100_000), 413, "too_large")
    problem(chat(message="x", conversation_id="a b"), 400, "bad_request")
    problem(chat(), 422, "invalid_request")
    problem(
        client.post("/api/chat", content=b"{", headers={"content-type": "application/json"}), 422, "invalid_request"
    )
    if not stream:
        problem(chat(message="x", collection="nosuch"), 404, "not_found")
    else:
        assert events(client, message="x", collection="nosuch")[-2][1]["code"] == "not_found"
    problem(client.post("/api/search", json={"question": "x", "k": 0}), 422, "invalid_request")
    problem(client.get("/nosuch"), 404, "not_found")
    problem(client.put("/api/chat"), 405, "method_not_allowed")
    problem(client.get("/api/documents/nonsense"), 404, "not_found")
    problem(client.get("/api/jobs/nonsense"), 404, "not_found")


def test_request_ids_and_metrics(client: httpx.Client) -> None:
    assert client.get("/livez", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get("/livez", headers={"x-request-id": "bad id"}).headers["x-request-id"] != "bad id"
    # No server takes that in a header.
    assert client.get("/livez", headers={"x-request-id": "bad\x7f"}).status_code == 400
    text = client.get("/metrics").text
    assert 'anchorage_http_requests_total{method="GET",route="/livez",status="200"}' in text
    assert "\nanchorage_inflight_streams 0.0\n" in text and "\nanchorage_queue_oldest_seconds 0.0\n" in text


def test_many_at_once_and_the_command_line_beside_it(up: tuple[httpx.Client, Cli]) -> None:
    client, cli = up
    with ThreadPoolExecutor(12) as threads:
        searches = [
            threads.submit(client.post, "/api/search", json={"question": f"data directory {n}"}) for n in range(40)
        ]
        beside = threads.submit(cli, "search", "data directory", "--json")
        assert {item.result().status_code for item in searches} == {200}
        assert beside.result().json["hits"]


def test_postgres_gone_and_back(up: tuple[httpx.Client, Cli]) -> None:
    client, cli = up
    pid = find_server_pid(Cluster(cli.data / "postgres"))
    assert pid
    os.kill(pid, signal.SIGKILL)
    # Its children answer for a moment more, so that readiness alone says nothing yet.
    until("a new server", lambda: find_server_pid(Cluster(cli.data / "postgres")) not in (None, pid))
    until("the server to be ready again", lambda: client.get("/readyz").status_code == 200)
    assert client.get("/livez").status_code == 200
    assert client.post("/api/search", json={"question": "data directory"}).status_code == 200
    upload(client, "after.txt", b"Written after the crash.")


def test_an_address_in_use_is_told(up: tuple[httpx.Client, Cli]) -> None:
    client, cli = up
    run = cli("serve", "--port", str(client.base_url.port), code=1)
    assert "cannot be used" in run.err and "--port" in run.err


@pytest.mark.slow
def test_a_database_that_goes_away_turns_readiness_off_and_comes_back(tmp_path: Path) -> None:
    """`serve` on a database of its own choosing: gone, every request says so; back, all is well."""
    holder = Cli(tmp_path / "pg")
    import sys

    def hold() -> "tuple[subprocess.Popen[str], str]":
        script = Path(__file__).parents[1] / "support/postgres.py"
        process = subprocess.Popen(
            [sys.executable, str(script), str(holder.data / "postgres")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        return process, process.stdout.readline().strip()

    database, url = hold()
    with served(
        Cli(tmp_path / "data", {"VECTOR_DB_URL": url, "STATE_DB_URL": url, "ANCHORAGE_DATABASE__CONNECT_TIMEOUT": "2"}),
        "serve",
    ) as (client, _):
        until("the server to be ready", lambda: client.get("/readyz").status_code == 200)
        database.communicate(timeout=60)
        until("readiness to go off", lambda: client.get("/readyz").status_code == 503)
        assert client.get("/livez").status_code == 200
        assert client.get("/health").status_code == 503
        problem(client.post("/api/search", json={"question": "x"}), 503, "database_unavailable")
        database, _ = hold()
        until("readiness to come back", lambda: client.get("/readyz").status_code == 200)
        assert client.post("/api/search", json={"question": "x"}).status_code == 200
    database.communicate(timeout=60)
