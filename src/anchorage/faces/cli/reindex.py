"""reindex: build another index of a collection beside the live one, check it, and switch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
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


Gate = Annotated[
    Path | None,
    typer.Option(
        "--gate", metavar="DIR", help="questions.jsonl to ask after the switch; switches back where answers are lost."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Switch whatever --gate says.")]


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
    gate: Gate = None,
    force: Force = False,
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
    alone = [name for name, given in (("--back", back), ("--discard", drop), ("--status", show)) if given]
    _check_options(
        alone, any((embedder, chunk, golden, gate, no_switch)), dimension_only=bool(dimension and not embedder)
    )
    from anchorage.faces.reindexing import Plan

    plan = Plan(collection, embedder, dimension, chunk, golden, tolerance, switch=not no_switch)
    settings = settings_for(data)
    started = time.monotonic()
    if gate is not None:
        _accept_state(settings, data, gate)
    if drop or show:
        found = asyncio.run(_read_stored_index(settings, collection, drop=drop))
    else:
        found = asyncio.run(_built(settings, plan, back=back))
    if gate is not None and not found.get("refused") and not found.get("unchanged") and not no_switch:
        found["gate"] = _ask_gate(settings, data, plan, gate, force=force)
    found["seconds"] = round(time.monotonic() - started, 2)
    _tell(found, plan, json=json)


def _tell(found: dict[str, Any], plan: Plan, *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        _print(found)
    if found.get("unchanged"):
        errors.print(
            f"The collection {plan.collection!r} has this index already: there is nothing to build.", markup=False
        )
    if found.get("refused"):
        raise Conflict(
            f"The new index loses more than {plan.tolerance} nDCG@10 on the golden set, so {plan.collection!r} was not switched. Switch "
            f"anyway with `anchorage reindex {plan.collection} --back`, or remove it with `--discard`."
        )


def _check_options(alone: Sequence[str], others: bool, *, dimension_only: bool) -> None:
    if len(alone) > 1 or (alone and others):
        raise BadRequest("--back, --discard and --status stand alone: give one of them and the collection.")
    if dimension_only:
        raise BadRequest("--dimension belongs to a model: name it with --embedder.")


def _accept_state(settings: Settings, data: Path | None, folder: Path) -> None:
    """Accept how things are, where no run was accepted yet, so that there is something to compare with."""
    from anchorage.evaluation.gate.run import ACCEPTED, write_run
    from anchorage.faces.cli.gate import pass_gate

    run, comparison, runs = asyncio.run(pass_gate(settings, data, folder, folder / "runs", again=False))
    if comparison is None:
        write_run(runs, ACCEPTED, run)


def _ask_gate(settings: Settings, data: Path | None, plan: Plan, folder: Path, *, force: bool) -> dict[str, Any]:
    """Ask the golden set; switch back and raise `Conflict` where too much was lost."""
    from anchorage.evaluation.gate.run import check_loss
    from anchorage.faces.cli.gate import describe_result, pass_gate

    run, comparison, _ = asyncio.run(pass_gate(settings, data, folder, folder / "runs", again=True))
    assert comparison is not None  # `_accept_state` has seen to it
    try:
        check_loss(comparison, settings.gate.max_loss)
    except Conflict as error:
        if not force:
            asyncio.run(_built(settings, plan, back=True))
            raise Conflict(f"{error.message} {plan.collection!r} answers from its old index again.") from error
        errors.print(f"--force: {error.message}", markup=False, soft_wrap=True)
    return describe_result(run, comparison)


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
