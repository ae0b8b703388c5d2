"""search and ask."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anchorage.chat.streaming.events import serialise_answer, serialise_hit
from anchorage.errors import NotFound
from anchorage.faces.cli.connection import open_api
from anchorage.faces.cli.options import Collection, Data, Json
from anchorage.faces.cli.output import AnswerPrinter, errors, print_hits, print_json
from anchorage.settings.environment import data_dir, environment_values

if TYPE_CHECKING:
    from anchorage.api import Api
    from anchorage.model import Answer

Question = Annotated[str, typer.Argument(metavar="QUESTION", help="In plain words.")]
Conversation = Annotated[
    str | None, typer.Option("--conversation", metavar="ID", help="Go on with an earlier conversation.")
]


def search(
    question: Question,
    collection: Collection = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 10,
    data: Data = None,
    json: Json = False,
) -> None:
    """Find the passages that fit a question best."""

    async def run() -> None:
        async with open_api(data) as api:
            hits = await api.search(question, collection=collection, k=k)
            if not hits:
                await _tell_if_empty(api, data)
        if json:
            print_json({"hits": [serialise_hit(hit) for hit in hits]})
        else:
            print_hits(hits)

    asyncio.run(run())


def ask(
    question: Question,
    collection: Collection = None,
    conversation: Conversation = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Answer a question, with a citation for every sentence."""

    async def run() -> None:
        async with open_api(data) as api:
            if conversation:
                await _tell_if_new(api, conversation)
            if json:
                answer = await api.ask(question, collection=collection, conversation_id=conversation)
                print_json(serialise_answer(answer))
            else:
                answer = await _print_as_it_comes(api, question, collection, conversation)
            if not answer.hits:
                await _tell_if_empty(api, data)

    asyncio.run(run())


async def _print_as_it_comes(api: Api, question: str, collection: str | None, conversation: str | None) -> Answer:
    printer = AnswerPrinter()
    async with aclosing(api.ask_stream(question, collection=collection, conversation_id=conversation)) as events:
        async for event in events:
            if event.type == "token":
                printer.add(event.text)
            elif event.type == "reset":
                printer.reset()
            elif event.answer is not None:
                printer.end(event.answer)
                return event.answer
    raise AssertionError("a stream without an answer")


async def _tell_if_empty(api: Api, data: Path | None) -> None:
    """Say where nothing was looked for, when nothing has been ingested there."""
    if any((await api.collections()).values()):
        return
    url = environment_values().get(("database", "vector_url"))
    where = "the database of VECTOR_DB_URL" if url else f"the data directory {data_dir(data)}"
    other = "" if url else " Another one is named with --data DIR or ANCHORAGE_DATA."
    errors.print(
        f"Nothing has been ingested yet into {where}: begin with `anchorage ingest FOLDER`.{other}",
        markup=False,
        soft_wrap=True,
    )


async def _tell_if_new(api: Api, conversation: str) -> None:
    """Say that a conversation is not there yet, in case its id was mistyped. One of somebody else is refused when it is asked in."""
    try:
        await api.conversations.show(conversation)
    except NotFound:
        errors.print(
            f"There is no conversation {conversation!r} of yours yet: this begins it.", markup=False, soft_wrap=True
        )
