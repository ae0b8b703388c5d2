"""Whole processes, as a user runs them."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

ANCHORAGE = str(Path(sys.prefix) / "bin" / "anchorage")
DEADLINE = 120


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**kept, **more}


@dataclass
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cli:
    """Runs commands on one data directory."""

    data: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, code: int | None = 0) -> Run:
        done = subprocess.run(
            [ANCHORAGE, *arguments], capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL,
            env=clean_environment(ANCHORAGE_DATA=str(self.data), **self.env),
        )  # fmt: skip
        run = Run(done.returncode, done.stdout, done.stderr)
        assert code is None or run.code == code, run
        assert "Traceback" not in run.err, run.err
        return run

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [ANCHORAGE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
            env=clean_environment(ANCHORAGE_DATA=str(self.data), **{**self.env, **env}),
        )  # fmt: skip


@contextlib.contextmanager
def served(cli: Cli, *arguments: str, **env: str) -> "Iterator[tuple[httpx.Client, subprocess.Popen[str]]]":
    """A running `up` or `serve`, with a client of it."""
    process = cli.start(*arguments, "--port", "0", **env)
    assert process.stdout and process.stderr
    stream = process.stdout if arguments[0] == "up" else process.stderr
    address = None
    for line in stream:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            address = found.group()
            break
    assert address, process.communicate()
    try:
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def until(what: str, condition: Any) -> Any:
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {DEADLINE} s for {what}"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(tmp_path_factory.mktemp("acceptance") / "data")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    (folder / "horta.md").write_text(
        "# Victor Horta\n\nVictor Horta designed the Hôtel Tassel in Brussels in 1893. Victor Horta lived in Saint-Gilles.\n"
    )
    (folder / "harbour.txt").write_text(
        "The harbour of Ghent was opened in 1827. It has three docks.\n\nShips came from Antwerp.\n"
    )
    (folder / "broken.pdf").write_text("not a pdf")
    (folder / "table.parquet").write_bytes(b"PAR1" + b"\0" * 18)
    return folder
