"""gate: ask a golden set, and refuse a change that loses answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.progress import Progress

from anchorage.errors import NotFound
from anchorage.evaluation.gate.golden_set import read_golden_set
from anchorage.evaluation.gate.run import (
    ACCEPTED,
    LAST,
    GateComparison,
    GateRun,
    ask_golden_set,
    check_loss,
    compare_runs,
    make_fingerprint,
    read_run,
    write_run,
)
from anchorage.faces.cli.connection import open_api
from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, errors, print_json, print_table, progress_columns

if TYPE_CHECKING:
    from anchorage.api import Api
    from anchorage.model import Answer
    from anchorage.settings import Settings

_MODELS = {
    "embedding": ("provider", "model", "precision"),
    "llm": ("provider", "model", "temperature", "max_tokens"),
    "rerank": ("provider", "model"),
}


def command(
    golden: Annotated[
        Path | None,
        typer.Option(
            "--golden", metavar="DIR", help="Folder with questions.jsonl (ANCHORAGE_GATE__GOLDEN); ours by default."
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Later runs are compared with this one, whatever it lost.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Ask even if nothing has changed since the accepted run.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Ask a golden set, and refuse a change that loses answers."""
    settings = settings_for(data)
    chosen = golden or (Path(settings.gate.golden) if settings.gate.golden else None)
    if chosen is not None:
        found = asyncio.run(pass_gate(settings, data, chosen, chosen / "runs", again=again or accept))
    else:
        with as_file(files("anchorage.evaluation.gate") / "demo") as folder:
            found = asyncio.run(pass_gate(settings, data, folder, settings.data.dir / "gate", again=again or accept))
    run, comparison, runs = found
    if accept or comparison is None:
        write_run(runs, ACCEPTED, run)
    if json:
        print_json(describe_result(run, comparison))
    else:
        _print(run, comparison, accepted=accept or comparison is None)
    if comparison is not None and not accept:
        check_loss(comparison, settings.gate.max_loss)


async def pass_gate(
    settings: Settings, data: Path | None, folder: Path, runs: Path, *, again: bool
) -> tuple[GateRun, GateComparison | None, Path]:
    """Ask the golden set of a folder; its run, how it compares with the accepted one, and where runs are kept. Nothing is asked where
    nothing has changed since the accepted run. The comparison is None where none was accepted yet.
    """
    questions = read_golden_set(folder)
    made_with = await _describe_state(settings, {item.collection for item in questions if item.collection})
    fingerprint, accepted = make_fingerprint(made_with, folder), read_run(runs, ACCEPTED)
    if accepted is not None and accepted.fingerprint == fingerprint and not again:
        return accepted, compare_runs(accepted, accepted), runs
    with Progress(*progress_columns(), console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("questions", total=len(questions))
        async with open_api(data) as api:
            run = await ask_golden_set(
                _Asker(api), questions, made_with, fingerprint, at_once=settings.gate.at_once,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )  # fmt: skip
    write_run(runs, LAST, run)
    return run, compare_runs(accepted, run) if accepted else None, runs


@dataclass(frozen=True, slots=True)
class _Asker:
    """Asks in conversations of their own, and deletes them."""

    api: Api

    async def ask_turns(self, turns: Sequence[str], collection: str | None) -> Answer:
        conversation = f"gate-{uuid4()}"
        try:
            answers = [await self.api.ask(turn, collection=collection, conversation_id=conversation) for turn in turns]
        finally:
            await self.api.conversations.delete(conversation)
        return answers[-1]


async def _describe_state(settings: Settings, collections: set[str]) -> dict[str, Any]:
    """What answers depend on: models, prompts, settings of retrieval and of answers, and the live index of each collection."""
    from anchorage.faces.reindexing import list_versions
    from anchorage.wiring.services import open_storage

    live: dict[str, Any] = {}
    async with open_storage(settings) as storage:
        for name in sorted(collections):
            try:
                found = await list_versions(storage, storage.principal, name)
            except NotFound as error:
                raise NotFound(
                    f"The golden set asks the collection {name!r}, which is not there. Ingest its documents first."
                ) from error
            live[name] = next((item for item in found["versions"] if item["live"]), None)
    prompts = sorted((files("anchorage.chat.generation") / "prompts").iterdir(), key=lambda item: item.name)
    texts = "".join(item.read_text("utf-8") for item in prompts if item.name.endswith(".md"))
    models = {
        section: {key: getattr(getattr(settings, section), key) for key in keys} for section, keys in _MODELS.items()
    }
    return {
        "models": models,
        "prompts": sha256(texts.encode()).hexdigest()[:16],
        "retrieval": settings.retrieval.model_dump(mode="json"),
        "answers": settings.answer.model_dump(mode="json"),
        "indexes": live,
    }


def describe_result(run: GateRun, comparison: GateComparison | None) -> dict[str, Any]:
    """A run, and what it lost and won, as `--json` prints them."""
    told: dict[str, Any] = {"at": run.at, "report": run.report()}
    if comparison is not None:
        told["compared"] = {
            "questions": comparison.compared, "lost": list(comparison.lost), "won": list(comparison.won),
            "loss": round(comparison.loss, 4), "chance": round(comparison.chance, 4),
        }  # fmt: skip
    return told


def _print(run: GateRun, comparison: GateComparison | None, *, accepted: bool) -> None:
    report = run.report()
    columns = sorted({name for counts in report.values() for name in counts} - {"questions", "good"})
    print_table(
        ("KIND", "QUESTIONS", "GOOD", *(name.replace("_", " ").upper() for name in columns)),
        [
            (kind, counts["questions"], counts["good"], *(counts.get(name, 0) for name in columns))
            for kind, counts in report.items()
        ],
    )
    out = console()
    if comparison is not None:
        lost = f" ({', '.join(comparison.lost[:10])})" if comparison.lost else ""
        told = f"Against the accepted run: {len(comparison.won)} won, {len(comparison.lost)} lost{lost}"
        out.print(f"{told}; by chance alone with a probability of {comparison.chance:.0%}.", markup=False)
    if accepted:
        out.print("This run is the accepted one now.", markup=False)
