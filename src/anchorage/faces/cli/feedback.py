"""feedback list, export."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from anchorage.errors import BadRequest
from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import feedback_json

app = typer.Typer(no_args_is_help=True, help="What people think of answers.")
_VALUES = {"up": 1, "down": -1}
_SHOWN = 80


@app.command(name="list")
def list_feedback(
    rating: Annotated[str | None, typer.Option("--rating", help="Only `up` or `down`.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    data: Data = None,
    json: Json = False,
) -> None:
    """The newest ratings, with question, answer and comment."""
    if rating not in (None, *_VALUES):
        raise BadRequest("--rating is `up` or `down`.")

    async def run() -> list[dict[str, Any]]:
        from anchorage.wiring.services import open_storage

        async with open_storage(settings) as storage:
            value = _VALUES[rating] if rating else None
            found = await storage.feedback.ratings(storage.principal, rating=value, limit=limit)
            return [feedback_json(item) for item in found]

    settings = settings_for(data)
    found = asyncio.run(run())
    if json:
        print_json({"feedback": found})
        return
    if not found:
        console().print("No ratings yet. POST /api/feedback rates an answer.", markup=False)
        return
    print_table(
        ("RATING", "QUESTION", "ANSWER", "COMMENT"),
        [(item["rating"], *(item[key][:_SHOWN] for key in ("question", "answer", "comment"))) for item in found],
    )


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Write the rated questions as a set for `anchorage eval DIR`."""
    from anchorage.evaluation.feedback import export_feedback

    async def run() -> dict[str, int]:
        from anchorage.wiring.services import open_storage

        async with open_storage(settings) as storage:
            return dict(await export_feedback(storage.feedback, storage.catalog, storage.principal, folder))

    settings = settings_for(data)
    report = asyncio.run(run())
    if json:
        print_json(report)
    else:
        console().print(
            f"{report['queries']} questions, {report['judged']} of them judged, and {report['documents']} documents. "
            f"Next: anchorage eval {folder}",
            markup=False,
        )
