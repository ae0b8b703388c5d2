"""POST /v1/chat/completions and GET /v1/models: any OpenAI client asks Anchorage as if it were a model."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from anchorage.chat.safety.question import check_question
from anchorage.chat.streaming.events import Event
from anchorage.chat.turn import AskOptions, Chat, check_id
from anchorage.errors import AnchorageError
from anchorage.faces.http.connection import batch_events, run_while_connected
from anchorage.faces.http.openai_shapes import (
    MODEL,
    CompletionRequest,
    UnknownModel,
    choose_finish_reason,
    citations_json,
    extension_json,
    read_conversation,
    usage_json,
)
from anchorage.faces.http.problems import OPENAI_PREFIX, make_openai_error
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.fastjson import dumps
from anchorage.model import Answer, Principal, Turn
from anchorage.telemetry import ANSWERS, STREAMS
from anchorage.wiring.services import Services

router = APIRouter(prefix=OPENAI_PREFIX, tags=["OpenAI-compatible"])
_log = structlog.get_logger(__name__)
_Source = AsyncGenerator[Sequence[Event], None]
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def _model_json(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "anchorage"}


async def _list_models(services: Services, principal: Principal) -> list[str]:
    found = await services.storage.catalog.collections(principal)
    return [MODEL, *(f"{MODEL}/{collection.name}" for collection in found)]


async def _resolve_collections(services: Services, principal: Principal, model: str) -> Sequence[str] | None:
    """Resolve a model's name to its collections; None for all. Raises `UnknownModel`."""
    if model == MODEL:
        return None
    if model not in await _list_models(services, principal):
        raise UnknownModel(
            f"There is no model {model[:200]!r}. Take `{MODEL}`, or `{MODEL}/NAME` for one collection; GET /v1/models lists all."
        )
    return [model.removeprefix(f"{MODEL}/")]


