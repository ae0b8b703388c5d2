"""search and ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from anchorage.errors import NotFound
from anchorage.faces.cli.options import Collection, Data, Json, settings_for
from anchorage.faces.cli.output import errors, print_answer, print_hits, print_json

if TYPE_CHECKING:
    from anchorage.wiring import Services

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
    from anchorage.chat.safety.question import check_question
    from anchorage.chat.streaming.events import serialise_hit
    from anchorage.wiring import open_services

    settings = settings_for(data)
    text = check_question(question, settings.answer.question_limit)

    async def run() -> None:
        async with open_services(settings) as services:
            hits = await services.asking.passages.search_passages(
                services.principal, text, [collection] if collection else None, k
            )
            if not hits:
                await _tell_if_empty(services)
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
    from anchorage.chat.safety.question import check_question
    from anchorage.chat.streaming.events import serialise_answer
    from anchorage.wiring import open_services

    settings = settings_for(data)
    text = check_question(question, settings.answer.question_limit)

    async def run() -> None:
        async with open_services(settings) as services:
            if conversation:
                await _tell_if_new(services, conversation)
            answer = await services.chat.ask(
                services.principal, text, conversation_id=conversation,
                collections=[collection] if collection else None,
            )  # fmt: skip
            if not answer.hits:
                await _tell_if_empty(services)
        if json:
            print_json(serialise_answer(answer))
        else:
            print_answer(answer)

    asyncio.run(run())


async def _tell_if_empty(services: Services) -> None:
    """Say where nothing was looked for, when nothing has been ingested there."""
    if any(item.documents for item in await services.storage.store.collections(services.principal)):
        return
    settings = services.settings
    url = settings.database.vector_url
    where = "the database of VECTOR_DB_URL" if url else f"the data directory {settings.data.dir}"
    other = "" if url else " Another one is named with --data DIR or ANCHORAGE_DATA."
    errors.print(
        f"Nothing has been ingested yet into {where}: begin with `anchorage ingest FOLDER`.{other}",
        markup=False,
        soft_wrap=True,
    )


async def _tell_if_new(services: Services, conversation: str) -> None:
    """Say that a conversation is not there yet, in case its id was mistyped. One of somebody else is refused when it is asked in."""
    try:
        await services.storage.memory.conversation(services.principal, conversation)
    except NotFound:
        errors.print(
            f"There is no conversation {conversation!r} of yours yet: this begins it.", markup=False, soft_wrap=True
        )
