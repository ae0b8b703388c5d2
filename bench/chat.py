"""A streamed turn through a generator, against the model server asked directly: python -m bench.chat."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from anchorage.testing.model_server import Behaviour, model_server
from bench.support import ANCHORAGE, made_up_text, milliseconds, report, served

_TURNS = 100
_ANSWER = "The harbour was opened in 1827 by the guild [1]. " * 12


async def through(url: str, path: str, body: dict[str, object], mark: str) -> tuple[float, float]:
    """Seconds to the first piece of text, and to the end."""
    started = time.perf_counter()
    first = 0.0
    async with httpx.AsyncClient(timeout=60) as client, client.stream("POST", url + path, json=body) as response:
        async for line in response.aiter_lines():
            if not first and line.startswith("data: ") and mark in line:
                first = time.perf_counter() - started
    return first, time.perf_counter() - started


async def measure(data: Path) -> None:
    async with model_server(Behaviour(answer=_ANSWER)) as server:
        direct = [
            await through(server.url, "/chat/completions", {"model": "x", "stream": True, "messages": []}, '"content"')
            for _ in range(_TURNS)
        ]

        def serving() -> tuple[list[tuple[float, float]], float]:
            with served(data, OPENAI_BASE_URL=server.url, LLM_MODEL="x") as (client, _, _):
                base = str(client.base_url).rstrip("/")
                bodies = [
                    {"message": f"When was the harbour of town {number % 20}.1 opened?", "stream": True}
                    for number in range(_TURNS)
                ]
                loop = asyncio.new_event_loop()
                found = [loop.run_until_complete(through(base, "/api/chat", body, '"token"')) for body in bodies]
                started = time.perf_counter()

                async def at_once() -> None:
                    await asyncio.gather(*(through(base, "/api/chat", body, '"token"') for body in bodies))

                loop.run_until_complete(at_once())
                seconds = time.perf_counter() - started
                loop.close()
                return found, _TURNS / seconds

        ours, rate = await asyncio.to_thread(serving)
    tokens = len(_ANSWER.split())
    added = np.median([end for _, end in ours]) - np.median([end for _, end in direct])
    report(
        turns=_TURNS,
        first_token_ms={
            "direct": milliseconds([first for first, _ in direct]),
            "anchorage": milliseconds([first for first, _ in ours]),
        },
        whole_ms={
            "direct": milliseconds([end for _, end in direct]),
            "anchorage": milliseconds([end for _, end in ours]),
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
