"""Streamed answers under faults and in numbers: python -m bench.streams [kills] [open] [--answers 200] [--open 1000].

`kills`: two processes behind one port (SO_REUSEPORT) stream answers while they are killed with SIGKILL at random points and started again.
Clients that lose their connection come back with the number of the last event that they have, or repeat their request where they have none.
`open`: one process streams many answers at once from a slow model, which writes into each token when it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg

from anchorage.settings import load_settings
from anchorage.testing.model_server import Behaviour, model_server
from anchorage.wiring.databases import open_databases
from bench.support import ANCHORAGE, cpu_seconds, free_port, made_up_text, report, resident_mb

_WORDS = 40
# Without a marker, which verification would take away.
_ANSWER = " ".join(f"word{number}" for number in range(_WORDS)) + " of the harbour."
_QUESTION = "When was the harbour of town 3.1 opened?"


def model_settings(url: str, **more: str) -> dict[str, str]:
    """The environment of a server whose models are all at this address."""
    return {
        "OPENAI_BASE_URL": url, "LLM_MODEL": "x", "EMBEDDING_MODEL": "hashed", "ANCHORAGE_EMBEDDING__DIMENSION": "64",
        "ANCHORAGE_EMBEDDING__PROVIDER": "openai", "LOG_LEVEL": "ERROR", **more,
    }  # fmt: skip


def connections(url: str) -> httpx.AsyncClient:
    """A client that connects anew for each request, so that any of the processes may get it."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=httpx.Timeout(20, connect=2), verify=False)


