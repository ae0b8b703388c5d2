"""What the pods are told to run does run: the rendered commands, on this machine, against a real Postgres."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Rendered, render


def run(
    rendered: Rendered, component: str, url: str, data: Path, *, init: bool = False
) -> "subprocess.CompletedProcess[str]":
    """A container's command with its variables; only the databases are others, and the bytes of documents are kept elsewhere."""
    container = rendered.pod(component)["initContainers" if init else "containers"][0]
    program = str(Path(sys.executable).parent / "anchorage")
    command = [*container.get("command", [program]), *container["args"]]
    variables = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120,
        env={
            "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}", **rendered.one("ConfigMap")["data"], **variables,
            "VECTOR_DB_URL": url, "STATE_DB_URL": url, "ANCHORAGE_DATA": str(data),
            "ANCHORAGE_INGEST__PASSWORDS": '{"reports": "from a Secret"}',
        },
    )  # fmt: skip


@pytest.mark.timeout(400)  # eight processes after one another
def test_from_an_empty_database_to_registered_sources(empty_database: str, tmp_path: Path) -> None:
    places = [tmp_path / "it's $HOME", tmp_path / "two words"]
    for place in places:
        place.mkdir()
    sources = [
        {"location": str(places[0]), "collection": "kept", "every": "1h"},
        {"location": str(places[1]), "options": {"password": "reports"}},
    ]
    rendered = render(sources=sources, database={"wait": 1})
    early = run(rendered, "api", empty_database, tmp_path, init=True)
    assert early.returncode == 1 and "lack" in early.stderr and "`anchorage migrate`" in early.stderr
    migrated = run(rendered, "migrate", empty_database, tmp_path)
    assert migrated.returncode == 0, migrated.stderr
    for component in ("api", "worker", "sources"):
        waited = run(rendered, component, empty_database, tmp_path, init=True)
        assert waited.returncode == 0, waited.stderr
    for _ in range(2):  # each upgrade does it again
        registered = run(rendered, "sources", empty_database, tmp_path)
        assert registered.returncode == 0, registered.stderr
    listed = subprocess.run(
        [str(Path(sys.executable).parent / "anchorage"), "sources", "list", "--json"], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "VECTOR_DB_URL": empty_database, "STATE_DB_URL": empty_database, "ANCHORAGE_DATA": str(tmp_path)},
    )  # fmt: skip
    found = json.loads(listed.stdout)["sources"]
    assert {(item["location"], item["collection"], item["every"]) for item in found} == {
        (places[0].as_uri(), "kept", 3600), (places[1].as_uri(), "default", None),
    }  # fmt: skip
