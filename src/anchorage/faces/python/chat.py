"""The one place where the Python API calls chat."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from anchorage.api import AskEvent
from anchorage.chat.memory.recall import forget_answers
from anchorage.chat.streaming.events import Event
from anchorage.errors import AnchorageError
from anchorage.model import Answer, Hit
from anchorage.wiring.services import Services, Storage


async def search_passages(services: Services, question: str, collection: str | None, k: int | None) -> Sequence[Hit]:
    return await services.asking.passages.search_passages(
        services.principal, question, _list_collections(collection), k
    )


async def answer_question(
    services: Services, question: str, collection: str | None, conversation_id: str | None, message_id: str | None
) -> Answer:
    return await services.chat.ask(
        services.principal, question, conversation_id=conversation_id, message_id=message_id,
        collections=_list_collections(collection),
    )  # fmt: skip


async def answer_events(
    services: Services, question: str, collection: str | None, conversation_id: str | None, message_id: str | None
) -> AsyncGenerator[AskEvent, None]:
    """The events up to the answer. Raises what the turn ended with."""
    events = services.chat.stream_answer(
        services.principal, question, conversation_id=conversation_id, message_id=message_id,
        collections=_list_collections(collection),
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


async def forget_cached_answers(storage: Storage, conversation_ids: Sequence[str]) -> None:
    """What was kept of deleted conversations, to be answered again, is not answered any more."""
    await forget_answers(storage.caching, conversation_ids)


async def evaluate_dataset(
    services: Services, folder: Path, *, k: int, distractors: Path | None, keep: str | None,
    progress: Callable[[str, int], None],
) -> dict[str, Any]:  # fmt: skip
    from anchorage.evaluation.dataset import read_dataset

    ingest, principal = services.ingest, services.principal
    return await services.asking.evaluator.evaluate(
        ingest.ingester_for(principal), ingest.index, ingest.upkeep, principal, read_dataset(folder), k=k, distractors=distractors, keep=keep,
        progress=progress,
    )  # fmt: skip


def _list_collections(collection: str | None) -> list[str] | None:
    return [collection] if collection else None
