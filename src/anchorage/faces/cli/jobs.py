"""jobs list, show, watch, retry, cancel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anchorage.faces.cli.connection import open_api
from anchorage.faces.cli.options import Data, Json
from anchorage.faces.cli.output import console, errors, print_json, print_table, progress_columns
from anchorage.faces.shapes import job_json
from anchorage.model import Job

if TYPE_CHECKING:
    from anchorage.api import JobsApi

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
        async with open_api(data) as api:
            return await api.jobs.list(status=status, limit=limit), await api.jobs.counts()

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
    _print(data, json, lambda jobs: jobs.show(job_id))


@app.command()
def watch(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more when none is left.")] = False,
    data: Data = None,
) -> None:
    """A progress bar of all jobs, until none is left."""

    async def run() -> int:
        async with open_api(data) as api:
            return await _watch(api.jobs, follow=follow)

    if not asyncio.run(run()):
        errors.print(
            "Nothing is queued or running. `anchorage jobs watch --follow` waits for what comes.", markup=False
        )


async def _watch(jobs: JobsApi, *, follow: bool) -> int:
    """Returns how many jobs there were to wait for; never, if it follows."""
    from rich.progress import Progress

    start, first = time.monotonic(), None
    with Progress(*progress_columns(), console=errors) as progress:
        task = progress.add_task("jobs", total=None)
        while True:
            counts = await jobs.counts()
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
    _print(data, json, lambda jobs: jobs.retry(job_id))


@app.command()
def cancel(job_id: JobId, data: Data = None, json: Json = False) -> None:
    """End a job that waits or runs."""
    _print(data, json, lambda jobs: jobs.cancel(job_id))


def _print(data: Path | None, json: bool, act: Callable[[JobsApi], Awaitable[Job]]) -> None:
    """Do something with a job and print what it is now."""

    async def run() -> Job:
        async with open_api(data) as api:
            return await act(api.jobs)

    shown = job_json(asyncio.run(run()))
    if json:
        print_json(shown)
        return
    for key, value in shown.items():
        if value is not None:
            told = value["message"] if key == "error" else value
            console().print(f"{key + ':':<17} {told}", markup=False)
