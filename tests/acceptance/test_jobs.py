"""Sources and jobs over the command line and HTTP, with real worker processes."""

import json
import signal
import threading
from pathlib import Path

import pytest

from .conftest import Cli, served, until

DONE = ("done", "failed", "cancelled")


def test_a_source_from_registration_to_removal(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(12):
        (folder / f"n{number}.txt").write_text(f"Harbour number {number} opened in {1800 + number}.")
    added = cli("sources", "add", str(folder), "--collection", "kept", "--every", "1h", "--json").json
    assert added["location"] == folder.as_uri() and added["every"] == 3600 and added["job_id"]
    worker = cli.start("worker")
    try:
        found = until("the first sync", lambda: synced(cli))
        assert found["report"]["listed"] == 12
        until("its documents", lambda: not {"queued", "running"} & {job["status"] for job in jobs(cli)})
        assert {job["status"] for job in jobs(cli)} == {"done"}
        answer = cli("ask", "When did harbour number 7 open?", "--collection", "kept", "--json").json
        assert "1807" in answer["answer"]
        (folder / "n7.txt").unlink()
        job_id = cli("sources", "sync", added["id"], "--json").json["job_id"]
        until("the second sync", lambda: cli("jobs", "show", job_id, "--json").json["status"] == "done")
        listed = cli("documents", "list", "--collection", "kept", "--json").json["documents"]
        assert len(listed) == 11
    finally:
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0, errors
    assert cli("sources", "remove", added["id"], "--json").json["documents_deleted"] == 11
    assert cli("sources", "list", "--json").json == {"sources": []}
    assert cli("jobs", "list", "--json").json["jobs"] == []
    assert "No job" in cli("jobs", "show", "999", "--json", code=1).json["error"]["message"]
    assert (
        "interval" in cli("sources", "add", str(folder), "--every", "soon", "--json", code=2).json["error"]["message"]
    )


def synced(cli: Cli) -> dict[str, object] | None:
    (source,) = cli("sources", "list", "--json").json["sources"]
    return source if source["status"] == "synced" else None


def jobs(cli: Cli) -> list[dict[str, str]]:
    return list(cli("jobs", "list", "--json").json["jobs"])


@pytest.mark.slow
def test_a_killed_workers_documents_are_taken_over(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(40):
        (folder / f"n{number}.txt").write_text(f"Document {number}. " + "A sentence about harbours and bread. " * 90)
    cli("sources", "add", str(folder), "--collection", "c")
    first = cli.start("worker")
    until("some documents", lambda: len(cli("documents", "list", "--collection", "c", "--json").json["documents"]) > 2)
    first.kill()
    first.communicate(timeout=60)
    second = cli.start("worker")
    try:
        until("all jobs to end", lambda: {job["status"] for job in jobs(cli)} == {"done"})
    finally:
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=60)
    documents = cli("documents", "list", "--collection", "c", "--json").json["documents"]
    assert len(documents) == 40 and {item["status"] for item in documents} == {"indexed"}


def test_jobs_and_sources_over_http(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    with served(cli, "up") as (client, process):
        refused = client.post("/api/sources", json={"location": str(tmp_path)})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:anchorage:problem:not_allowed")
        assert client.get("/api/sources").json() == {"sources": []}
        assert client.post("/api/sources/nonsense/sync").status_code == 404

        events: list[dict[str, object]] = []
        followed = threading.Event()

        def follow() -> None:
            with client.stream("GET", "/api/jobs", headers={"Accept": "text/event-stream"}, timeout=60) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data: "):
                        events.append(json.loads(line.removeprefix("data: ")))
                        followed.set()
                    if any(event.get("status") in DONE for event in events):
                        return

        thread = threading.Thread(target=follow)
        thread.start()
        assert followed.wait(30)
        files = [("files", ("a.txt", b"Bread is made of flour.")), ("files", ("bad.pdf", b"no pdf"))]
        uploaded = client.post("/api/documents", files=files).json()["job_ids"]
        thread.join(60)
        assert {"a.txt", "bad.pdf"} & {event.get("name") for event in events}  # whichever ended first
        good, bad = (until("the job", lambda job=job: ended(client.get(f"/api/jobs/{job}").json())) for job in uploaded)
        assert good["status"] == "done" and good["document_id"]
        assert bad["status"] == "failed" and bad["error"]["code"] == "corrupt"
        assert client.get("/api/jobs?status=failed").json()["counts"]["failed"] == 1
        assert client.get("/api/jobs?status=odd").status_code == 400
        assert client.post(f"/api/jobs/{bad['id']}/retry").json()["status"] in ("queued", "running")
        assert client.post(f"/api/jobs/{good['id']}/cancel").status_code == 409
        with client.stream("GET", f"/api/jobs/{bad['id']}", headers={"Accept": "text/event-stream"}) as stream:
            assert '"status": "failed"' in "".join(stream.iter_text())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def ended(job: dict[str, object]) -> dict[str, object] | None:
    return job if job["status"] in DONE else None
