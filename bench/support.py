"""What the benchmarks share."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ANCHORAGE = str(Path(sys.prefix) / "bin" / "anchorage")
TOPICS = "harbour bread iron cat lighthouse railway bridge court river castle glass wool ship tower market song".split()
_VERBS = "opened closed moved burned grew shrank sold bought crossed painted measured repaired".split()


def report(**figures: Any) -> None:
    """Print the benchmark's one JSON document."""
    print(json.dumps(figures, indent=2))


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of all its children, gone ones included."""
    total = 0.0
    for place in Path("/proc").iterdir():
        if not place.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # gone in this moment
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(place.name) == pid:
                total += sum(int(value) for value in fields[11:15])
            elif int(fields[1]) == pid:
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def write_texts(folder: Path, count: int, sentences: int) -> None:
    """Fill a new folder with so many made-up texts."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.txt").write_text(made_up_text(number, sentences))
    os.sync()  # what is written back later would be somebody else's time


def made_up_text(number: int, sentences: int = 40) -> str:
    """Text with something to find in it, the same for the same number."""
    rng = random.Random(number)
    return " ".join(
        f"The {rng.choice(TOPICS)} of town {number}.{part} was {rng.choice(_VERBS)} in {rng.randrange(1500, 2000)} by the "
        f"{rng.choice(TOPICS)} guild."
        for part in range(sentences)
    )


def read_queries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


@contextlib.contextmanager
def served(data: Path, *arguments: str, **env: str) -> Iterator[tuple[httpx.Client, int, float]]:
    """A running server: a client of it, its pid, and the seconds until it was ready."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [ANCHORAGE, "serve", "--port", "0", "--data", str(data), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            break
    else:
        raise SystemExit("the server did not start")
    drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=found.group(), timeout=120) as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.01)
            yield client, process.pid, time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        drain.wait(10)
