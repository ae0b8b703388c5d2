"""sources add, list, sync, remove."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from anchorage.errors import BadRequest
from anchorage.faces.cli.connection import open_api, open_embedded
from anchorage.faces.cli.options import Data, Json
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import source_json
from anchorage.model import DEFAULT_COLLECTION, RegisteredSource

app = typer.Typer(no_args_is_help=True, help="Keep folders, buckets, sites and wikis in sync.")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST, _LONGEST = 60, 366 * 86400
_NUMBERS = ("depth", "pages")  # options that are numbers
_REASON = 100
_REMOTE = re.compile(r"(?i)(s3|confluence|https?)://")

SourceId = Annotated[str, typer.Argument(metavar="ID")]


def seconds(text: str) -> int:
    """`90s`, `15m`, `1h` or `1d` in seconds. Raises `BadRequest`."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text.strip().lower())
    if not match or not _SHORTEST <= int(match[1]) * _UNITS[match[2]] <= _LONGEST:
        raise BadRequest(
            f"{text[:40]!r} is no interval. Write it as 15m, 1h or 1d; at least {_SHORTEST}s, at most a year."
        )
    return int(match[1]) * _UNITS[match[2]]


@app.command()
def add(
    location: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder, or the address of another source.")],
    collection: Annotated[str, typer.Option("--collection", metavar="NAME")] = DEFAULT_COLLECTION,
    every: Annotated[
        str | None, typer.Option("--every", metavar="INTERVAL", help="15m, 1h, 1d; on demand without it.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of this kind of source.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Register a source and queue its first sync; a worker does it."""

    async def run() -> tuple[RegisteredSource, str]:
        # Files are those of whoever types, which no server takes over HTTP.
        async with open_api(data) if _REMOTE.match(location) else open_embedded(data) as api:
            return await api.sources.add(location, collection=collection, every=interval, options=options)

    interval = seconds(every) if every else None
    options = dict(_pair(item) for item in option or ())
    source, job_id = asyncio.run(run())
    if json:
        print_json({**source_json(source), "job_id": job_id})
    else:
        console().print(f"{source.id}  {source.location}\nThe first sync is job {job_id}; a worker does it: `anchorage up` "
                        "and `anchorage worker` run one.", markup=False)  # fmt: skip


def _numbers(source: RegisteredSource) -> str:
    failed = [("failed", source.failed)] if source.failed else []
    return ", ".join(f"{count} {kind}" for kind, count in [*source.report.items(), *failed])


def _pair(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise BadRequest(f"{text[:60]!r} is no option. Write it as NAME=VALUE.")
    return name, int(value) if name in _NUMBERS and value.isdecimal() else value


@app.command(name="list")
def list_sources(data: Data = None, json: Json = False) -> None:
    """All sources with what their last sync found."""

    async def run() -> Sequence[RegisteredSource]:
        async with open_api(data) as api:
            return await api.sources.list()

    found = asyncio.run(run())
    if json:
        print_json({"sources": [source_json(item) for item in found]})
    elif not found:
        console().print("No sources yet. Register one with `anchorage sources add SOURCE`.")
    else:
        print_table(
            ("ID", "STATUS", "EVERY", "COLLECTION", "LOCATION", "LAST SYNC OR REASON"),
            [
                (item.id, item.status, f"{item.interval} s" if item.interval else "on demand", item.collection, item.location,
                 item.error.message[:_REASON] if item.error else _numbers(item))
                for item in found
            ],
        )  # fmt: skip


@app.command()
def sync(
    source_id: SourceId,
    confirm: Annotated[bool, typer.Option("--confirm", help="Delete as much as is gone, however much it is.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Queue a sync now; a worker does it."""

    async def run() -> str:
        async with open_api(data) as api:
            return await api.sources.sync(source_id, confirm=confirm)

    job_id = asyncio.run(run())
    if json:
        print_json({"job_id": job_id})
    else:
        console().print(f"Queued as job {job_id}. `anchorage jobs show {job_id}` tells how it goes.", markup=False)


@app.command()
def remove(
    source_id: SourceId,
    keep_documents: Annotated[bool, typer.Option("--keep-documents", help="They go on answering.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Forget a source, with its documents."""

    async def run() -> int:
        async with open_api(data) as api:
            return await api.sources.remove(source_id, keep_documents=keep_documents)

    deleted = asyncio.run(run())
    if json:
        print_json({"removed": source_id, "documents_deleted": deleted})
    else:
        console().print(f"Removed, with {deleted} documents.")
