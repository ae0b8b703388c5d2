"""Streams between whole processes: one is killed or shut down in mid-answer, and another goes on."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Cli, served, until

WORDS = [f"word{number}" for number in range(30)]
ANSWER = f"{' '.join(WORDS)} of the harbour [1]."


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """A model server that takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "anchorage.testing.model_server", "--port", str(port), "--behaviour"]
    process = subprocess.Popen([*command, f"token_delay=0.1,answer={ANSWER}"])

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/v1/models").is_success
        except httpx.TransportError:
            assert process.poll() is None
            return False

    until("the model server", answers)
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def shared(model: str, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A data directory for several processes."""
    folder = tmp_path_factory.mktemp("streams")
    (folder / "harbour.txt").write_text(f"The harbour of Ghent was opened in 1827. {' '.join(WORDS)} of the harbour.")
    env = {
        "OPENAI_BASE_URL": model, "LLM_MODEL": "x", "EMBEDDING_MODEL": "hashed", "ANCHORAGE_EMBEDDING__DIMENSION": "64",
        "ANCHORAGE_EMBEDDING__PROVIDER": "openai", "ANCHORAGE_INGEST__PARSERS": "1", "ANCHORAGE_HTTP__DRAIN_TIMEOUT": "0.5",
    }  # fmt: skip
    cli = Cli(folder / "data", env)
    cli("ingest", str(folder / "harbour.txt"), "--json")
    return cli


class Reader:
    """A client that comes back with the number of the last event that it has."""

    def __init__(self, conversation: str) -> None:
        self.conversation = conversation
        self.events: list[dict[str, Any]] = []
        self.keeps = True
        """Whether the last stream's connection is used again."""

    def read(self, client: httpx.Client, *, until_kind: str = "done", count: int = 1) -> None:
        body = {
            "message": "When was the harbour of Ghent opened?", "conversation_id": self.conversation, "message_id": "m",
            "stream": True,
        }  # fmt: skip
        request = client.build_request("POST", "/api/chat", json=body)
        if self.events:
            last = {"Last-Event-ID": str(self.events[-1]["n"])}
            request = client.build_request("GET", f"/api/chat/{self.conversation}/events", headers=last)
        response = client.send(request, stream=True)
        try:
            assert response.status_code == 200, response.read()
            self.keeps = response.headers.get("connection") != "close"
            for line in response.iter_lines():
                if line.startswith("data: "):
                    self.events.append(json.loads(line.removeprefix("data: ")))
                    if sum(event["type"] == until_kind for event in self.events) >= count:
                        return
        finally:
            response.close()

    def check(self, client: httpx.Client) -> None:
        """One coherent message, remembered once."""
        assert [event["n"] for event in self.events] == list(range(1, len(self.events) + 1))
        kinds = [event["type"] for event in self.events]
        assert kinds.count("reset") == kinds.count("done") == 1 and kinds[-2:] == ["answer", "done"]
        after = self.events[kinds.index("reset") :]
        assert "".join(event["text"] for event in after if event["type"] == "token") == ANSWER
        assert {event["attempt"] for event in after} == {2} and after[-2]["answer"] == ANSWER
        (turn,) = client.get(f"/api/conversations/{self.conversation}").json()["turns"]
        assert turn["answer"] == ANSWER


@pytest.mark.slow
def test_a_process_that_is_killed_in_mid_answer(shared: Cli) -> None:
    with served(shared, "serve") as (first, process), served(shared, "serve") as (second, _):
        reader = Reader("killed")
        reader.read(first, until_kind="token", count=3)
        assert reader.keeps
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        reader.read(second)
        reader.check(second)


@pytest.mark.slow
def test_a_process_that_is_told_to_end_hands_its_answers_over(shared: Cli, tmp_path: Path) -> None:
    """At once: the lease would run for five minutes. Where it serves on before that, its client's next request comes by another connection."""
    lease = {"ANCHORAGE_STREAM__LEASE": "300", "ANCHORAGE_HTTP__LINGER": "0.2"}
    with served(shared, "serve", **lease) as (first, process), served(shared, "serve", **lease) as (second, _):
        reader = Reader("drained")
        reader.read(first, until_kind="token", count=3)
        assert not reader.keeps
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        reader.read(second)
        assert time.monotonic() - started < 60
        reader.check(second)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_what_can_end_in_time_ends(shared: Cli) -> None:
    with served(shared, "serve", ANCHORAGE_HTTP__DRAIN_TIMEOUT="20") as (client, process):
        reader = Reader("ended")
        with httpx.Client(base_url=client.base_url, timeout=60) as other:
            body = {"message": "When was the harbour of Ghent opened?", "conversation_id": "ended", "stream": True}
            with other.stream("POST", "/api/chat", json=body) as response:
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        reader.events.append(json.loads(line.removeprefix("data: ")))
                        if reader.events[-1]["type"] == "token" and process.poll() is None:
                            process.send_signal(signal.SIGTERM)
        assert [event["type"] for event in reader.events][-2:] == ["answer", "done"]
        assert "reset" not in [event["type"] for event in reader.events]
        process.communicate(timeout=60)
        assert process.returncode == 0
