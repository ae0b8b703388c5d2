"""Load on a running server, which repeats nothing: what fails is counted. Streams come back for the rest, as any client of ours does.

Searches go by POST over connections that are kept alive: no client repeats a POST on its own when a kept connection turns out to be closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from uuid import uuid4

import aiohttp

_COME_BACK = 90.0  # seconds that a broken stream gets to be told to its end
_BROKEN = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class Tally:
    """What was asked, and what became of it."""

    requests: int = 0
    disturbed: int = 0
    """Requests that ended while something was being done to the server."""
    failures: list[str] = field(default_factory=list)
    streams: int = 0
    resumed: int = 0
    """Times that a stream broke off and was resumed."""
    lost: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, repr=False)

    def figures(self) -> dict[str, Any]:
        """As the benchmarks print it."""
        ordered = sorted(self.seconds) or [0.0]
        return {
            "requests": self.requests, "disturbed": self.disturbed, "failed": len(self.failures), "failures": self.failures[:5],
            "streams": self.streams, "resumed": self.resumed, "lost": len(self.lost), "losses": self.lost[:5],
            "ms": {"p50": round(ordered[len(ordered) // 2] * 1000), "max": round(ordered[-1] * 1000)},
        }  # fmt: skip


class Load:
    """Clients in a thread of their own, from the context's begin to its end."""

    def __init__(self, address: str, question: str, *, clients: int = 8, streams: int = 4) -> None:
        self.tally = Tally()
        self._address, self._question = address, question
        self._clients, self._streams = clients, streams
        self._ending = threading.Event()
        self._disturbing = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(_COME_BACK * 2)
        if self._error and error is None:
            raise self._error

    @contextlib.contextmanager
    def disturbance(self) -> Iterator[None]:
        """While something is done to the server."""
        self._disturbing = True
        try:
            yield
        finally:
            self._disturbing = False

    def until_requests(self, count: int, seconds: float = 600) -> None:
        """Wait until so many requests have ended."""
        deadline = time.monotonic() + seconds
        while self.tally.requests < count:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise AssertionError(f"{self.tally.requests} of {count} requests in {seconds:.0f} s: {self._error}")
            time.sleep(0.05)

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:  # noqa: BLE001  told where the context ends
            self._error = error

    async def _all(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=60, sock_connect=10)
        async with (
            aiohttp.ClientSession(self._address, connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(self._clients):
                tasks.create_task(self._search(session))
            for _ in range(self._streams):
                tasks.create_task(self._stream(session))

    async def _search(self, session: aiohttp.ClientSession) -> None:
        while not self._ending.is_set():
            begun = time.monotonic()
            try:
                async with session.post("/api/search", json={"question": self._question, "k": 3}) as answer:
                    body = await answer.text()
                    problem = (
                        "" if answer.status == 200 and json.loads(body)["hits"] else f"{answer.status} {body[:200]}"
                    )
            except _BROKEN as error:
                problem = repr(error)
            self._count(problem, begun)
            if problem:
                await asyncio.sleep(0.1)

    def _count(self, problem: str, begun: float) -> None:
        self.tally.requests += 1
        self.tally.disturbed += self._disturbing
        self.tally.seconds.append(time.monotonic() - begun)
        if problem:
            self.tally.failures.append(problem)

    async def _stream(self, session: aiohttp.ClientSession) -> None:
        while not self._ending.is_set():
            stream, begun = _Stream(str(uuid4()), self._question), time.monotonic()
            await stream.read(session)
            self._count(stream.refused, begun)
            while not stream.done and time.monotonic() < begun + _COME_BACK:
                self.tally.resumed += bool(stream.last)
                await stream.read(session)
            self.tally.streams += 1
            if problem := stream.problem():
                self.tally.lost.append(problem)


@dataclass
class _Stream:
    """One streamed answer, as a client puts it together."""

    conversation: str
    question: str
    last: int = 0
    text: str = ""
    answer: str | None = None
    done: bool = False
    refused: str = ""
    """Why a request for it was not answered at all."""
    wrong: list[str] = field(default_factory=list)

    async def read(self, session: aiohttp.ClientSession) -> None:
        """Ask, or come back for the rest, and read to the end or to the break."""
        try:
            async with self._request(session) as answer:
                if answer.status == 204:
                    self.done = True
                    return
                if answer.status != 200:
                    self.refused = f"{answer.status} {(await answer.text())[:200]}"
                    await asyncio.sleep(0.2)
                    return
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        self._take(json.loads(line.removeprefix(b"data: ")))
        except _BROKEN as error:
            if not self.last:
                self.refused = repr(error)
            await asyncio.sleep(0.2)

    def _request(self, session: aiohttp.ClientSession) -> Any:
        if self.last:
            path = f"/api/chat/{self.conversation}/events"
            return session.get(path, headers={"Last-Event-ID": str(self.last)})
        body = {"message": self.question, "conversation_id": self.conversation, "message_id": "m", "stream": True}
        return session.post("/api/chat", json=body)

    def _take(self, event: dict[str, Any]) -> None:
        if event["n"] != self.last + 1:
            self.wrong.append(f"event {event['n']} after {self.last}")
        self.last = event["n"]
        kind = event["type"]
        if kind == "reset":
            self.text = ""
        elif kind == "token":
            self.text += event["text"]
        elif kind == "answer":
            self.answer = event["answer"]
        elif kind == "error":
            self.wrong.append(event["message"])
        elif kind == "done":
            self.done = True

    def problem(self) -> str:
        """What went wrong with it, or nothing."""
        if not self.done or self.answer is None:
            return f"no end after event {self.last}: {self.refused or self.text[-80:]!r} {self.wrong}"
        return "; ".join(self.wrong)
