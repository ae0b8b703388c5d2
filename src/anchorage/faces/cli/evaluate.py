"""eval: measure retrieval and answers on a judged set."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from anchorage.faces.cli.connection import open_embedded
from anchorage.faces.cli.options import Data, Json
from anchorage.faces.cli.output import errors, print_json


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="corpus.jsonl[.gz], queries.jsonl and qrels.tsv.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Passages that the answerer gets.")] = 10,
    distractors: Annotated[
        Path | None, typer.Option("--distractors", metavar="FILE", help="More passages to search among.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="NAME", help="Keep the collection under this name.")
    ] = None,
    data: Data = None,
    json: Json = False,  # the report is JSON either way
) -> None:
    """Measure retrieval and answers on a judged set, in a collection that is dropped at the end."""
    print_json(asyncio.run(_evaluate(data, folder, k, distractors, keep)))


async def _evaluate(
    data: Path | None, folder: Path, k: int, distractors: Path | None, keep: str | None
) -> dict[str, Any]:
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors, transient=True,
        disable=not errors.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("starting", total=None)
        async with open_embedded(data) as anchorage:
            return await anchorage.eval(
                folder, k=k, distractors=distractors, keep=keep,
                progress=lambda what, done: progress.update(task, description=f"{done} {what}"),
            )  # fmt: skip
