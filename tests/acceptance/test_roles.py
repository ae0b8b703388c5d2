"""What a cluster asks of the roles: to wait for a database, to leave migrating to one, to show probes, to be several, to end in time."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from .conftest import Cli, served, until


def _on(url: str, data: Path) -> Cli:
    return Cli(data, {"VECTOR_DB_URL": url, "STATE_DB_URL": url})


def test_a_check_waits_until_somebody_has_migrated(empty_database: str, tmp_path: Path) -> None:
    cli = _on(empty_database, tmp_path)
    missing = cli("migrate", "--check", "--json", code=1).json["error"]
    assert missing["code"] == "unavailable" and "`anchorage migrate`" in missing["message"]
    waiting = cli.start("migrate", "--check", "--wait", "60", "--json")
    assert waiting.stderr and waiting.stdout
    assert json.loads(waiting.stderr.readline())["event"] == "waiting"
    assert cli("migrate", "--json").json["steps"] > 0
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and json.loads(out) == {"steps": 0}


def test_a_database_that_does_not_answer_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    cli = _on("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    done = cli("migrate", "--wait", "2", "--json", code=1)
    assert done.json["error"]["code"] == "database_unavailable"
    told = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in told] == ["waiting"]


def test_a_worker_shows_probes_and_metrics_and_nothing_else(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    (tmp_path / "note.txt").write_text("The harbour opened in 1827.")
    worker = cli.start("worker", "--probes", "0")
    try:
        assert worker.stderr
        address = None
        for line in worker.stderr:
            if found := re.search(r"http://[^\"\s]+:\d+", line):
                address = found.group()
                break
        assert address, "the worker told no address"
        with httpx.Client(base_url=address, timeout=30) as client:
            assert {client.get(path).status_code for path in ("/livez", "/startupz", "/readyz")} == {200}
            assert client.post("/api/search", json={"question": "harbour"}).status_code == 404
            cli("ingest", str(tmp_path / "note.txt"), "--no-wait")
            until(
                "the job",
                lambda: 'anchorage_jobs_total{kind="ingest",status="done"} 1.0' in client.get("/metrics").text,
            )
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    assert worker.returncode == 0


def test_the_charts_test_passes_against_a_running_system_and_leaves_nothing(tmp_path: Path) -> None:
    smoke = Path(__file__).parents[2] / "deploy/chart/files/smoke.py"
    cli = Cli(tmp_path / "data")
    with served(cli, "up") as (client, _):
        command = [sys.executable, "-c", smoke.read_text("utf-8"), str(client.base_url), "60"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0 and "1852" in done.stdout, done.stderr
        assert not client.get("/api/documents", params={"collection": "smoke-test"}).json()["documents"]
        assert not client.get("/api/conversations").json()["conversations"]
    gone = subprocess.run([*command[:-1], "1"], capture_output=True, text=True, timeout=30)
    assert gone.returncode == 1 and "readiness did not come within 1 s" in gone.stderr


@contextmanager
def _three_roles(cli: Cli) -> "Iterator[list[tuple[httpx.Client, subprocess.Popen[str]]]]":
    """The front, ingest and retrieval, all starting at once."""
    with ExitStack() as stack:
        ports = []
        for _ in range(3):
            with socket.create_server(("127.0.0.1", 0)) as free:
                ports.append(str(free.getsockname()[1]))
        front, *others = (f"http://127.0.0.1:{port}" for port in ports)
        env = {"INGEST_URL": others[0], "RETRIEVAL_URL": others[1], "ANCHORAGE_HTTP__LINGER": "100"}
        roles = [
            cli.start("serve", "--port", ports[0], **env), cli.start("serve", "--only", "ingest", "--port", ports[1]),
            cli.start("serve", "--only", "retrieval", "--port", ports[2]),
        ]  # fmt: skip
        for role in roles:
            stack.callback(role.communicate)
            stack.callback(role.kill)
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for url in (front, *others)]
        for client in clients:
            until("a role to be ready", partial(_ready, client))
        yield list(zip(clients, roles, strict=True))


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.timeout(400)  # three processes start beside one another
def test_each_role_in_a_process_of_its_own(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data", {"ANCHORAGE_ROLES__TOKEN": "a-token-for-tests-only"})
    (tmp_path / "note.txt").write_text("The harbour opened in 1827.")
    cli("ingest", str(tmp_path / "note.txt"))
    with _three_roles(cli) as ((client, front), (ingest, ingesting), (retrieval, retrieving)):
        assert "1827" in client.post("/api/chat", json={"message": "When did the harbour open?"}).json()["answer"]
        assert 'route="/internal/retrieve",status="200"' in retrieval.get("/metrics").text
        asked = {"question": "harbour", "collections": None, "k": 5}
        assert retrieval.post("/internal/retrieve", json=asked).status_code == 403
        assert client.post("/api/search", json={"question": "x", "collection": "nosuch"}).json()["code"] == "not_found"

        (job_id,) = client.post("/api/documents", files=[("files", ("a.txt", b"x" * 3_000_000))]).json()["job_ids"]
        assert client.get(f"/api/jobs/{job_id}").json()["uri"] == "upload://default/a.txt"
        with client.stream("GET", "/api/jobs", headers={"Accept": "text/event-stream"}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert next(stream.iter_lines()) == "event: counts"
        assert (
            'route="/api/documents",status="202"' in client.get("/metrics").text
            and ingest.post("/api/chat").status_code == 404
        )

        retrieving.send_signal(signal.SIGKILL)
        until("the front to miss it", lambda: "retrieval disconnected" in client.get("/readyz").text)
        told = client.post("/api/search", json={"question": "harbour"})
        assert told.status_code == 503 and "RETRIEVAL_URL" in told.json()["detail"]
        ingesting.send_signal(signal.SIGTERM)
        ingesting.wait(60)
        assert "INGEST_URL" in client.get("/api/documents").json()["detail"]

        _lingers(client, front)


def _lingers(client: httpx.Client, process: "subprocess.Popen[str]") -> None:
    """After the first request to end it serves on, without keeping connections; the second one ends that."""
    kept = client.get("/livez")
    assert "connection" not in kept.headers
    process.send_signal(signal.SIGTERM)
    until("it to drain", lambda: client.get("/readyz").text == "draining")
    for _ in range(3):  # the connection that was kept, and new ones
        answer = client.get("/api/conversations")
        assert answer.status_code == 200 and answer.headers["connection"] == "close"
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in err


def test_a_role_without_the_shared_token_says_so_at_once(tmp_path: Path) -> None:
    done = Cli(tmp_path / "data")("serve", "--only", "retrieval", code=1)
    assert "ANCHORAGE_ROLES__TOKEN is missing" in done.err
    assert "retrieval" in Cli(tmp_path / "data")("serve", "--only", "retreival", code=2).err


@pytest.mark.parametrize("command", [["serve"], ["worker"], ["worker", "--probes", "0"]])
def test_a_data_directory_that_cannot_be_written_is_the_first_thing_told(command: list[str]) -> None:
    cli = Cli(
        Path("/sys/anchorage"),
        {"VECTOR_DB_URL": "postgresql://h/d", "STATE_DB_URL": "postgresql://h/d", "OPENAI_API_KY": "k"},
    )
    done = cli(*command, code=1)
    first, second = done.err.splitlines()
    assert json.loads(first)["event"] == "misspelt_setting" and json.loads(first)["did_you_mean"] == "OPENAI_API_KEY"
    assert "/sys/anchorage/blobs" in second and "not mounted read-only" in second and "ANCHORAGE_BLOBS__URL" in second


def test_who_keeps_no_originals_does_not_mind(tmp_path: Path) -> None:
    urls = {"VECTOR_DB_URL": "postgresql://127.0.0.1:1/d", "STATE_DB_URL": "postgresql://127.0.0.1:1/d"}
    cli = Cli(Path("/sys/anchorage"), {**urls, "ANCHORAGE_ROLES__TOKEN": "a-token-for-tests-only"})
    assert "DB_URL cannot be reached" in cli("serve", "--only", "retrieval", "--port", "0", code=1).err
