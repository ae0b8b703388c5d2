"""What becomes of every file below a folder: python -m bench.files FOLDER."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from anchorage.adapters.parsers.sandbox import ParseLimits, open_sandboxed_parser
from anchorage.errors import AnchorageError
from anchorage.settings.sections import IngestSettings
from bench.support import report


async def measure(folder: Path) -> None:
    limits = IngestSettings()
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    slowest = (0.0, "")
    async with open_sandboxed_parser(
        ParseLimits(limits.parse_timeout, limits.parse_memory_bytes, limits.max_text_chars), 1
    ) as parser:
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            started = time.perf_counter()
            try:
                await parser.parse(path, path.name)
                outcome = "read"
            except AnchorageError as error:
                outcome = error.code
            outcomes[path.parent.name][outcome] += 1
            slowest = max(slowest, (round(time.perf_counter() - started, 2), path.name))
    report(
        files=sum(sum(counts.values()) for counts in outcomes.values()),
        outcomes={kind: dict(counts) for kind, counts in sorted(outcomes.items())},
        slowest={"seconds": slowest[0], "file": slowest[1]},
        peak_resident_mb_of_a_parser=round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1),
    )


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1])))
