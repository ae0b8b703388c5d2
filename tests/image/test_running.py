"""The images at work, shut in: no capability, no writable root, no privilege to gain, no network but their own."""

import json
import time
from dataclasses import replace

import pytest

from .conftest import System, docker, healthy, inspected, until

pytestmark = pytest.mark.timeout(1800)

PAGE = "/opt/anchorage/share/anchorage/docs/how-to/container.md"


@pytest.fixture(scope="module")
def api(system: System) -> str:
    return system.start("serve")


@pytest.fixture(scope="module")
def worker(system: System) -> str:
    return system.start("worker", "--probes", "8001")


def test_ingest_and_ask(system: System, api: str, worker: str) -> None:
    for name in (api, worker):
        until(lambda name=name: healthy(name), "becoming healthy")
    system.run("ingest", "--no-wait", PAGE)

    def indexed() -> bool:
        documents = json.loads(system.run("documents", "list", "--json").stdout)["documents"]
        return [document["status"] for document in documents] == ["indexed"]

    until(indexed, "indexing one page by the worker")
    answer = json.loads(system.run("ask", "--json", "As which uid does the container run?").stdout)
    assert "10001" in answer["answer"] and answer["citations"]


def test_its_uid_and_its_root(system: System, api: str) -> None:
    until(lambda: healthy(api), "becoming healthy")
    assert docker("exec", api, "id", "-u").stdout == "10001\n"
    refused = docker("exec", api, "touch", "/opt/anchorage/x", check=False)
    assert refused.returncode and "Read-only" in refused.stderr
    status = docker("exec", api, "cat", "/proc/1/status").stdout
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


@pytest.mark.parametrize("command", [["serve", "--port", "8010"], ["worker", "--probes", "8011"], ["worker"]])
def test_it_ends_in_time_when_told_to(system: System, command: list[str]) -> None:
    name = system.start(*command)
    until(lambda: healthy(name) and "ready" in docker("logs", name).stderr, "becoming ready")
    began = time.monotonic()
    docker("stop", "--time", "40", name)
    state = inspected(name)["State"]
    assert state["ExitCode"] == 0 and not state["OOMKilled"], docker("logs", name).stderr[-2000:]
    assert time.monotonic() - began < 40


def test_it_is_unhealthy_while_its_database_is_away(system: System) -> None:
    away = ("--env", "VECTOR_DB_URL=postgresql://anchorage@127.0.0.1:1/anchorage", "--health-interval", "1s", "--health-retries", "1",
            "--health-start-period", "0s")  # fmt: skip
    name = docker("run", "--detach", *system.options(), *away, system.image, "serve", "--port", "8012").stdout.strip()
    system.started.append(name)

    def told() -> bool:
        state = inspected(name)["State"]
        return not state["Running"] or state["Health"]["Status"] == "unhealthy"

    until(told, "becoming unhealthy, or ending with a message")
    assert "DB_URL cannot be reached" in docker("logs", name).stderr


def test_any_uid_will_do(system: System) -> None:
    """As OpenShift runs it: a uid that no file names, and group 0; on a volume where no other has written."""
    other = ("--user", "1000650000:0")
    place = replace(system, volume=docker("volume", "create").stdout.strip(), started=[])
    try:
        place.run(
            "ingest", "--collection", "other", "/opt/anchorage/share/anchorage/docs/how-to/database.md", options=other
        )
        name = place.start("serve", "--port", "8013", options=other)
        until(lambda: healthy(name), "becoming healthy")
    finally:
        docker("rm", "--force", *place.started, check=False)
        docker("volume", "rm", place.volume, check=False)


def test_an_unknown_command_says_what_to_do(system: System) -> None:
    done = system.run("serv", check=False)
    assert done.returncode == 2 and "serve" in done.stderr and "--help" in done.stderr


def test_postgres_wants_a_password_and_keeps_its_data(postgres_image: str) -> None:
    refused = docker("run", "--rm", postgres_image, check=False)
    assert refused.returncode == 1 and "POSTGRES_PASSWORD" in refused.stderr
