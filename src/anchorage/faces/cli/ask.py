"""search and ask."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from anchorage.faces.cli.options import Collection, Data, Json, settings_for
from anchorage.faces.cli.output import print_answer, print_hits, print_json

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
    from anchorage.chat.events import hit_json
    from anchorage.chat.retrieve import checked_question
    from anchorage.chat.search import search as find
    from anchorage.wiring import open_services

    settings = settings_for(data)
    text = checked_question(question, settings.answer.question_limit)

    async def run() -> None:
        async with open_services(settings) as services:
            hits = await find(services.chat, services.principal, text, [collection] if collection else None, k)
        if json:
            print_json({"hits": [hit_json(hit) for hit in hits]})
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
    from anchorage.chat.events import answer_json
    from anchorage.chat.retrieve import checked_question
    from anchorage.chat.turn import ask as ask_question
    from anchorage.wiring import open_services

    settings = settings_for(data)
    text = checked_question(question, settings.answer.question_limit)

    async def run() -> None:
        async with open_services(settings) as services:
            answer = await ask_question(
                services.chat, services.principal, text, conversation_id=conversation,
                collections=[collection] if collection else None,
            )  # fmt: skip
        if json:
            print_json(answer_json(answer))
        else:
            print_answer(answer)

    asyncio.run(run())
