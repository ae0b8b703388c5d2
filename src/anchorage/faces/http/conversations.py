"""/api/conversations: list, show, change, export, delete."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from anchorage.chat.memory.recall import forget_answers
from anchorage.chat.memory.trace import read_traced_hits
from anchorage.chat.safety.inert import neutralise_markup
from anchorage.chat.safety.question import strip_unstorable_characters
from anchorage.chat.streaming.events import serialise_explained_hit
from anchorage.errors import BadRequest, NotFound
from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.shapes import Conversations, ConversationShape, ConversationWithTurns, Hits
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.faces.shapes import conversation_json, turn_json
from anchorage.model import Conversation, Principal, Turn
from anchorage.ports.memory import Memory

router = APIRouter(prefix="/api/conversations")
_MAX_SHOWN = 1000
_MAX_EXPORTED = 100_000
_PAGE = 200
_MAX_QUERY = 200


class ConversationChange(BaseModel):
    """What to change; what is left out stays."""

    title: str | None = Field(None, min_length=1, max_length=200)
    branch: str | None = Field(None, description="a message_id: the branch that it is on becomes the active one")


@router.get("", summary="List conversations", **describe_answer(Conversations))
async def conversations(
    services: CurrentServices, principal: CurrentPrincipal, limit: int = Query(100, ge=1, le=_MAX_SHOWN), after: str | None = None,
    q: Annotated[str, Query(max_length=_MAX_QUERY, description="words that title, a question or an answer holds")] = "",
) -> dict[str, Any]:  # fmt: skip
    """Your conversations, the newest first. `after` is the `next` of the page before."""
    found = await services.storage.memory.conversations(
        principal,
        limit=limit + 1,
        after=_parse_place(after) if after else None,
        matching=strip_unstorable_characters(q).strip(),
    )
    page = found[:limit]
    following = f"{page[-1].updated_at.isoformat()}/{page[-1].id}" if len(found) > limit else None
    return {"conversations": [conversation_json(item) for item in page], "next": following}


@router.get("/{conversation_id}", summary="Show a conversation", **describe_answer(ConversationWithTurns))
async def conversation(conversation_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """The turns of the active branch, oldest first; of a long one the last thousand. `siblings` names the messages that stand in the
    same place, in the order in which they were asked.
    """
    memory = services.storage.memory
    found = await memory.conversation(principal, conversation_id)
    turns = await memory.window(principal, conversation_id, _MAX_SHOWN)
    branches = await memory.branches(principal, conversation_id)
    return {**conversation_json(found), "turns": [_turn_json(turn, branches) for turn in turns]}


@router.patch("/{conversation_id}", summary="Change a conversation", **describe_answer(ConversationShape))
async def change(
    conversation_id: str, body: ConversationChange, services: CurrentServices, principal: CurrentPrincipal
) -> dict[str, Any]:
    """Rename it, or go to another of its branches."""
    memory = services.storage.memory
    return conversation_json(await memory.change(principal, conversation_id, title=body.title, branch=body.branch))


@router.get("/{conversation_id}/export", summary="Export a conversation", response_model=None,
            responses={200: {"content": {"application/json": {}, "text/markdown": {}}}})  # fmt: skip
async def export(
    conversation_id: str, services: CurrentServices, principal: CurrentPrincipal,
    form: Annotated[Literal["json", "md"], Query(alias="format")] = "json",
) -> Response:  # fmt: skip
    """The whole conversation as a file: as JSON with all its branches, or the active branch as Markdown."""
    memory = services.storage.memory
    found = await memory.conversation(principal, conversation_id)
    headers = {"Content-Disposition": f'attachment; filename="conversation.{form}"'}
    if form == "md":
        turns = await memory.window(principal, conversation_id, _MAX_EXPORTED)
        return Response(_format_markdown(found, turns), media_type="text/markdown; charset=utf-8", headers=headers)
    return StreamingResponse(_stream_json(memory, principal, found), media_type="application/json", headers=headers)


@router.get("/{conversation_id}/messages/{message_id}/hits", summary="Passages of an answer", **describe_answer(Hits))
async def hits(
    conversation_id: str, message_id: str, services: CurrentServices, principal: CurrentPrincipal
) -> dict[str, Any]:
    """The passages that were found for an answer, as far as their text is still there."""
    storage = services.storage
    turn = await storage.memory.find(principal, conversation_id, message_id)
    if turn is None:
        raise NotFound(f"The conversation {conversation_id[:128]!r} has no message {message_id[:128]!r}.")
    return {
        "hits": [serialise_explained_hit(hit) for hit in await read_traced_hits(storage.catalog, principal, turn.trace)]
    }


@router.delete("/{conversation_id}", status_code=204, summary="Delete a conversation")
async def delete_conversation(conversation_id: str, services: CurrentServices, principal: CurrentPrincipal) -> Response:
    """Remove it with all that belongs to it; an answer that is being written ends."""
    await services.storage.memory.delete(principal, conversation_id)
    services.streams.drop_conversations(principal, [conversation_id])
    await forget_answers(services.storage.caching, [conversation_id])
    return Response(status_code=204)


@router.delete("", status_code=204, summary="Delete all conversations")
async def delete_conversations(services: CurrentServices, principal: CurrentPrincipal) -> Response:
    """Remove all of your conversations."""
    deleted = await services.storage.memory.delete_all(principal)
    services.streams.drop_conversations(principal, deleted)
    await forget_answers(services.storage.caching, deleted)
    return Response(status_code=204)


def _parse_place(after: str) -> tuple[datetime, str]:
    moment, slash, key = after.partition("/")
    try:
        found = datetime.fromisoformat(moment.replace(" ", "+"))  # a plus sign of an address that was not encoded
    except ValueError:
        found = None
    if not slash or found is None or found.tzinfo is None:
        raise BadRequest("`after` is no place in this list: take it from `next` of the page before.")
    return found, strip_unstorable_characters(key)


def _turn_json(turn: Turn, branches: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    return {**turn_json(turn), "siblings": list(branches.get(turn.parent or 0, [turn.message_id]))}


async def _stream_json(memory: Memory, principal: Principal, found: Conversation) -> AsyncIterator[bytes]:
    """Page by page, however long it is."""
    head = json.dumps({**conversation_json(found), "head": found.head}, ensure_ascii=False)
    yield f'{head[:-1]}, "messages": ['.encode()
    branches = await memory.branches(principal, found.id)
    number = 0
    while turns := await memory.turns(principal, found.id, after=number, limit=_PAGE):
        text = ",\n".join(json.dumps(_turn_json(turn, branches), ensure_ascii=False) for turn in turns)
        yield (",\n" if number else "\n").encode() + text.encode()
        number = turns[-1].number
    yield b"\n]}\n"


def _format_markdown(found: Conversation, turns: Sequence[Turn]) -> str:
    parts = [f"# {_format_line(found.title)}"]
    for turn in turns:
        parts += [f"## {_format_line(turn.question)}", turn.answer + (" *(stopped)*" if turn.stopped else "")]
        notes = [
            f"- [{item.marker}] {_format_line(item.title)}{f', page {item.page}' if item.page else ''}: “{_format_line(item.quote)}” <{item.uri}>"
            for item in turn.citations
        ]
        parts += ["\n".join(notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def _format_line(text: str) -> str:
    """Put words of a document or a question on one line, with no active markup."""
    return neutralise_markup(" ".join(text.split()), inline=True)
