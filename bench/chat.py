"""A streamed turn through a generator, against the model server asked directly: python -m bench.chat."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from anchorage.evaluation.metrics import percentiles
from anchorage.testing.model_server import Behaviour, model_server
from bench.support import ANCHORAGE, made_up_text, report, served

_TURNS = 100
_ANSWER = "The harbour was opened in 1827 by the guild [1]. " * 12


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


async def measure(data: Path) -> None:
    async with model_server(Behaviour(answer=_ANSWER)) as server:
        asked: dict[str, object] = {"model": "x", "stream": True, "messages": []}
        direct, _ = await turns(server.url, "/chat/completions", [asked] * _TURNS, '"content"')

        def serving() -> tuple[list[tuple[float, float]], float]:
            bodies: list[dict[str, object]] = [
                {"message": f"When was the harbour of town {number % 20}.1 opened?", "stream": True}
                for number in range(_TURNS)
            ]
            with served(data, OPENAI_BASE_URL=server.url, LLM_MODEL="x") as (client, _, _):
                return asyncio.run(turns(str(client.base_url), "/api/chat", bodies, '"token"'))

        ours, rate = await asyncio.to_thread(serving)
    tokens = len(_ANSWER.split())
    added = np.median([end for _, end in ours]) - np.median([end for _, end in direct])
    report(
        turns=_TURNS,
        first_token_ms={
            "direct": percentiles([first for first, _ in direct]),
            "anchorage": percentiles([first for first, _ in ours]),
        },
        whole_ms={
            "direct": percentiles([end for _, end in direct]),
            "anchorage": percentiles([end for _, end in ours]),
        },
        added_ms_per_token=round(float(added) * 1000 / tokens, 3),
        turns_per_second_at_once=round(rate, 1),
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "texts"
        folder.mkdir()
        for number in range(20):
            (folder / f"{number}.txt").write_text(made_up_text(number))
        data = Path(scratch) / "data"
        subprocess.run(
            [ANCHORAGE, "ingest", str(folder), "--data", str(data), "--json"], check=True, stdout=subprocess.DEVNULL
        )
        asyncio.run(measure(data))


if __name__ == "__main__":
    main()
