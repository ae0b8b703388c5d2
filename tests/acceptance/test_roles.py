"""What a cluster asks of the roles: to wait for a database, to leave migrating to one, to show probes."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

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
