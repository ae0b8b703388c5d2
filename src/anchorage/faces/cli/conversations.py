"""conversations list, show, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from anchorage.errors import BadRequest
from anchorage.faces.cli.connection import open_api
from anchorage.faces.cli.options import Data, Json
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import conversation_json, turn_json
from anchorage.model import Conversation, Turn

app = typer.Typer(no_args_is_help=True, help="See and delete your conversations.")

_ALL = 1_000_000


@app.command(name="list")
def list_conversations(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    matching: Annotated[
        str, typer.Option("--matching", metavar="WORDS", help="Only those that hold these words.")
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """The newest conversations."""

    async def run() -> Sequence[Conversation]:
        async with open_api(data) as api:
            return await api.conversations.list(limit=limit, matching=matching)

    found = asyncio.run(run())
    if json:
        print_json({"conversations": [conversation_json(item) for item in found]})
    elif not found:
        console().print("No conversations yet. Begin one with `anchorage ask QUESTION`.", markup=False)
    else:
        print_table(
            ("ID", "TURNS", "LAST", "TITLE"),
            [(item.id, item.turns, f"{item.updated_at:%Y-%m-%d %H:%M}", item.title) for item in found],
        )


@app.command()
def show(conversation_id: Annotated[str, typer.Argument(metavar="ID")], data: Data = None, json: Json = False) -> None:
    """The questions and answers of a conversation; of a long one the last thousand."""

    async def run() -> tuple[Conversation, Sequence[Turn]]:
        async with open_api(data) as api:
            return await api.conversations.show(conversation_id)

    found, turns = asyncio.run(run())
    if json:
        print_json({**conversation_json(found), "turns": [turn_json(turn) for turn in turns]})
        return
    out = console()
    out.print(found.title, markup=False)
    for turn in turns:
        out.print(f"\n> {turn.question}\n\n{turn.answer}", markup=False)


@app.command()
def delete(
    conversation_ids: Annotated[list[str] | None, typer.Argument(metavar="ID...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of your conversations.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Remove conversations with all that belongs to them."""
    if bool(conversation_ids) == everything:
        raise BadRequest("Name the conversations by their ids, or all of them with `--all`.")

    async def run() -> Sequence[str]:
        async with open_api(data) as api:
            if conversation_ids:
                for key in conversation_ids:
                    await api.conversations.delete(key)
                return conversation_ids
            found = await api.conversations.list(limit=_ALL)
            await api.conversations.delete_all()
            return [item.id for item in found]

    deleted = asyncio.run(run())
    if json:
        print_json({"deleted": list(deleted)})
    else:
        console().print(f"{len(deleted)} conversations deleted.")
