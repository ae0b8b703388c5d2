"""The one place where the Python API calls chat."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from anchorage.api import AskEvent
from anchorage.chat.cache import forget
from anchorage.chat.events import Event
from anchorage.chat.search import search
from anchorage.chat.turn import ask, ask_events
from anchorage.errors import AnchorageError
from anchorage.model import Answer, Hit
from anchorage.wiring import Services, Storage


async def search_passages(services: Services, question: str, collection: str | None, k: int | None) -> Sequence[Hit]:
    return await search(services.chat, services.principal, question, _named(collection), k)


async def answer_question(
    services: Services, question: str, collection: str | None, conversation_id: str | None, message_id: str | None
) -> Answer:
    return await ask(
        services.chat, services.principal, question, conversation_id=conversation_id, message_id=message_id,
        collections=_named(collection),
    )  # fmt: skip


async def answer_events(
    services: Services, question: str, collection: str | None, conversation_id: str | None, message_id: str | None
) -> AsyncGenerator[AskEvent, None]:
    """The events up to the answer. Raises what the turn ended with."""
    events = ask_events(
        services.chat, services.principal, question, conversation_id=conversation_id, message_id=message_id,
        collections=_named(collection),
    )  # fmt: skip
    conversation = message = ""
    async with aclosing(events):
        async for event in events:
            if event.type == "start":
                conversation, message = event.data["conversation_id"], event.data["message_id"]
            if event.type == "error":
                raise _error(event)
            if event.type != "done":
                yield AskEvent(
                    event.type,
                    conversation,
                    message,
                    text=event.data.get("text", ""),
                    hits=tuple(event.data.get("hits", ())),
                    answer=event.data.get("answer"),
                )


def _error(event: Event) -> AnchorageError:
    error: AnchorageError = event.data["error"]
    return error


async def forget_answers(storage: Storage, conversation_ids: Sequence[str]) -> None:
    """What was kept of deleted conversations, to be answered again, is not answered any more."""
    await forget(storage.caching, conversation_ids)


async def evaluate_dataset(
    services: Services, folder: Path, *, k: int, distractors: Path | None, keep: str | None,
    progress: Callable[[str, int], None],
) -> dict[str, Any]:  # fmt: skip
    from anchorage.evaluation.dataset import read_dataset
    from anchorage.evaluation.run import evaluate

    return await evaluate(
        services.ingest, services.chat, services.principal, read_dataset(folder), k=k, distractors=distractors, keep=keep,
        progress=progress,
    )  # fmt: skip


def _named(collection: str | None) -> list[str] | None:
    return [collection] if collection else None
