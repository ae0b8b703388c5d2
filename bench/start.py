"""What it takes to start: python -m bench.start.

For a command: the seconds of processor that it takes, and those until its first word, beside a running server and without one. With
`--image anchorage:dev [--postgres anchorage-postgres:18]`: the seconds from the start of a container to /readyz.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.support import ANCHORAGE, report, served, write_texts

_COMMANDS = (
    ["ask", "Which guild closed the harbour of town 7.3?"], ["search", "harbour of town 7.3"], ["documents", "list"], ["jobs", "list"],
    ["sources", "list"], ["conversations", "list"],
)  # fmt: skip

_SHUT_IN = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
# Asks as fast as it can, inside the container's network: nothing outside may reach it.
_WAIT = """
import socket, sys, time
deadline = time.time() + 120
while time.time() < deadline:
    try:
        with socket.create_connection(("127.0.0.1", 8000), timeout=5) as c:
            c.sendall(b"GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
            if b" 200" in c.recv(64):
                print(time.time()); sys.exit()
    except OSError:
        pass
    time.sleep(0.02)
sys.exit("not ready within 120 s")
"""


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _import_times(image: str) -> list[dict[str, object]]:
    """The ten packages whose own modules take longest to import, in milliseconds."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-X", "importtime", "-c",
         "import anchorage.faces.http.server"], capture_output=True, text=True,
    )  # fmt: skip
    totals: dict[str, float] = {}
    for line in done.stderr.splitlines():
        own, _, module = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            package = module.strip().partition(".")[0]
            totals[package] = totals.get(package, 0) + int(own) / 1000
    ordered = sorted(totals.items(), key=lambda item: -item[1])[:10]
    return [{"package": name, "ms": round(value)} for name, value in ordered]


def _once(command: Sequence[str], data: Path) -> tuple[float, float, float]:
    """Seconds until the first byte of output, until the end, and of processor, children included."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANCHORAGE_")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        [ANCHORAGE, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "ANCHORAGE_DATA": str(data)},
    ) as process:
        assert process.stdout
        process.stdout.read(1)
        first = time.perf_counter() - began
        process.stdout.read()
    whole, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"anchorage {' '.join(command)} failed")
    return first, whole, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _measured(command: Sequence[str], data: Path, rounds: int) -> dict[str, float]:
    """Medians, after one run that warms the disk's cache."""
    _once(command, data)
    columns = zip(*(_once(command, data) for _ in range(rounds)), strict=True)
    names = ("first_word_seconds", "seconds", "cpu_seconds")
    return {name: round(statistics.median(column), 3) for name, column in zip(names, columns, strict=True)}


def _name(command: Sequence[str]) -> str:
    return command[0] if command[0] in ("ask", "search") else " ".join(command)


def _commands(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of commands on one data directory, with a server on it and without; `--help` knows of neither."""
    with tempfile.TemporaryDirectory() as folder:
        data, texts = Path(folder) / "data", Path(folder) / "texts"
        write_texts(texts, 200, 20)
        subprocess.run(
            [ANCHORAGE, "ingest", str(texts), "--data", str(data), "--json"], check=True, stdout=subprocess.DEVNULL
        )
        found = {"any": {"--help": _measured(["--help"], data, rounds)}}
        with served(data):
            found["server"] = {_name(command): _measured(command, data, rounds) for command in _COMMANDS}
        found["embedded"] = {_name(command): _measured(command, data, rounds) for command in _COMMANDS}
        return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image")
    parser.add_argument("--postgres", default="anchorage-postgres:18")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.image:
        _containers(given)
    else:
        report(commands=_commands(given.rounds), load=os.getloadavg()[0])


def _containers(given: argparse.Namespace) -> None:
    password, url = secrets.token_hex(16), "postgresql://anchorage@127.0.0.1:5432/anchorage"
    postgres = _docker(
        "run", "--detach", "--network", "none", "--env", "POSTGRES_USER=anchorage", "--env", f"POSTGRES_PASSWORD={password}", given.postgres
    )  # fmt: skip
    options = [*_SHUT_IN, "--network", f"container:{postgres}", "--env", f"PGPASSWORD={password}", "--env", f"VECTOR_DB_URL={url}", "--env",
               f"STATE_DB_URL={url}"]  # fmt: skip
    seconds = []
    try:
        _docker("run", "--rm", *options, given.image, "migrate", "--wait", "120")
        waiter = _docker(
            "run", "--detach", "--network", f"container:{postgres}", "--entrypoint", "sleep", given.image, "infinity"
        )
        try:
            for _ in range(given.rounds):
                name = _docker("create", *options, given.image, "serve")
                began = time.time()
                _docker("start", name)
                seconds.append(float(_docker("exec", waiter, "python", "-c", _WAIT)) - began)
                _docker("rm", "--force", "--volumes", name)
        finally:
            _docker("rm", "--force", "--volumes", waiter)
    finally:
        _docker("rm", "--force", "--volumes", postgres)
    seconds.sort()
    report(
        image={"tag": given.image, "megabytes": round(json.loads(_docker("inspect", given.image))[0]["Size"] / 1e6)},
        ready_seconds={
            "least": round(seconds[0], 2),
            "median": round(seconds[len(seconds) // 2], 2),
            "most": round(seconds[-1], 2),
        },
        imports=_import_times(given.image),
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
