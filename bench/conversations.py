"""The 2nd and the 200th turn of conversations: python -m bench.conversations [--turns 200] [--conversations 8].

In seconds, and in bytes that Postgres writes ahead (its log of all changes), the running summary with them.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg

from anchorage.settings import load_settings
from anchorage.testing.model_server import Behaviour, model_server
from anchorage.wiring.databases import open_databases
from bench.streams import load_environment, model_settings
from bench.support import ANCHORAGE, made_up_text, report, served

_ANSWER = "The harbour was opened in 1827 by the guild [1]. " * 4
_LAST = 8  # turns: over a summary's cycle, since only some turns renew it


async def converse(base: str, data: Path, turns: int, threads: int) -> dict[str, Any]:
    """Conversations side by side, turn by turn."""
    seconds: dict[int, list[float]] = {}
    written: dict[int, list[int]] = {}
    async with open_databases(load_settings(data={"dir": data})) as urls:
        connection = await psycopg.AsyncConnection.connect(urls.state, autocommit=True)
        async with connection, httpx.AsyncClient(base_url=base, timeout=60) as client:

            async def position() -> int:
                row = await (await connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")).fetchone()
                assert row
                return int(row[0])

            for turn in range(1, turns + 1):
                for thread in range(threads):
                    message = f"When was the harbour of town {turn % 20}.1 opened?"
                    before, started = await position(), time.perf_counter()
                    body = {"message": message, "conversation_id": f"long-{thread}"}
                    (await client.post("/api/chat", json=body)).raise_for_status()
                    seconds.setdefault(turn, []).append(time.perf_counter() - started)
                    written.setdefault(turn, []).append(await position() - before)

    def cost(some: range) -> tuple[float, float]:
        # Without the quarter in which Postgres logs whole pages, or does something else beside.
        calm = [float(np.sort(written[turn])[: -max(1, threads // 4)].mean()) for turn in some]
        return float(np.median([value for turn in some for value in seconds[turn]])), float(np.mean(calm))

    (early, first), (late, last) = cost(range(2, 3)), cost(range(turns - _LAST + 1, turns + 1))
    return {
        "turns": turns, "conversations": threads, "second_ms": round(early * 1000, 1), "last_ms": round(late * 1000, 1),
        "latency_ratio": round(late / early, 2), "second_bytes": round(first), "last_bytes": round(last),
        "bytes_ratio": round(last / first, 2),
    }  # fmt: skip


async def measure(scratch: Path, turns: int, threads: int) -> dict[str, Any]:
    folder, data = scratch / "texts", scratch / "data"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text(made_up_text(number))
    async with model_server(Behaviour(answer=_ANSWER)) as server:
        env = model_settings(server.url)
        command = [ANCHORAGE, "ingest", str(folder), "--data", str(data), "--json"]
        ingest = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.DEVNULL, env={**load_environment(), **env}
        )
        assert await ingest.wait() == 0

        def serving() -> dict[str, Any]:
            with served(data, **{**env, "LOG_LEVEL": "INFO"}) as (client, _, _):
                return asyncio.run(converse(str(client.base_url), data, turns, threads))

        return await asyncio.to_thread(serving)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--conversations", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        report(**asyncio.run(measure(Path(scratch), given.turns, given.conversations)))


if __name__ == "__main__":
    main()
