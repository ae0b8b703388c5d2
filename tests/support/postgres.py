"""Holds an embedded Postgres open for a test session: prints its URL, ends with its stdin."""

import asyncio
import sys
from pathlib import Path

from anchorage.adapters.postgres.embedded.supervisor import open_embedded_postgres


async def main() -> None:
    async with open_embedded_postgres(Path(sys.argv[1]), port=None, start_timeout=120) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
