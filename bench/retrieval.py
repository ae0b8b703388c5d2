"""Latency of POST /api/search on a running server, one client, warm.

python -m bench.retrieval --data DATA --collection NAME --queries FILE [--against NAME] [--count 300]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import httpx

from anchorage.evaluation.metrics import percentiles
from bench.support import read_queries, report, resident_mb, served


def latencies(client: httpx.Client, collection: str, questions: list[str]) -> list[float]:
    """Seconds of each search; the server's own part and the wire, end to end."""
    seconds = []
    for question in questions:
        started = time.perf_counter()
        response = client.post("/api/search", json={"question": question, "collection": collection})
        seconds.append(time.perf_counter() - started)
        response.raise_for_status()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--collection", required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--against", help="a smaller collection, to measure growth")
    parser.add_argument("--count", type=int, default=300)
    given = parser.parse_args()
    questions = [row["text"] for row in read_queries(given.queries)][: given.count]
    figures: dict[str, Any] = {"questions": len(questions)}
    with served(given.data) as (client, pid, _):
        names = [name for name in (given.against, given.collection) if name]
        taken: dict[str, list[float]] = {name: [] for name in names}
        for name in names:
            latencies(client, name, questions)  # warm
        for start in range(0, len(questions), 50):  # in turns, so that a noisy minute hits both
            for name in names:
                taken[name] += latencies(client, name, questions[start : start + 50])
        for name in names:
            figures[name] = percentiles(taken[name])
        if given.against:
            figures["growth"] = {
                point: round(figures[given.collection][point] / figures[given.against][point], 2)
                for point in ("p50", "p95")
            }
        figures["resident_mb"] = resident_mb(pid)
    report(**figures)


if __name__ == "__main__":
    main()
