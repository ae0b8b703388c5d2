"""sources add, list, sync, remove."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from anchorage import wiring
from anchorage.errors import BadRequest
from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import source_json
from anchorage.model import DEFAULT_COLLECTION, RegisteredSource

app = typer.Typer(no_args_is_help=True, help="Keep folders, buckets, sites and wikis in sync.")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST, _LONGEST = 60, 366 * 86400
_NUMBERS = ("depth", "pages")  # options that are numbers
_REASON = 100

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
        from anchorage.faces.sources import register_source

        async with wiring.open_services(settings) as services:
            return await register_source(
                services, services.principal, location, collection, options, interval, local=True
            )

    interval = seconds(every) if every else None
    options = dict(_pair(item) for item in option or ())
    settings = settings_for(data)
    source, job_id = asyncio.run(run())
    if json:
        print_json({**source_json(source), "job_id": job_id})
    else:
        console().print(f"{source.id}  {source.location}\nThe first sync is job {job_id}; a worker does it: `anchorage up` "
                        "and `anchorage worker` run one.", markup=False)  # fmt: skip


def _numbers(source: RegisteredSource, failed: int) -> str:
    return ", ".join(
        f"{count} {kind}" for kind, count in [*source.report.items(), *([("failed", failed)] if failed else [])]
    )


def _pair(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise BadRequest(f"{text[:60]!r} is no option. Write it as NAME=VALUE.")
    return name, int(value) if name in _NUMBERS and value.isdecimal() else value


@app.command(name="list")
def list_sources(data: Data = None, json: Json = False) -> None:
    """All sources with what their last sync found."""

    async def run() -> Sequence[tuple[RegisteredSource, int]]:
        from anchorage.faces.sources import count_failed_documents

        async with wiring.open_storage(settings) as storage:
            return await count_failed_documents(
                storage, storage.principal, await storage.registry.sources(storage.principal)
            )

    settings = settings_for(data)
    found = asyncio.run(run())
    if json:
        print_json({"sources": [source_json(*item) for item in found]})
    elif not found:
        console().print("No sources yet. Register one with `anchorage sources add SOURCE`.")
    else:
        print_table(
            ("ID", "STATUS", "EVERY", "COLLECTION", "LOCATION", "LAST SYNC OR REASON"),
            [
                (item.id, item.status, f"{item.interval} s" if item.interval else "on demand", item.collection, item.location,
                 item.error.message[:_REASON] if item.error else _numbers(item, failed))
                for item, failed in found
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
        from anchorage.faces.sources import request_sync

        async with wiring.open_storage(settings) as storage:
            return await request_sync(storage, storage.principal, source_id, confirm=confirm)

    settings = settings_for(data)
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
        from anchorage.faces.sources import remove_source

        async with wiring.open_storage(settings) as storage:
            return await remove_source(storage, storage.principal, source_id, keep_documents=keep_documents)

    settings = settings_for(data)
    deleted = asyncio.run(run())
    if json:
        print_json({"removed": source_id, "documents_deleted": deleted})
    else:
        console().print(f"Removed, with {deleted} documents.")
