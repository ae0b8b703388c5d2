"""How many pods, how much CPU, memory and storage, at what price: from what is to be answered, by constants that were measured.

usage: sizing.py --documents 20000 --pages 10 --users 200 [--questions-per-hour 12] [--changed-per-day 0.02] [--json]
                 [--model local|remote] [--replicas-least 2] [--prices cpu=22,memory=3,storage=0.12,object=0.02,tokens-in=0.15,tokens-out=0.6]

Prices are for a month: a core, a GiB of memory, a GiB of volume, a GiB of object storage; and for a million tokens. Those in the defaults
are round figures of 2026 for small clouds: put in your own.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass

GIB = 1024**3


@dataclass(frozen=True)
class Measured:
    """On two cores of a common machine, with the local model (384 dimensions, int8). docs/how-to/kubernetes-sizing.md says whence each comes."""

    chunks_per_page: float = 2.2
    text_per_page: int = 2_200  # bytes of extracted text
    row_bytes: int = 2_300  # of a passage: text, half-precision vector, places
    index_bytes: int = 1_250  # of a passage in the vector index
    lexical_bytes: int = 650  # of a passage in the lexical index, between two merges
    slack: float = 1.5  # dead rows, the second index while one is built anew, log
    turn_cpu: float = 0.007  # seconds of API and Postgres together for an answer, the model's time not counted
    postgres_share: float = 0.25
    embed_cpu: float = 0.004  # seconds for a question by the local model
    token_cpu: float = 0.00007  # seconds for each streamed token
    turn_bytes: int = 6_000  # what is kept of a turn
    stream_bytes: int = 120 * 1024
    chunks_per_cpu_second: float = 300  # ingestion with the local model, parsing and storing included
    api_bytes: tuple[int, int] = (212 * 1024**2, 120 * 1024**2)  # idle, with the local model and with remote ones
    worker_bytes: int = 290 * 1024**2
    pool: int = 12  # connections of one pod to each database


@dataclass(frozen=True)
class Wanted:
    documents: int
    pages: float
    users: int
    questions_per_hour: float
    changed_per_day: float
    model: str
    replicas_least: int


@dataclass(frozen=True)
class Size:
    """What it takes. Memory and storage in GiB, money for a month."""

    chunks: int
    turns_per_second: float
    streams: int
    api_replicas: int
    api_cpu: float
    api_memory: float
    worker_replicas: int
    worker_memory: float
    first_load_hours: float
    postgres_cpu: float
    postgres_memory: float
    postgres_storage: float
    object_storage: float
    connections: int
    cost: float
    cost_of_tokens: float


PRICES = {"cpu": 22.0, "memory": 3.0, "storage": 0.12, "object": 0.02, "tokens-in": 0.15, "tokens-out": 0.60}
_BUSY = 3.0  # the busiest minute against the mean of a working hour
_USED = 0.6  # of the CPU, so that the autoscaler has time
_MINUTES = 8 * 60 * 22  # in which people ask, in a month
_ANSWER = (3_200, 260)  # tokens read and written for an answer
_SECONDS = 8.0  # that an answer streams
_PER_POD = 200  # streams that one pod should carry


def size(wanted: Wanted, prices: dict[str, float] | None = None, at: Measured | None = None) -> Size:
    """What the numbers of `wanted` come to."""
    prices, at = {**PRICES, **(prices or {})}, at or Measured()
    local = wanted.model == "local"
    chunks = math.ceil(wanted.documents * wanted.pages * at.chunks_per_page)
    mean = wanted.users * wanted.questions_per_hour / 3600
    busy = mean * _BUSY
    streams = math.ceil(busy * _SECONDS)
    api_seconds = at.turn_cpu * (1 - at.postgres_share) + _ANSWER[1] * at.token_cpu + (at.embed_cpu if local else 0)
    cores = busy * api_seconds / _USED
    replicas = max(wanted.replicas_least, math.ceil(cores), math.ceil(streams / _PER_POD))
    # Each pod keeps one core of its own, since a Python process uses no more for its requests.
    memory = replicas * (at.api_bytes[0 if local else 1] + streams / replicas * at.stream_bytes) * 1.5
    vectors = chunks * at.index_bytes
    text = wanted.documents * wanted.pages * at.text_per_page
    turns = mean * 60 * _MINUTES * 12  # a year of conversations
    storage = (chunks * (at.row_bytes + at.index_bytes + at.lexical_bytes) + text) * at.slack + turns * at.turn_bytes
    changed = chunks * wanted.changed_per_day / at.chunks_per_cpu_second
    workers = max(1, math.ceil(changed / (4 * 3600)))  # a day's changes within four hours of one core each
    postgres_cpu = max(1.0, busy * at.turn_cpu * at.postgres_share / _USED + 0.5)
    postgres_memory = max(1.0, (vectors + chunks * at.lexical_bytes) * 1.3 / GIB + 0.5)
    asked = mean * 60 * _MINUTES
    originals = text * 8 / GIB  # a PDF holds about eight times its text
    money = (
        prices["cpu"] * (max(cores, replicas * 0.25) + workers * 0.5 + postgres_cpu)
        + prices["memory"] * (memory / GIB + workers * at.worker_bytes * 1.5 / GIB + postgres_memory)
        + prices["storage"] * storage / GIB
        + prices["object"] * originals
    )
    tokens = 0.0 if local else asked * (_ANSWER[0] * prices["tokens-in"] + _ANSWER[1] * prices["tokens-out"]) / 1e6
    return Size(
        chunks=chunks, turns_per_second=round(busy, 2), streams=streams, api_replicas=replicas, api_cpu=round(cores, 2),
        api_memory=round(memory / GIB, 2), worker_replicas=workers, worker_memory=round(workers * at.worker_bytes * 1.5 / GIB, 2),
        first_load_hours=round(chunks / at.chunks_per_cpu_second / workers / 3600, 2), postgres_cpu=round(postgres_cpu, 2),
        postgres_memory=round(postgres_memory, 2), postgres_storage=round(storage / GIB, 2), object_storage=round(originals, 2),
        connections=(replicas + workers) * at.pool, cost=round(money, 2), cost_of_tokens=round(tokens, 2),
    )  # fmt: skip


def told(wanted: Wanted, found: Size) -> str:
    """The figures for people, and the values of the chart that follow from them."""
    each = math.ceil(found.api_memory * 1024 / found.api_replicas / 16) * 16
    pods = f"replicas: {found.api_replicas}"
    if found.api_replicas > 2:
        pods = f"autoscaling: {{enabled: true, minReplicas: {max(2, wanted.replicas_least)}, maxReplicas: {found.api_replicas * 2}}}"
    return f"""{found.chunks:,} passages; {found.turns_per_second} questions/s and {found.streams} streams in the busiest minute

