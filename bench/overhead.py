"""Clients and counters for comparing two servers: requests over kept connections without a client library, and CPU time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

Body = Callable[[str], dict[str, Any]]


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        + data
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise SystemExit(f"{path}: {head.decode('latin-1')}")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    return await reader.readexactly(length)


async def turns(port: int, path: str, questions: list[str], clients: int) -> tuple[list[float], float]:
    """Ask them all, so many at a time, each in a conversation of its own: the seconds of each, and of all."""
    waiting = iter(questions)
    seconds: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for question in waiting:
            started = time.perf_counter()
            answer = await _post(reader, writer, path, {"message": question, "conversation_id": str(uuid4())})
            seconds.append(time.perf_counter() - started)
            assert b'"answer"' in answer
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return seconds, time.perf_counter() - started
