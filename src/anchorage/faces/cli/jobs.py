"""jobs list, show, watch, retry, cancel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, errors, print_json, print_table, progress_columns
from anchorage.faces.shapes import job_json
from anchorage.model import Job

if TYPE_CHECKING:
    from anchorage.wiring.services import Storage

app = typer.Typer(no_args_is_help=True, help="See, retry and cancel what workers do.")
_REASON = 100
_PAUSE = 1.0

JobId = Annotated[str, typer.Argument(metavar="ID")]


@app.command(name="list")
def list_jobs(
    status: Annotated[str | None, typer.Option("--status", help="queued, running, done, failed or cancelled.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    data: Data = None,
    json: Json = False,
) -> None:
    """The newest jobs, with the reason where one failed or waits for another attempt."""

    async def run() -> tuple[Sequence[Job], Mapping[str, int]]:
        from anchorage.wiring.services import open_storage

        async with open_storage(settings) as storage:
            found = await storage.queue.jobs(storage.principal, status=status, limit=limit)
            return found, await storage.queue.counts(storage.principal)

    settings = settings_for(data)
    found, counts = asyncio.run(run())
    if json:
        print_json({"jobs": [job_json(job) for job in found], "counts": dict(counts)})
        return
    print_table(
        ("ID", "KIND", "STATUS", "ATTEMPTS", "COLLECTION", "NAME", "REASON"),
        [
            (job.id, job.kind, job.status, job.attempts, job.collection, job.name[:60],
             job.error.message[:_REASON] if job.error else "")
            for job in found
        ],
    )  # fmt: skip
    console().print("\n" + ", ".join(f"{count} {name}" for name, count in counts.items()), markup=False)


@app.command()
def show(job_id: JobId, data: Data = None, json: Json = False) -> None:
    """One job with its attempts, its reason and its next attempt."""
    _print(data, json, lambda storage: storage.queue.job(storage.principal, job_id))


@app.command()
def watch(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more when none is left.")] = False,
    data: Data = None,
) -> None:
    """A progress bar of all jobs, until none is left."""

    async def run() -> int:
        from anchorage.wiring.services import open_storage

        async with open_storage(settings) as storage:
            return await _watch(storage, follow=follow)

    settings = settings_for(data)
    if not asyncio.run(run()):
        errors.print(
            "Nothing is queued or running. `anchorage jobs watch --follow` waits for what comes.", markup=False
        )


async def _watch(storage: Storage, *, follow: bool) -> int:
    """Returns how many jobs there were to wait for; never, if it follows."""
    start, first = time.monotonic(), None
    with Progress(*progress_columns(), console=errors) as progress:
        task = progress.add_task("jobs", total=None)
        while True:
            counts = await storage.queue.counts(storage.principal)
            left = counts["queued"] + counts["running"]
            first = left if first is None else max(first, left)
            done = first - left
            rate = done / (time.monotonic() - start)
            told = f"{counts['running']} running, {counts['failed']} failed, {rate:.1f}/s"
            told += f", about {left / rate:.0f} s left" if done and left else ""
            told = told if left or not follow else f"waiting for jobs, {counts['failed']} failed"
            progress.update(task, total=first, completed=done, description=told)
            if not left and not follow:
                return first
            if not left:
                start, first = time.monotonic(), None  # the next ones are counted anew
            await asyncio.sleep(_PAUSE)


@app.command()
def retry(job_id: JobId, data: Data = None, json: Json = False) -> None:
    """Queue a failed or cancelled job anew."""
    _print(data, json, lambda storage: storage.queue.retry(storage.principal, job_id))


@app.command()
def cancel(job_id: JobId, data: Data = None, json: Json = False) -> None:
    """End a job that waits or runs."""
    _print(data, json, lambda storage: storage.queue.cancel(storage.principal, job_id))


def _print(data: Path | None, json: bool, act: Callable[[Storage], Awaitable[Job]]) -> None:
    """Do something with a job and print what it is now."""

    async def run() -> Job:
        from anchorage.wiring.services import open_storage

        async with open_storage(settings) as storage:
            return await act(storage)

    settings = settings_for(data)
    shown = job_json(asyncio.run(run()))
    if json:
        print_json(shown)
        return
    for key, value in shown.items():
        if value is not None:
            told = value["message"] if key == "error" else value
            console().print(f"{key + ':':<17} {told}", markup=False)
