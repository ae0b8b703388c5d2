"""ingest: bring a collection up to date with its sources."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

import typer
from rich.markup import escape
from rich.progress import Progress

from anchorage.errors import AnchorageError, BadRequest
from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, errors, print_json, progress_columns
from anchorage.faces.shapes import outcome_json
from anchorage.model import DEFAULT_COLLECTION, DocumentStatus, Failure, Outcome
from anchorage.settings import Settings

if TYPE_CHECKING:
    from anchorage.ports.source import Source
    from anchorage.wiring.services import Services

_STYLE = {"indexed": "green", "failed": "red", "held": "yellow", "deleted": "yellow", "queued": "cyan"}


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Folders, files, s3://BUCKET/PREFIX/, web pages, confluence://SPACE."),
    ],
    collection: Annotated[str, typer.Option("--collection", metavar="NAME")] = DEFAULT_COLLECTION,
    web: Annotated[
        str | None,
        typer.Option("--web", metavar="JSON", help="How web addresses are read: mode, depth, pages, prefix."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Do it now, or leave it to a worker.")] = True,
    data: Data = None,
    json: Json = False,
) -> int:
    """Index documents. What has not changed is skipped; what is gone from a source is deleted."""
    settings = settings_for(data)
    started = time.perf_counter()
    outcomes = asyncio.run(_ingest(settings, sources, _web_options(web), collection, wait, json))
    seconds = round(time.perf_counter() - started, 2)
    if json:
        print_json({"documents": [outcome_json(outcome) for outcome in outcomes], "seconds": seconds})
    else:
        _print_summary(outcomes, collection, seconds, wait)
    failed = [outcome for outcome in outcomes if outcome.status is DocumentStatus.FAILED]
    return 1 if not outcomes or len(failed) == len(outcomes) else 0


def _web_options(given: str | None) -> Mapping[str, Any] | None:
    """The options of `--web`. Raises `BadRequest`."""
    if given is None:
        return None
    try:
        found = loads(given)
    except ValueError as error:
        raise BadRequest(f"--web is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise BadRequest('--web is no JSON object. Write for example --web \'{"mode": "crawl", "depth": 2}\'.')
    return found


async def _ingest(
    settings: Settings, locations: Sequence[str], web: Mapping[str, Any] | None, collection: str, wait: bool, json: bool
) -> list[Outcome]:
    from anchorage.ingest.worker import maintain_once
    from anchorage.wiring.services import open_services
    from anchorage.wiring.sources import open_location

    outcomes: list[Outcome] = []
    async with AsyncExitStack() as stack:
        # All are checked before anything is done.
        opened = [await stack.enter_async_context(open_location(settings, location, web)) for location in locations]
        progress = stack.enter_context(_progress())
        task = progress.add_task("starting", total=None)
        total: int | None = 0
        for source in opened:
            if not source.uri.startswith("file:") or web is not None:
                total = None  # counting would fetch every page, only to know how many there are
                break
            async for _ in source.list():
                total = (total or 0) + 1
        async with open_services(settings) as services:
            progress.update(task, description="ingesting", total=total)
            for source in opened:
                async for outcome in _outcomes(services, collection, source, wait):
                    outcomes.append(outcome)
                    progress.advance(task)
                    if not json:
                        _print_outcome(outcome)
            while wait and await maintain_once(services.storage.upkeep, settled=True):
                pass
    return outcomes


async def _outcomes(services: Services, collection: str, source: Source, wait: bool) -> AsyncIterator[Outcome]:
    if not wait:
        async for outcome in _queue(services, collection, source):
            yield outcome
        return
    ingester = services.ingest.ingester_for(services.principal)
    async for outcome in ingester.ingest_source(collection, source):
        yield outcome


async def _queue(services: Services, collection: str, source: Source) -> AsyncIterator[Outcome]:
    """Keep the files' bytes and leave the rest to a worker."""
    from anchorage.ingest.jobs.upload import upload_job

    await services.ingest.indexes.open(services.principal, collection)
    async for entry in source.list():
        uri = entry.uri
        try:
            async with source.fetch(uri) as item:
                key = await services.storage.blobs.put(Path(item.path))
            job = upload_job(services.principal, collection, uri, item.name, key)
            await services.storage.queue.add(services.principal, [job])
        except AnchorageError as error:
            yield Outcome(uri, None, DocumentStatus.FAILED, error=Failure(error.code, error.message))
        else:
            yield Outcome(uri, None, DocumentStatus.QUEUED)


def _progress() -> Progress:
    return Progress(
        *progress_columns(), console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip


def _print_outcome(outcome: Outcome) -> None:
    status = outcome.status.value
    place = unquote(outcome.uri.removeprefix("file://"))
    style = _STYLE.get(status, "dim")
    note = f"  {outcome.error.message}" if outcome.error else f"  {outcome.chunks} passages" if outcome.chunks else ""
    console().print(f"[{style}]{status:<9}[/{style}] {escape(place)}[dim]{escape(note)}[/dim]")


def _print_summary(outcomes: Sequence[Outcome], collection: str, seconds: float, wait: bool) -> None:
    counts = Counter(outcome.status.value for outcome in outcomes)
    told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "nothing to ingest"
    console().print(f"\n{told} in {seconds:.1f} s, in the collection {collection!r}.", markup=False)
    if not wait and counts.get("queued"):
        errors.print("A worker ingests them: `anchorage up` and `anchorage worker` run one.")
