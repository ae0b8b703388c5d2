"""Commands on the data directory of a running server leave their work to it, and to nobody else."""

import http.server
import json
import re
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .conftest import ANCHORAGE, Cli, clean_environment, served, until
from .test_streams import ANSWER, model, shared

__all__ = ["model", "shared"]  # fixtures


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, papers: Path) -> Iterator[tuple[Cli, httpx.Client]]:
    cli = Cli(tmp_path_factory.mktemp("served") / "data")
    cli("ingest", str(papers), "--json")
    with served(cli, "up") as (client, _):
        yield cli, client


def requests(client: httpx.Client, route: str) -> float:
    """How many requests a route has had."""
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("anchorage_http_requests_total") and f'route="{route}"' in line
    )


COMMANDS = [
    (("search", "when was the harbour opened", "--collection", "default"), "/api/search"),
    (("search", "when was the harbour opened", "--collection", "default", "--json"), "/api/search"),
    (("search", "x", "--collection", "nosuch", "--json"), "/api/search"),
    (("documents", "list"), "/api/documents"),
    (("documents", "list", "--json"), "/api/documents"),
    (("documents", "show", "nonsense"), "/api/documents/{document_id}"),
    (("conversations", "list", "--matching", "nothing has this"), "/api/conversations"),
    (("conversations", "show", "nonsense", "--json"), "/api/conversations/{conversation_id}"),
    (("jobs", "list"), "/api/jobs"),
    (("jobs", "list", "--limit", "5000", "--json"), "/api/jobs"),
    (("jobs", "show", "9999", "--json"), "/api/jobs/{job_id}"),
    (("sources", "list"), "/api/sources"),
    (("sources", "sync", "00000000-0000-0000-0000-000000000000", "--json"), "/api/sources/{source_id}/sync"),
    (("ask", "x" * 100_000, "--json"), "/api/chat"),
    (("ask", " "), "/api/chat"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "route"), COMMANDS)
def test_output_and_exit_code_are_the_same_either_way(
    up: tuple[Cli, httpx.Client], arguments: tuple[str, ...], route: str
) -> None:
    cli, client = up
    before = requests(client, route)
    over_http = cli(*arguments, code=None)
    assert requests(client, route) > before, "the server was not asked"
    before = requests(client, route)
    # A setting that the server was not given: it is not asked.
    alone = Cli(cli.data, {"ANCHORAGE_ANSWER__MAX_SENTENCES": "3"})(*arguments, code=None)
    assert requests(client, route) == before, "the server was asked"
    assert (over_http.code, over_http.out, over_http.err) == (alone.code, alone.out, alone.err)


def test_an_answer_is_the_same_either_way(up: tuple[Cli, httpx.Client]) -> None:
    cli, _ = up
    alone = Cli(cli.data, {"ANCHORAGE_ANSWER__MAX_SENTENCES": "3"})
    question = ("ask", "When was the harbour of Ghent opened?")
    one, two = cli(*question, "--json").json, alone(*question, "--json").json
    for name in ("conversation_id", "message_id"):
        assert one.pop(name) != two.pop(name)
    assert one == two
    assert cli(*question).out == alone(*question).out
    assert "this begins it" in cli(*question, "--conversation", "new").err
    first = cli("conversations", "show", "new", "--json").json
    assert first == alone("conversations", "show", "new", "--json").json and len(first["turns"]) == 1
    assert "1827" in cli("conversations", "show", "new").out
    assert cli("conversations", "delete", "new", "--json").json == {"deleted": ["new"]}
    assert "new" not in cli("conversations", "list").out
    cli("conversations", "delete", code=2)
    assert cli("conversations", "delete", "--all", "--json").json["deleted"]
    assert cli("conversations", "list", "--json").json == {"conversations": []}


def test_what_is_deleted_and_removed(up: tuple[Cli, httpx.Client], tmp_path: Path) -> None:
    cli, _ = up
    (tmp_path / "one.txt").write_text("The lighthouse of Ostend is white.")
    (tmp_path / "two.txt").write_text("The lighthouse of Knokke is red.")
    cli("ingest", str(tmp_path), "--collection", "gone")
    ids = [item["document_id"] for item in cli("documents", "list", "--collection", "gone", "--json").json["documents"]]
    assert cli("documents", "delete", *ids, "nonsense", "--json", code=1).json["error"]["code"] == "not_found"
    assert cli("documents", "delete", *ids, "--json").json == {"deleted": ids}
    assert cli("documents", "delete", "--collection", "gone", "--all", "--json").json == {"deleted": []}
    added = cli("sources", "add", str(tmp_path), "--collection", "gone", "--json").json
    assert added["location"] == tmp_path.as_uri()  # a folder of whoever types
    remote = cli("sources", "add", "http://127.0.0.1:9/", "--json").json
    assert cli("sources", "remove", remote["id"], "--json").json == {"removed": remote["id"], "documents_deleted": 0}
    assert cli("sources", "remove", added["id"], "--json").json["removed"] == added["id"]


