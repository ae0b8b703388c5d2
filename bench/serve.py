"""Start and memory of `anchorage serve`: python -m bench.serve [--data DATA]."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from bench.support import ANCHORAGE, made_up_text, report, resident_mb, served


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = given.data or Path(scratch) / "data"
        folder = Path(scratch) / "texts"
        folder.mkdir()
        for number in range(20):
            (folder / f"{number}.txt").write_text(made_up_text(number))
        command = [ANCHORAGE, "ingest", str(folder), "--data", str(data), "--collection", "bench-serve", "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        # The first server keeps the embedded database running, so that the second's start is measured on a running one.
        with served(data) as (_, _, first), served(data) as (client, pid, seconds):
            idle = resident_mb(pid)
            for number in range(given.questions):
                client.post(
                    "/api/chat", json={"message": f"When was the harbour of town {number % 20}.{number % 40} opened?"}
                ).raise_for_status()
            report(
                ready_seconds={"database_running": round(seconds, 2), "database_started_too": round(first, 2)},
                resident_mb={"idle": idle, f"after_{given.questions}_questions": resident_mb(pid)},
            )


if __name__ == "__main__":
    main()