@router.get("/models", summary="List models")
async def models(services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """`anchorage` for all that you may read, and one model for each collection."""
    return {"object": "list", "data": [_model_json(name) for name in await _list_models(services, principal)]}


@router.get("/models/{model:path}", summary="Show a model")
async def model(model: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """One of them."""
    await _resolve_collections(services, principal, model)
    return _model_json(model)


@dataclass(frozen=True, slots=True)
class _AskedCompletion:
    """A completion request that was checked."""

    chat: Chat
    principal: Principal
    question: str
    conversation_id: str | None
    message_id: str
    collections: Sequence[str] | None
    history: Sequence[Turn] | None
    max_tokens: int | None
    head: Mapping[str, Any]
    """The fields that every piece of the response repeats."""

    def build_options(self) -> AskOptions:
        return {
            "conversation_id": self.conversation_id, "message_id": self.message_id, "collections": self.collections,
            "history": self.history, "max_tokens": self.max_tokens,
        }  # fmt: skip

    def stream_events(self) -> AsyncGenerator[Event, None]:
        return self.chat.stream_answer(self.principal, self.question, **self.build_options())

    def build_frame(self, kind: str, **rest: Any) -> dict[str, Any]:
        return {**self.head, "object": kind, **rest}


async def _prepare_question(services: Services, principal: Principal, body: CompletionRequest) -> _AskedCompletion:
    """Check a request and prepare its question. Raises `UnknownModel` and `BadRequest`."""
    body.require_supported()
    question, history = read_conversation(body.messages)
    collections = await _resolve_collections(services, principal, body.model)
    chat, metadata = services.chat, body.metadata or {}
    limit = body.max_completion_tokens or body.max_tokens or None
    # A client that names a conversation wants it kept here; all others keep it themselves, and send it with each question.
    conversation = metadata.get("conversation_id") or None
    message = check_id(metadata.get("message_id") or uuid4().hex, "metadata.message_id")
    head = {
        "id": f"chatcmpl-{message}", "object": "", "created": int(time.time()), "model": body.model,
        "system_fingerprint": f"fp_{chat.fingerprint.compute(limit)}",
    }  # fmt: skip
    return _AskedCompletion(
        chat, principal, check_question(question, chat.limits.question_limit),
        check_id(conversation, "metadata.conversation_id") if conversation else None,
        message, collections, None if conversation else history, limit, head,
    )  # fmt: skip


@router.post("/chat/completions", summary="Ask, as OpenAI's API does it", response_model=None,
             responses={200: {"content": {"text/event-stream": {}, "application/json": {}}}})  # fmt: skip
async def completions(
    body: CompletionRequest, request: Request, services: CurrentServices, principal: CurrentPrincipal
) -> Response:
    """An answer with its citations in `choices[0].message.citations`; in a stream, in the last chunk with a choice."""
    asked = await _prepare_question(services, principal, body)
    if not body.stream:
        answer = await run_while_connected(
            request.receive, asked.chat.ask(principal, asked.question, **asked.build_options())
        )
        _count_answer(answer)
        return Response(dumps(_build_completion(asked, answer)), media_type="application/json")
    live = services.settings.openai.stream == "live"
    source = batch_events(asked.stream_events(), services.settings.http.sse_heartbeat)
    try:
        begun = await run_while_connected(request.receive, _read_first_events(source, live))
    except BaseException:
        await source.aclose()
        raise
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    return StreamingResponse(
        _stream_chunks(asked, begun, source, live, with_usage), media_type="text/event-stream", headers=_HEADERS
    )


def _count_answer(answer: Answer) -> None:
    ANSWERS.labels("abstained" if answer.abstained else "answered").inc()


def _build_completion(asked: _AskedCompletion, answer: Answer) -> dict[str, Any]:
    message = {
        "role": "assistant", "content": answer.answer, "refusal": None, "citations": citations_json(answer),
    }  # fmt: skip
    return asked.build_frame(
        "chat.completion",
        choices=[{"index": 0, "message": message, "logprobs": None, "finish_reason": choose_finish_reason(answer)}],
        usage=usage_json(answer.usage),
        anchorage=extension_json(answer, kept=asked.history is None),
    )


async def _read_first_events(source: _Source, live: bool) -> list[Event]:
    """Read the events until there is something to send, or the first heartbeat is due.

    An error until then has a status of its own, on which clients act: they retry a 503.
    """
    found: list[Event] = []
    async for batch in source:
        found += batch
        if failed := next((event for event in batch if event.type == "error"), None):
            raise _get_error(failed)
        if not batch or any(event.type == "answer" or (live and event.type == "token") for event in batch):
            break
    return found


def _get_error(event: Event) -> AnchorageError:
    error: AnchorageError = event.data["error"]
    return error


async def _stream_chunks(
    asked: _AskedCompletion, begun: Sequence[Event], source: _Source, live: bool, with_usage: bool
) -> AsyncIterator[bytes]:
    """Stream the chunks of an answer."""
    STREAMS.inc()
    try:
        async with aclosing(source):
            writer = _Writer(asked, live, with_usage)
            yield writer.write_chunk({"role": "assistant", "content": ""}) + writer.write_events(begun)
            async for batch in source:
                if frames := writer.write_events(batch) if batch else KEEPALIVE_COMMENT:
                    yield frames
    finally:
        STREAMS.dec()


@dataclass(slots=True)
class _Writer:
    """Turns events into chunks."""

    asked: _AskedCompletion
    live: bool
    with_usage: bool
    sent: str = ""
    overtaken: bool = False

    def write_events(self, events: Sequence[Event]) -> bytes:
        """The chunks for a batch of events; tokens next to each other become one chunk."""
        out, text = [], ""
        for event in events:
            if event.type == "token":
                text += event.data["text"] if self.live and not self.overtaken else ""
                continue
            out.append(self._write_text(text))
            text = ""
            if event.type == "reset":
                self.overtaken = bool(self.sent)  # what was sent stays on the screen, so the new attempt is sent whole
            elif event.type == "answer":
                out.append(self._write_end(event.data["answer"]))
            elif event.type == "error":
                error = _get_error(event)
                out.append(_encode_frame(make_openai_error(error.status, error.code, error.message)))
        return b"".join((*out, self._write_text(text)))

    def write_chunk(self, delta: dict[str, Any], finish: str | None = None, **rest: Any) -> bytes:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        usage = {"usage": None} if self.with_usage else {}
        return _encode_frame(self.asked.build_frame("chat.completion.chunk", choices=choices, **usage, **rest))

    def _write_text(self, text: str) -> bytes:
        self.sent += text
        return self.write_chunk({"content": text}) if text else b""

    def _write_end(self, answer: Answer) -> bytes:
        _count_answer(answer)
        out = self._write_text(_find_remainder(answer, self.sent, self.overtaken))
        extension = extension_json(answer, kept=self.asked.history is None, streamed=self.sent)
        out += self.write_chunk(
            {"citations": citations_json(answer)}, choose_finish_reason(answer), anchorage=extension
        )
        if self.with_usage:
            out += _encode_frame(
                self.asked.build_frame("chat.completion.chunk", choices=[], usage=usage_json(answer.usage))
            )
        return out + b"data: [DONE]\n\n"


def _find_remainder(answer: Answer, sent: str, overtaken: bool) -> str:
    """Find the rest of the verified answer to send. Text that was sent cannot be taken back: after an answer that was withdrawn, the
    abstention is sent; smaller corrections are in the extension field.
    """
    if sent.strip() == answer.answer:
        return ""
    if answer.answer.startswith(sent):
        return answer.answer[len(sent) :]
    return f"\n\n{answer.answer}" if answer.abstained or overtaken else ""


def _encode_frame(value: dict[str, Any]) -> bytes:
    return b"data: " + dumps(value) + b"\n\n"