what       pods  cores  GiB memory  GiB storage
api        {found.api_replicas:4}  {found.api_cpu:5}  {found.api_memory:10}
worker     {found.worker_replicas:4}      -  {found.worker_memory:10}   first load: {found.first_load_hours} h
postgres      1  {found.postgres_cpu:5}  {found.postgres_memory:10}  {found.postgres_storage:11}   max_connections of {found.connections} and more
originals     -      -           -  {found.object_storage:11}

a month: {found.cost:.2f} for machines and storage, {found.cost_of_tokens:.2f} for tokens

api:
  {pods}
  resources: {{requests: {{cpu: {max(250, math.ceil(found.api_cpu / found.api_replicas * 1000))}m, memory: {each}Mi, ephemeral-storage: 256Mi}}}}
worker:
  replicas: {found.worker_replicas}
"""


def _prices(text: str) -> dict[str, float]:
    found = {}
    for item in filter(None, text.split(",")):
        name, _, value = item.partition("=")
        if name not in PRICES:
            raise argparse.ArgumentTypeError(f"{name!r} is no price; there are {', '.join(PRICES)}")
        try:
            found[name] = float(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"the price of {name} is {value!r}, which is no number") from None
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--pages", type=float, default=10, help="of a document")
    parser.add_argument("--users", type=int, required=True, help="who may ask in the same hour")
    parser.add_argument("--questions-per-hour", type=float, default=12, help="of one of them")
    parser.add_argument("--changed-per-day", type=float, default=0.02, help="share of the documents")
    parser.add_argument(
        "--model",
        choices=["local", "remote"],
        default="remote",
        help="embeddings and answers by the local model, or by servers",
    )
    parser.add_argument("--replicas-least", type=int, default=2)
    parser.add_argument("--prices", type=_prices, default={})
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if (
        min(given.documents, given.users, given.pages, given.questions_per_hour, given.changed_per_day) < 0
        or given.replicas_least < 1
    ):
        parser.error("numbers are 0 or more, and --replicas-least is 1 or more")
    wanted = Wanted(
        given.documents,
        given.pages,
        given.users,
        given.questions_per_hour,
        given.changed_per_day,
        given.model,
        given.replicas_least,
    )
    found = size(wanted, given.prices)
    print(json.dumps(asdict(found)) if given.json else told(wanted, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