def listeners(port: int) -> int:
    """How many sockets listen on a port of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "0A" and row[1].endswith(f":{port:04X}") for row in rows)


class Servers:
    """Processes on one port."""

    def __init__(self, data: Path, env: dict[str, str], count: int) -> None:
        self.port = free_port()
        self._command = [ANCHORAGE, "serve", "--port", str(self.port), "--data", str(data)]
        self._env = {**load_environment(), **env, "ANCHORAGE_HTTP__REUSE_PORT": "true"}
        self._count = count
        self.processes: list[asyncio.subprocess.Process] = []
        self.kills = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        while len(self.processes) < self._count:
            self.processes.append(await asyncio.create_subprocess_exec(*self._command, env=self._env))

    async def ready(self) -> None:
        """Wait until every process listens and answers: each connection goes to one of them at random."""
        good = 0
        while listeners(self.port) < self._count:
            await asyncio.sleep(0.05)
        async with connections(self.url) as client:
            while good < 12 * self._count:
                try:
                    good = good + 1 if (await client.get("/readyz")).status_code == 200 else 0
                except httpx.TransportError:
                    good = 0
                await asyncio.sleep(0.01)

    async def kill_one(self) -> None:
        process = self.processes.pop(random.randrange(len(self.processes)))
        process.kill()
        await process.wait()
        self.kills += 1
        await self.start()

    async def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            await process.wait()


def load_environment() -> dict[str, str]:
    import os

    return dict(os.environ)


@dataclass
class Seen:
    """What one client saw of one answer."""

    number: int
    last: int = 0
    text: str = ""
    answer: str | None = None
    done: bool = False
    cuts: int = 0
    resets: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def take(self, event: dict[str, Any]) -> None:
        if event["n"] <= self.last:
            self.wrong.append(f"event {event['n']} after {self.last}")
        elif self.last and event["n"] != self.last + 1:
            self.wrong.append(f"event {event['n']} after {self.last}: some are missing")
        self.last = event["n"]
        if event["type"] == "reset":
            self.text, self.resets = "", self.resets + 1
        elif event["type"] == "token":
            self.text += event["text"]
        elif event["type"] == "answer":
            self.answer = event["answer"]
            if not _ANSWER.startswith(self.text) or (self.text != _ANSWER and self.resets == 0):
                self.wrong.append(f"the tokens said {self.text!r}")
        elif event["type"] == "error":
            self.wrong.append(event["message"])
        self.done = event["type"] == "done"


async def ask(client: httpx.AsyncClient, seen: Seen) -> Seen:
    """One answer, whatever happens to its connections."""
    started = time.perf_counter()
    conversation = f"c{seen.number}"
    while not seen.done and time.perf_counter() - started < 120:
        try:
            path, body = f"/api/chat/{conversation}/events?after={seen.last}", None
            if not seen.last:
                path = "/api/chat"
                body = {"message": _QUESTION, "stream": True, "conversation_id": conversation, "message_id": "m"}
            async with client.stream("POST" if body else "GET", path, json=body) as response:
                if response.status_code == 200:
                    async for line in response.aiter_lines():
                        if line.startswith("data: "):
                            seen.take(json.loads(line.removeprefix("data: ")))
                elif response.status_code != 503:
                    seen.wrong.append(f"status {response.status_code}: {(await response.aread()).decode()}")
        except httpx.TransportError:
            pass
        if not seen.done:
            seen.cuts += 1
            await asyncio.sleep(0.05)
    seen.seconds = time.perf_counter() - started
    return seen


async def kills(data: Path, answers: int, at_once: int) -> dict[str, Any]:
    async with (
        model_server(Behaviour(answer=_ANSWER, token_delay=0.06), dimension=64) as model,
        open_databases(load_settings(data={"dir": data})) as urls,
    ):
        servers = Servers(data, model_settings(model.url), 2)
        await servers.start()
        await servers.ready()
        over = asyncio.Event()

        async def kill() -> None:
            while not over.is_set():
                await asyncio.sleep(random.uniform(0.2, 1.5))
                await servers.kill_one()
                await servers.ready()

        killing = asyncio.create_task(kill())
        found: list[Seen] = []

        async def some() -> None:
            while sum(item.cuts > 0 for item in found) < answers:
                found.append(Seen(len(found)))
                await ask(client, found[-1])

        started = time.perf_counter()
        async with connections(servers.url) as client:
            await asyncio.gather(*(some() for _ in range(at_once)))
        seconds = time.perf_counter() - started
        over.set()
        await killing
        await servers.stop()
        async with await psycopg.AsyncConnection.connect(urls.state) as connection:
            kept = dict(
                await (
                    await connection.execute(
                        "SELECT conversation_id, array_agg(answer) FROM anchorage.turns GROUP BY 1"
                    )
                ).fetchall()
            )
    for item in (item for item in found if item.wrong):
        print(item)
    return {
        "answers": len(found), "kills": servers.kills, "seconds": round(seconds, 1),
        "answers_that_lost_their_connection": sum(item.cuts > 0 for item in found),
        "answers_taken_over": sum(item.resets > 0 for item in found),
        "complete": sum(item.done and item.answer == _ANSWER and not item.wrong for item in found),
        "doubled": sum(len(kept.get(f"c{item.number}", [])) > 1 for item in found),
        "lost": sum(kept.get(f"c{item.number}") != [item.answer] for item in found),
        "slowest_seconds": round(max(item.seconds for item in found), 1),
    }  # fmt: skip


class SlowModel(asyncio.Protocol):
    """A model server by hand, since a framework's own delay would count: each token is the time at which it was sent."""

    tokens, pause = 60, 1.0

    def connection_made(self, transport: Any) -> None:
        self._transport, self._data, self._task = transport, b"", None

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        if not found or len(body) < length:
            return
        self._data = body[length:]
        asked = json.loads(body[:length])
        if "input" in asked:
            rows = [{"index": index, "embedding": [1.0] + [0.0] * 63} for index in range(len(asked["input"]))]
            answer = json.dumps({"data": rows}).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )
            return
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        self._task = asyncio.ensure_future(self._answer())

    async def _answer(self) -> None:
        await asyncio.sleep(random.uniform(0, self.pause))
        for _ in range(self.tokens):
            self._event({"choices": [{"index": 0, "delta": {"content": f"{time.monotonic():.6f} "}}]})
            await asyncio.sleep(self.pause)
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, event: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def connection_lost(self, error: Exception | None) -> None:
        if self._task:
            self._task.cancel()


