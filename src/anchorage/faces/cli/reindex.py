"""reindex: build another index of a collection beside the live one, check it, and switch."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from anchorage.errors import BadRequest, Conflict
from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, errors, print_json, print_table, progress_columns
from anchorage.settings import Settings

if TYPE_CHECKING:
    from anchorage.faces.reindexing import Plan


def command(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection to index anew.")],
    embedder: Annotated[
        str | None, typer.Option("--embedder", metavar="MODEL", help="Embedding model, or `local`; as set by default.")
    ] = None,
    dimension: Annotated[
        int | None, typer.Option("--dimension", min=1, max=4000, help="Vector length, for a model of unknown length.")
    ] = None,
    chunk: Annotated[
        str | None, typer.Option("--chunk", metavar="TOKENS[/OVERLAP]", help="Length of a passage; as set by default.")
    ] = None,
    golden: Annotated[
        Path | None,
        typer.Option("--golden", metavar="DIR", help="queries.jsonl and qrels.tsv to check the new index with."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, max=1, help="nDCG@10 that the new index may lose on the golden set.")
    ] = 0.01,
    no_switch: Annotated[
        bool, typer.Option("--no-switch", help="Build and check; the old index goes on answering.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Switch to the other version.")] = False,
    drop: Annotated[bool, typer.Option("--discard", help="Remove the version that does not answer.")] = False,
    show: Annotated[bool, typer.Option("--status", help="Only show the versions.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Build another index of a collection beside the live one, check it, and switch; answers go on meanwhile."""
    chosen = sum((back, drop, show))
    if chosen > 1 or (chosen and (embedder or chunk or golden or no_switch)):
        raise BadRequest("--back, --discard and --status stand alone: give one of them and the collection.")
    if dimension and not embedder:
        raise BadRequest("--dimension belongs to a model: name it with --embedder.")
    from anchorage.faces.reindexing import Plan

    plan = Plan(collection, embedder, dimension, chunk, golden, tolerance, switch=not no_switch)
    settings = settings_for(data)
    started = time.monotonic()
    if drop or show:
        found = asyncio.run(_read_stored_index(settings, collection, drop=drop))
    else:
        found = asyncio.run(_built(settings, plan, back=back))
    found["seconds"] = round(time.monotonic() - started, 2)
    if json:
        print_json(found)
    else:
        _print(found)
    if found.get("unchanged"):
        errors.print(f"The collection {collection!r} has this index already: there is nothing to build.", markup=False)
    if found.get("refused"):
        raise Conflict(
            f"The new index loses more than {tolerance} nDCG@10 on the golden set, so {collection!r} was not switched. Switch "
            f"anyway with `anchorage reindex {collection} --back`, or remove it with `--discard`."
        )


async def _read_stored_index(settings: Settings, collection: str, *, drop: bool) -> dict[str, Any]:
    from anchorage.faces.reindexing import discard_version, list_versions
    from anchorage.wiring.services import open_storage

    async with open_storage(settings) as storage:
        if drop:
            await discard_version(storage, storage.principal, collection)
        return await list_versions(storage, storage.principal, collection)


async def _built(settings: Settings, plan: Plan, *, back: bool) -> dict[str, Any]:
    from anchorage.faces.reindexing import reindex, switch_back
    from anchorage.wiring.services import open_services

    with Progress(*progress_columns(), console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("documents", total=None)

        def show_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        async with open_services(settings) as services:
            run = (
                switch_back(services, services.principal, plan.collection, show_progress)
                if back
                else reindex(services, services.principal, plan, show_progress)
            )
            return await run


def _print(found: dict[str, Any]) -> None:
    if check := found.get("check"):
        before, after = check["before"]["ndcg@10"], check["after"]["ndcg@10"]
        console().print(f"nDCG@10 over {check['questions']} questions: {before} before, {after} after")
    print_table(
        ("ID", "LIVE", "EMBEDDER", "PRECISION", "CHUNKER", "DOCUMENTS", "MADE"),
        [
            (item["id"], "live" if item["live"] else "", item["embedder"], item["precision"], item["chunker"],
             item["documents"], item["created_at"])
            for item in found["versions"]
        ],
    )  # fmt: skip
