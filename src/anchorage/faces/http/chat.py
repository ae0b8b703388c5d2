"""POST /api/chat and /api/search, and the conversations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel, Field

from anchorage.chat.events import Event, answer_json, citation_json, hit_json
from anchorage.chat.retrieve import checked_question, retrieve
from anchorage.chat.turn import ask, ask_events
from anchorage.errors import NotFound
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.model import Turn
from anchorage.telemetry import ANSWERS, STREAMS

router = APIRouter(prefix="/api")
_HISTORY = 1000


class ChatRequest(BaseModel):
    """A question, in a conversation or at the start of one."""

    message: str = Field(description="the question")
    conversation_id: str | None = Field(None, description="an earlier answer's, or one of your choice, to go on with")
    session_id: str | None = Field(None, description="another name of conversation_id")
    message_id: str | None = Field(None, description="of your choice; a repeated request with it is answered only once")
    collection: str | None = Field(None, description="where to look; every collection that you may read by default")
    stream: bool = Field(False, description="answer as server-sent events")


class SearchRequest(BaseModel):
    """A question to find passages for."""

    question: str
    collection: str | None = None
    k: int | None = Field(None, ge=1, le=100, description="how many passages")


@router.post("/search", summary="Find passages")
async def search(body: SearchRequest, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """The best passages for a question."""
    chat = services.chat
    question = checked_question(body.question, chat.limits.question_limit)
    ranking, _ = await retrieve(chat, principal, question, _named(body.collection), body.k)
    return {"hits": [hit_json(hit) for hit in ranking.hits]}


@router.post("/chat", summary="Ask", response_model=None,
             responses={200: {"content": {"text/event-stream": {}, "application/json": {}}}})  # fmt: skip
async def chat(
    body: ChatRequest, services: CurrentServices, principal: CurrentPrincipal
) -> dict[str, Any] | StreamingResponse:
    """An answer with its citations: whole, or as events (`start`, `hits`, `token`, `answer` or `error`, `done`)."""
    conversation = body.conversation_id or body.session_id
    collections = _named(body.collection)
    if not body.stream:
        answer = await ask(
            services.chat, principal, body.message, conversation_id=conversation, message_id=body.message_id,
            collections=collections,
        )  # fmt: skip
        ANSWERS.labels("abstained" if answer.abstained else "answered").inc()
        return answer_json(answer)
    events = ask_events(
        services.chat, principal, body.message, conversation_id=conversation, message_id=body.message_id,
        collections=collections,
    )  # fmt: skip
    first = await anext(events)  # input that cannot be taken fails here, with a status of its own
    stream = _stream(first, events, services.settings.http.sse_heartbeat)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(first: Event, events: AsyncGenerator[Event, None], heartbeat: float) -> AsyncIterator[bytes]:
    """The events on the wire, with a comment whenever nothing comes for a while, so that proxies keep the connection."""
    STREAMS.inc()
    async with aclosing(events):
        pending: asyncio.Future[Event] | None = None
        try:
            yield _frame(first)
            while True:
                pending = pending or asyncio.ensure_future(anext(events))
                done, _ = await asyncio.wait({pending}, timeout=heartbeat)
                if not done:
                    yield KEEPALIVE_COMMENT
                    continue
                event = pending.result()
                pending = None
                yield _frame(event)
                if event.type == "answer":
                    ANSWERS.labels("abstained" if event.data["answer"].abstained else "answered").inc()
                if event.type == "done":
                    return
        finally:
            STREAMS.dec()
            if pending is not None:
                pending.cancel()
                await asyncio.wait({pending})


def _frame(event: Event) -> bytes:
    data = json.dumps(event.payload(), ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(data_str=data, event=event.type, id=str(event.n))


def _named(collection: str | None) -> list[str] | None:
    return [collection] if collection else None


@router.get("/conversations", summary="List conversations")
async def conversations(services: CurrentServices, principal: CurrentPrincipal, limit: int = 100) -> dict[str, Any]:
    """Your conversations, the newest first."""
    found = await services.storage.memory.conversations(principal, limit=max(1, min(limit, _HISTORY)))
    return {
        "conversations": [
            {
                "id": item.id,
                "title": item.title,
                "turns": item.turns,
                "created_at": item.created_at,
                "updated_at": item.updated_at,
            }
            for item in found
        ]
    }


@router.get("/conversations/{conversation_id}", summary="Show a conversation")
async def conversation(conversation_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """The turns of a conversation, oldest first; of a long one the last thousand."""
    turns = await services.storage.memory.window(principal, conversation_id, _HISTORY)
    if not turns:
        raise NotFound(f"No conversation {conversation_id[:128]!r} of yours. GET /api/conversations lists them.")
    return {"id": conversation_id, "turns": [_turn_json(turn) for turn in turns]}


def _turn_json(turn: Turn) -> dict[str, Any]:
    return {
        "number": turn.number,
        "message_id": turn.message_id,
        "question": turn.question,
        "answer": turn.answer,
        "abstained": turn.abstained,
        "citations": [citation_json(citation) for citation in turn.citations],
        "unsupported": [asdict(item) for item in turn.unsupported],
        "created_at": turn.created_at,
    }


@router.delete("/conversations/{conversation_id}", status_code=204, summary="Delete a conversation")
async def delete_conversation(conversation_id: str, services: CurrentServices, principal: CurrentPrincipal) -> Response:
    """Remove it with all its turns."""
    await services.storage.memory.delete(principal, conversation_id)
    return Response(status_code=204)


@router.delete("/conversations", status_code=204, summary="Delete all conversations")
async def delete_conversations(services: CurrentServices, principal: CurrentPrincipal) -> Response:
    """Remove all of your conversations."""
    memory = services.storage.memory
    while found := await memory.conversations(principal, limit=100):
        for item in found:
            await memory.delete(principal, item.id)
    return Response(status_code=204)