def serve_slow_model(port: int, tokens: int, pause: float) -> None:
    SlowModel.tokens, SlowModel.pause = tokens, pause

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(SlowModel, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def slow_model() -> Iterator[str]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(
        target=serve_slow_model, args=(port, SlowModel.tokens, SlowModel.pause), daemon=True
    )
    process.start()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()


@asynccontextmanager
async def streaming(port: int, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """A client by hand, since a thousand of a library's would take the machine from what is measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    writer.write(
        b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (len(content), content)
    )

    status = await reader.readline()
    if b" 200 " not in status:
        raise SystemExit(f"POST /api/chat: {status.decode()}")

    async def events() -> AsyncIterator[dict[str, Any]]:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                yield event
                if event["type"] == "done":
                    return

    try:
        yield events()
    finally:
        writer.close()


@dataclass
class Heard:
    """What the clients of many streams heard: (when, delay) of every token, in seconds; and when each stream began and ended."""

    tokens: list[tuple[float, float]] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    def percentiles(self, *, all_open: bool) -> dict[str, float]:
        """Milliseconds; with `all_open` only of the time in which all streams were open at once."""
        start, end = (max(self.began), min(self.ended)) if all_open else (float("-inf"), float("inf"))
        delays = np.array([delay for at, delay in self.tokens if start <= at <= end]) * 1000
        return {f"p{share}": round(float(np.percentile(delays, share)), 1) for share in (50, 95, 99)}


async def opened(port: int, heard: Heard, *, tokens: float = float("inf")) -> bool:
    """One answer of the slow model, whose tokens say when they were sent; left after so many of them."""
    answered = begun = False
    async with streaming(port, {"message": _QUESTION, "stream": True}) as events:
        async for event in events:
            now = time.monotonic()
            if event["type"] == "token":
                if not begun:
                    heard.began.append(now)
                    begun = True
                heard.tokens.extend((now, now - float(part)) for part in event["text"].split())
                if len(heard.tokens) >= tokens:
                    return False
            elif event["type"] == "answer":
                heard.ended.append(now)
                answered = True
    return answered


async def open_streams(data: Path, count: int) -> dict[str, Any]:
    with slow_model() as url:
        env = model_settings(url, ANCHORAGE_LLM__IDLE_TIMEOUT="60", ANCHORAGE_LLM__CONNECTIONS=str(2 * count))
        servers = Servers(data, env, 1)
        async with open_databases(load_settings(data={"dir": data})):
            await servers.start()
            await servers.ready()
            pid = servers.processes[0].pid
            # What is made once, at first use, is not the streams'.
            await asyncio.gather(*(opened(servers.port, Heard(), tokens=3) for _ in range(20)))
            before, cpu = resident_mb(pid), cpu_seconds(pid)
            heard = Heard()
            memory: list[float] = []
            started = time.perf_counter()

            async def one(number: int) -> bool:
                await asyncio.sleep(
                    number * SlowModel.tokens * SlowModel.pause / 2 / count
                )  # all open for half of the time
                return await opened(servers.port, heard)

            async def weigh() -> None:
                while True:
                    await asyncio.sleep(0.5)
                    memory.append(resident_mb(pid))

            weighing = asyncio.create_task(weigh())
            answered = await asyncio.gather(*(one(number) for number in range(count)))
            weighing.cancel()
            seconds = time.perf_counter() - started
            used = cpu_seconds(pid) - cpu
            await servers.stop()
    return {
        "streams": count, "answered": sum(answered), "seconds": round(seconds, 1), "tokens": len(heard.tokens),
        "delay_ms": heard.percentiles(all_open=True), "delay_ms_with_opening_and_ending": heard.percentiles(all_open=False),
        "memory_kb_per_stream": round((max(memory) - before) * 1024 / count, 1),
        "cpu_ms_per_token": round(used * 1000 / len(heard.tokens), 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["kills", "open"])
    parser.add_argument("--answers", type=int, default=200, help="that lose their connection to a kill")
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--open", type=int, default=1000)
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder, data = Path(scratch) / "texts", Path(scratch) / "data"
        folder.mkdir()
        for number in range(20):
            (folder / f"{number}.txt").write_text(made_up_text(number))
        with slow_model() as url:
            subprocess.run(
                [ANCHORAGE, "ingest", str(folder), "--data", str(data), "--json"], check=True, stdout=subprocess.DEVNULL,
                env={**load_environment(), **model_settings(url)},
            )  # fmt: skip
        if "kills" in given.what:
            figures["kills"] = asyncio.run(kills(data, given.answers, given.at_once))
        if "open" in given.what:
            figures["open"] = asyncio.run(open_streams(data, given.open))
    report(**figures)


if __name__ == "__main__":
    main()
