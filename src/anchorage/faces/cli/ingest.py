"""ingest: bring a collection up to date with its sources."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from json import loads
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import typer
from rich.markup import escape
from rich.progress import Progress

from anchorage.errors import BadRequest
from anchorage.faces.cli.connection import open_embedded
from anchorage.faces.cli.options import Data, Json
from anchorage.faces.cli.output import console, errors, print_json, progress_columns
from anchorage.faces.shapes import outcome_json
from anchorage.model import DEFAULT_COLLECTION, DocumentStatus, Outcome

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
    started = time.perf_counter()
    outcomes = asyncio.run(_ingest(data, sources, _web_options(web), collection, wait, json))
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
    data: Path | None, places: Sequence[str], web: Mapping[str, Any] | None, collection: str, wait: bool, json: bool
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        async with open_embedded(data) as anchorage:
            found = anchorage.ingest_stream(
                *places, collection=collection, wait=wait, web=web,
                counted=lambda total: progress.update(task, description="ingesting", total=total),
            )  # fmt: skip
            async with aclosing(found):
                async for outcome in found:
                    outcomes.append(outcome)
                    progress.advance(task)
                    if not json:
                        _print_outcome(outcome)
    return outcomes


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
    if warned := [outcome for outcome in outcomes if outcome.warning]:
        errors.print(f"{len(warned)} of them: {warned[0].warning}", markup=False, soft_wrap=True)
    if not wait and counts.get("queued"):
        errors.print("A worker ingests them: `anchorage up` and `anchorage worker` run one.")
