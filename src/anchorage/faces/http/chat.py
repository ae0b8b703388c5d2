"""POST /api/chat and /api/search; streams: resume and stop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field, model_validator

from anchorage.chat.retrieval.search import MOST_PASSAGES
from anchorage.chat.state import PreparedQuestion
from anchorage.chat.streaming.events import serialise_answer, serialise_explained_hit
from anchorage.errors import BadRequest
from anchorage.faces.http.connection import run_while_connected
from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.events import ChatEvent
from anchorage.faces.http.shapes import AnswerShape, Hits, Stopping, StreamShape
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.faces.http.streaming import EventStream
from anchorage.fastjson import dumps
from anchorage.ports.memory import Place
from anchorage.ports.streams import Line
from anchorage.telemetry import ANSWERS

router = APIRouter(prefix="/api")
_MAX_EVENT = 2**63 - 1
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="as `after`; browsers send it")]


class ChatRequest(BaseModel, extra="forbid"):
    """A question, in a conversation or at the start of one."""

    message: str | None = Field(
        None, description="the question; may be left out where `instead_of` names one to ask again"
    )
    conversation_id: str | None = Field(None, description="an earlier answer's, or one of your choice, to go on with")
    session_id: str | None = Field(None, description="another name of conversation_id")
    message_id: str | None = Field(None, description="of your choice; a repeated request with it is answered only once")
    parent_message_id: str | None = Field(
        None, description="the message that this one follows; the last one of the active branch by default"
    )
    instead_of: str | None = Field(
        None,
        description="a message_id to branch off: with a `message`, that question as edited; without, another answer to it",
    )
    collection: str | None = Field(None, description="where to look; every collection that you may read by default")
    stream: bool = Field(False, description="answer as server-sent events")

    @model_validator(mode="after")
    def _check_question(self) -> ChatRequest:
        if self.message is None and self.instead_of is None:
            raise ValueError("message: write the question")
        if self.parent_message_id is not None and self.instead_of is not None:
            raise ValueError("parent_message_id and instead_of say two different things: send one of them")
        return self

    @property
    def conversation(self) -> str | None:
        return self.conversation_id or self.session_id

    @property
    def place(self) -> Place:
        return Place(after=self.parent_message_id, instead_of=self.instead_of)


class SearchRequest(BaseModel, extra="forbid"):
    """A question to find passages for."""

    question: str
    collection: str | None = None
    k: int | None = Field(None, ge=1, le=MOST_PASSAGES, description="how many passages")


@router.post("/search", summary="Find passages", **describe_answer(Hits))
async def search(body: SearchRequest, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """The best passages for a question."""
    hits = await services.asking.passages.search_passages(
        principal, body.question, _to_collections(body.collection), body.k
    )
    return {"hits": [serialise_explained_hit(hit) for hit in hits]}


@router.post("/chat", summary="Ask", response_model=None,
             responses={200: {"model": AnswerShape, "content": {"text/event-stream": {}}}})  # fmt: skip
async def chat(
    body: ChatRequest, request: Request, services: CurrentServices, principal: CurrentPrincipal,
    last_event_id: LastEventId = None,
) -> Response:  # fmt: skip
    """An answer with its citations: whole, or as events (`start`, `hits`, `token`, `answer` or `error`, `done`)."""
    if body.stream:

        async def prepare_question() -> PreparedQuestion:
            return await services.chat.prepare_question(
                principal, body.message, conversation_id=body.conversation, message_id=body.message_id,
                collections=_to_collections(body.collection), place=body.place,
            )  # fmt: skip

        return await _respond_with_stream(
            services.streams.follow_answer(principal, prepare_question, after=_parse_event_id(last_event_id))
        )
    answering = services.chat.ask(
        principal, body.message, conversation_id=body.conversation, message_id=body.message_id,
        collections=_to_collections(body.collection), place=body.place,
    )  # fmt: skip
    answer = await run_while_connected(request.receive, answering)
    ANSWERS.labels("abstained" if answer.abstained else "answered").inc()
    return Response(dumps(serialise_answer(answer)), media_type="application/json")


@router.get("/chat/{conversation_id}", summary="What is being answered", **describe_answer(StreamShape))
async def stream_state(conversation_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """The answer that is being written in a conversation, or was streamed there last."""
    found = await services.streams.find_state(principal, conversation_id)
    return {
        "conversation_id": conversation_id,
        "message_id": found.message_id if found else None,
        "running": found is not None and not found.ended,
        "question": found.request.question if found and found.request else None,
    }


@router.get("/chat/{conversation_id}/events", summary="Resume a stream", status_code=200, response_model=None, response_class=EventStream,
            responses={200: {"model": ChatEvent}, 204: {"description": "nothing more will come"}})  # fmt: skip
async def events(
    conversation_id: str, services: CurrentServices, principal: CurrentPrincipal,
    after: Annotated[int | None, Query(ge=0, le=_MAX_EVENT, description="the last event that you have; 0 for all that are kept")] = None,
    last_event_id: LastEventId = None,
) -> Response:  # fmt: skip
    """The events after the given one, up to the next `done`, from whichever process writes them. Without a number, those of the last
    answer's last attempt.
    """
    position = _parse_event_id(last_event_id) if after is None else after
    return await _respond_with_stream(services.streams.resume_stream(principal, conversation_id, position))


@router.post(
    "/chat/{conversation_id}/stop", status_code=202, summary="Stop an answer", **describe_answer(Stopping, 202)
)
async def stop(conversation_id: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """End the running answer, wherever it runs: what was written of it stays, with its citations. Does nothing where none is running."""
    found = await services.streams.stop_answer(principal, conversation_id)
    return {"stopping": found is not None, "message_id": found.message_id if found else None}


async def _respond_with_stream(lines: AsyncGenerator[Sequence[Line], None]) -> Response:
    first = await anext(lines, None)  # what is refused fails here, with a status of its own
    # 204 tells an EventSource not to come again.
    return Response(status_code=204) if first is None else EventStream(first, lines)


def _parse_event_id(last_event_id: str | None) -> int | None:
    if not last_event_id:
        return None
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 18:
        raise BadRequest("Last-Event-ID is not the number of an event. Send the `id` of the last one that you have.")
    return int(last_event_id)


def _to_collections(collection: str | None) -> list[str] | None:
    return [collection] if collection else None