def test_the_word_is_for_the_owner_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    word = cli.data / "server.json"
    with served(cli, "serve") as (client, process):
        assert stat.S_IMODE(word.stat().st_mode) == 0o600
        found = json.loads(word.read_text())
        assert found["pid"] == process.pid and client.base_url.port == found["port"]
        assert found["secret"] not in client.get("/api/instance", params={"challenge": "x"}).text
        assert requests_of(cli, client)
        word.chmod(0o644)
        assert not requests_of(cli, client), "a word that others may have written"
        word.chmod(0o600)
    assert not word.exists()


def requests_of(cli: Cli, client: httpx.Client) -> bool:
    before = requests(client, "/api/sources")
    cli("sources", "list", "--json")
    return requests(client, "/api/sources") > before


def test_a_server_that_died_and_a_port_that_somebody_else_has(tmp_path: Path) -> None:
    cli, other = Cli(tmp_path / "data"), Cli(tmp_path / "other")
    with served(cli, "serve") as (client, process):
        assert requests_of(cli, client)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert (cli.data / "server.json").exists()
    port = client.base_url.port
    assert cli("sources", "list", "--json").json == {"sources": []}
    # Another Anchorage listens there now, of another data directory.
    process = other.start("serve", "--port", str(port))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as elsewhere:
            wait_ready(elsewhere)
            assert requests_of(other, elsewhere) and not requests_of(cli, elsewhere)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    # And now a program that says yes to everything, and writes down what it is told.
    heard: list[str] = []

    class Liar(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            body = b'{"proof": "yes", "hits": []}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port or 0), Liar) as liar:
        threading.Thread(target=liar.serve_forever, daemon=True).start()
        assert cli("search", "a secret question", "--json").json == {"hits": []}
        liar.shutdown()
    assert heard and all(path.startswith("/api/instance?challenge=") for path in heard)


def wait_ready(client: httpx.Client) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_data_directories(up: tuple[Cli, httpx.Client], tmp_path: Path) -> None:
    cli, client = up
    other = Cli(tmp_path / "other")
    with served(other, "serve") as (second, _):
        assert requests_of(cli, client) and requests_of(other, second)
        before = requests(client, "/api/sources")
        other("sources", "list")
        assert requests(client, "/api/sources") == before
        cli("sources", "list", "--data", str(other.data))
        assert requests(client, "/api/sources") == before


def test_other_databases_are_not_the_servers(up: tuple[Cli, httpx.Client]) -> None:
    cli, _ = up
    away = "postgresql://user@127.0.0.1:9/x"
    found = Cli(cli.data, {"VECTOR_DB_URL": away, "STATE_DB_URL": away})("documents", "list", "--json", code=1).json
    assert found["error"]["code"] == "database_unavailable"
    assert "ANCHORAGE_HTTP__PORT" in Cli(cli.data, {"ANCHORAGE_HTTP__PORT": "x"})("search", "x", code=1).err


def test_an_answer_is_printed_as_it_comes(shared: Cli) -> None:
    with served(shared, "serve"):
        with subprocess.Popen(
            [ANCHORAGE, "ask", "When was the harbour of Ghent opened?"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=clean_environment(ANCHORAGE_DATA=str(shared.data)),
        ) as process:  # fmt: skip
            assert process.stdout
            first = process.stdout.read(5)
            began = time.monotonic()
            rest = process.stdout.read()
        assert process.returncode == 0
    assert time.monotonic() - began > 1, "it came all at once"
    text = (first + rest).decode()
    assert text.startswith(ANSWER) and text.count("word7 ") <= 2 and re.search(r"\[1\] .*harbour", text)


@pytest.mark.parametrize("leave", ["interrupt", "close"])
def test_an_answer_that_is_left_ends_on_the_server_too(shared: Cli, leave: str) -> None:
    with served(shared, "serve") as (client, _):
        with subprocess.Popen(
            [ANCHORAGE, "ask", "When was the harbour of Ghent opened?", "--conversation", f"left-{leave}"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=clean_environment(ANCHORAGE_DATA=str(shared.data)),
        ) as process:  # fmt: skip
            assert process.stdout and process.stderr and process.stdout.read(5)
            if leave == "interrupt":
                process.send_signal(signal.SIGINT)
                errors = process.stderr.read().decode()
                assert process.wait(30) == 130 and "Interrupted" in errors and "Traceback" not in errors
            else:
                process.stdout.close()
        until("the answer to end", lambda: not client.get(f"/api/chat/left-{leave}").json().get("running"))
        turns = client.get(f"/api/conversations/left-{leave}").json()["turns"]
        assert turns[-1]["stopped"] and "word29" not in turns[-1]["answer"]


def test_a_command_that_is_interrupted_says_so_in_json(shared: Cli) -> None:
    with served(shared, "serve") as (client, _):
        process = shared.start("ask", "When was the harbour of Ghent opened?", "--conversation", "left-json", "--json")
        until("the answer to begin", lambda: client.get("/api/chat/left-json").json().get("running"))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130 and json.loads(out)["error"]["code"] == "interrupted"
