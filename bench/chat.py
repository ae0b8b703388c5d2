"""A turn through a generator: python -m bench.chat [overhead] [tutorial] [streaming] [--shape small|wide] [--turns N] [--rounds N].

`--shape`: `small` is 100 texts, passages of six sentences and 64 dimensions; `wide` is 1,000 passages of 1,600 characters, 1,536 dimensions,
answers of 600 characters and words in each question that no other has. By default both, one after the other.

`overhead`: p50 and CPU (of the server and of Postgres) of a turn as a multiple of a hand-written handler's (bench/floor.py), 16
clients, each turn a new conversation, a model server without latency in a process of its own; the servers take turns, round by round.
`tutorial`: the same with the backend of the common tutorials (bench/tutorial.py) beside them, for its turns per second: as tutorials build
it, and in threads with a pool of connections.
`streaming`: a streamed turn against the model server asked directly.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from anchorage.adapters.postgres.embedded.cluster import Cluster
from anchorage.adapters.postgres.embedded.supervisor import find_server_pid, open_embedded_postgres
from anchorage.evaluation.metrics import percentiles
from bench.overhead import turns as load
from bench.support import ANCHORAGE, TOPICS, cpu_seconds, free_port, made_up_text, report, served

_TURNS, _CLIENTS = 100, 16
_ANSWER = "The harbour was opened in 1827 by the guild [1]. " * 12
_LONGER = 6
LONG_ANSWER = _ANSWER * _LONGER


@dataclass(frozen=True, slots=True)
class Shape:
    """What a bench asks about: so many texts of so many sentences, passages of `passage` sentences (0: a text is one)."""

    texts: int
    sentences: int
    passage: int
    dimension: int
    fresh_words: bool
    """Whether each question has words that no other has, so that nothing of it is known from one before."""

    @property
    def embeddings(self) -> dict[str, str]:
        return {
            "EMBEDDING_MODEL": "e",
            "ANCHORAGE_EMBEDDING__PROVIDER": "openai",
            "ANCHORAGE_EMBEDDING__DIMENSION": str(self.dimension),
        }

    def question(self, number: int) -> str:
        town = f"{number % self.texts}.{number % self.sentences}"
        words = " ".join(random.Random(number).sample(WORDS, 6)) if self.fresh_words else "harbour"
        return f"When was the {words} of town {town} opened?"

    def arguments(self) -> list[str]:
        """For the servers that it is compared with."""
        return [str(self.dimension), str(self.passage)]


SHAPES = {
    "small": Shape(texts=100, sentences=40, passage=6, dimension=64, fresh_words=False),
    "wide": Shape(texts=1000, sentences=23, passage=0, dimension=1536, fresh_words=True),
}
WORDS = [f"{one}{two}" for one in TOPICS for two in TOPICS]

_FLOOR = [sys.executable, "-m", "bench.floor"]
_TUTORIAL = [
    "uv", "run", "--quiet", "--no-project", "--with", "fastapi", "--with", "uvicorn", "--with", "langgraph-checkpoint-postgres",
    "--with", "langchain-openai", "--with", "langchain-postgres", "--with", "psycopg[binary,pool]", "bench/tutorial.py",
]  # fmt: skip


async def through(client: httpx.AsyncClient, path: str, body: dict[str, object], mark: str) -> tuple[float, float]:
    """Seconds to the first piece of text, and to the end."""
    started = time.perf_counter()
    first = 0.0
    async with client.stream("POST", path, json=body) as response:
        async for line in response.aiter_lines():
            if not first and line.startswith("data: ") and mark in line:
                first = time.perf_counter() - started
    return first, time.perf_counter() - started


async def turns(
    base: str, path: str, bodies: list[dict[str, object]], mark: str
) -> tuple[list[tuple[float, float]], float]:
    """One after the other, then all at once: the seconds of each, and turns per second."""
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        found = [await through(client, path, body, mark) for body in bodies]
        started = time.perf_counter()
        await asyncio.gather(*(through(client, path, body, mark) for body in bodies))
        return found, len(bodies) / (time.perf_counter() - started)


def streaming(shape: Shape, data: Path, folder: Path, count: int) -> dict[str, Any]:
    """Streamed turns, alone on the machine: of ours with and without the log that they can be resumed from, of the floor, and of the
    model server itself. The processor time of a token is the slope between short answers and long ones.
    """
    with model_process(shape, _ANSWER) as short, model_process(shape, LONG_ANSWER) as long:
        found: dict[str, dict[str, Any]] = {
            name: {"cpu": []} for name in ("anchorage", "anchorage_without_log", "floor", "direct")
        }
        for server in (short, long):
            with served(data, OPENAI_BASE_URL=server, LLM_MODEL="x", **shape.embeddings) as (client, pid, _):
                url = asyncio.run(embedded_url(data))
                with other(_FLOOR, url, server, folder, shape) as (port, floor_pid):
                    asked = [shape.question(number) for number in range(count)]
                    ours, openai = (
                        [{"message": text, "stream": True} for text in asked],
                        [_openai(text) for text in asked],
                    )
                    least = [{"message": text, "conversation_id": "c"} for text in asked]
                    sides: dict[str, tuple[str, str, int, list[dict[str, object]], str]] = {
                        "anchorage": (str(client.base_url), "/api/chat", pid, ours, '"token"'),
                        "anchorage_without_log": (str(client.base_url), "/v1/chat/completions", pid, openai, '"content":"'),
                        "floor": (f"http://127.0.0.1:{port}", "/stream", floor_pid, least, '"token"'),
                        "direct": (server, "/chat/completions", 0, openai, '"content"'),
                    }  # fmt: skip
                    for name, (base, path, process, bodies, mark) in sides.items():
                        asyncio.run(turns(base, path, bodies[:10], mark))
                        before = cpu_seconds(process) if process else 0.0
                        seconds, rate = asyncio.run(turns(base, path, bodies, mark))
                        used = (cpu_seconds(process) if process else 0.0) - before
                        found[name]["cpu"].append(used / (2 * count) * 1000)  # `turns` asks each twice
                        if server == short:
                            found[name] |= {
                                "first": [at for at, _ in seconds],
                                "whole": [at for _, at in seconds],
                                "rate": rate,
                            }
    tokens = len(_ANSWER.split()) * (_LONGER - 1)
    return {
        name: {
            "first_token_ms": percentiles(side["first"]), "whole_ms": percentiles(side["whole"]),
            "cpu_ms_per_token": round((side["cpu"][1] - side["cpu"][0]) / tokens, 4), "turns_per_second_at_once": round(side["rate"], 1),
        }
        for name, side in found.items()
    }  # fmt: skip


def _openai(text: str) -> dict[str, object]:
    return {"model": "anchorage", "stream": True, "messages": [{"role": "user", "content": text}]}


def overhead(
    shape: Shape, data: Path, folder: Path, server: str, count: int, rounds: int, *, tutorial: bool
) -> dict[str, Any]:
    """Ours and the others, on one Postgres, round by round."""
    found: dict[str, dict[str, list[float]]] = {}
    with served(data, OPENAI_BASE_URL=server, LLM_MODEL="x", **shape.embeddings) as (client, pid, _):
        postgres = find_server_pid(Cluster(data / "postgres"))
        assert postgres
        url = asyncio.run(embedded_url(data))
        with contextlib.ExitStack() as stack:
            sides = {"anchorage": (client.base_url.port or 80, "/api/chat", pid)}
            others = {"floor": _FLOOR}
            if tutorial:
                others |= {"tutorial": _TUTORIAL, "tutorial_in_threads": ["env", "TUTORIAL_THREADS=1", *_TUTORIAL]}
            for name, command in others.items():
                port, process_id = stack.enter_context(other(command, url, server, folder, shape))
                sides[name] = (port, "/chat", process_id)
            for number in range(rounds + 1):
                for name, (at, path, process) in sides.items():
                    questions = [shape.question(number * count + part) for part in range(count)]
                    before = cpu_seconds(process), cpu_seconds(postgres)
                    seconds, whole = asyncio.run(load(at, path, questions, _CLIENTS))
                    after = cpu_seconds(process), cpu_seconds(postgres)
                    if not number:  # warming up
                        continue
                    side = found.setdefault(name, {"seconds": [], "turns_per_second": [], "app": [], "postgres": []})
                    side["seconds"] += seconds
                    side["turns_per_second"].append(count / whole)
                    side["app"].append((after[0] - before[0]) / count * 1000)
                    side["postgres"].append((after[1] - before[1]) / count * 1000)
    shown: dict[str, Any] = {
        name: {
            "turn_ms": percentiles(side["seconds"]),
            "turns_per_second": round(float(np.median(side["turns_per_second"])), 1),
            "cpu_ms": {part: round(float(np.median(side[part])), 3) for part in ("app", "postgres")},
        }
        for name, side in found.items()
    }
    ours, least = shown["anchorage"], shown["floor"]
    times = {}
    if tutorial:
        rates = {name: shown[name]["turns_per_second"] for name in ("anchorage", "tutorial", "tutorial_in_threads")}
        times = {
            "times_the_tutorials_turns_per_second": round(rates["anchorage"] / rates["tutorial"], 1),
            "and_with_threads_and_a_pool": round(rates["anchorage"] / rates["tutorial_in_threads"], 1),
        }
    return {
        **times,
        "p50_ratio": round(ours["turn_ms"]["p50"] / least["turn_ms"]["p50"], 2),
        "cpu_ratio": round(sum(ours["cpu_ms"].values()) / sum(least["cpu_ms"].values()), 2),
        **shown,
    }


async def embedded_url(data: Path) -> str:
    """The address of the Postgres that runs on this data directory."""
    async with open_embedded_postgres(data / "postgres", port=None, start_timeout=60) as url:
        return url


@contextlib.contextmanager
def started(command: list[str], port: int) -> Iterator[int]:
    """A server that listens, for as long as the context lasts; its process."""
    process = subprocess.Popen(command)
    try:
        wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def other(command: list[str], url: str, server: str, folder: Path, shape: Shape) -> Iterator[tuple[int, int]]:
    """Another chat server, with its port and process."""
    port = free_port()
    with started([*command, str(port), url, server, str(folder), *shape.arguments()], port) as pid:
        yield port, pid


@contextlib.contextmanager
def model_process(shape: Shape, answer: str | None = None) -> Iterator[str]:
    port = free_port()
    options = ["--port", str(port), "--dimension", str(shape.dimension)]
    said = [] if answer is None else ["--behaviour", f"answer={answer}"]
    with started([sys.executable, "-m", "anchorage.testing.model_server", *options, *said], port):
        yield f"http://127.0.0.1:{port}/v1"


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit("a server of the benchmark did not start") from None
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=600, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=SHAPES, help="both by default")
    parser.add_argument("parts", nargs="*", default=["overhead", "streaming"])
    given = parser.parse_args()
    report(**{name: measure(SHAPES[name], given) for name in ([given.shape] if given.shape else SHAPES)})


def measure(shape: Shape, given: argparse.Namespace) -> dict[str, Any]:
    """The wanted parts, over texts of this shape."""
    with tempfile.TemporaryDirectory() as scratch, model_process(shape) as server:
        folder = Path(scratch) / "texts"
        folder.mkdir()
        for number in range(shape.texts):
            (folder / f"{number}.txt").write_text(made_up_text(number, shape.sentences))
        data = Path(scratch) / "data"
        subprocess.run(
            [ANCHORAGE, "ingest", str(folder), "--data", str(data), "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OPENAI_BASE_URL": server, **shape.embeddings},
        )
        figures: dict[str, Any] = {}
        if "overhead" in given.parts or "tutorial" in given.parts:
            tutorial = "tutorial" in given.parts
            figures["overhead"] = overhead(shape, data, folder, server, given.turns, given.rounds, tutorial=tutorial)
        if "streaming" in given.parts:
            figures["streaming"] = streaming(shape, data, folder, min(given.turns, _TURNS))
    return figures


if __name__ == "__main__":
    main()
