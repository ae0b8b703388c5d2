"""The shapes of OpenAI's chat completions: the request, as far as it is supported, and the pieces of a response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from anchorage.chat.safety.question import strip_unstorable_characters
from anchorage.chat.state import ABSTENTION
from anchorage.chat.streaming.events import serialise_citation
from anchorage.errors import BadRequest, NotFound
from anchorage.model import Answer, Turn, Usage

MODEL = "anchorage"
"""The name of all that the caller may read; `anchorage/NAME` is one collection."""


class UnknownModel(NotFound):
    """No such model, or none that this principal may use."""

    code = "model_not_found"
    param = "model"


class NotSupported(BadRequest):
    """A parameter that cannot be honoured, and whose effect would be missed."""

    code = "unsupported_value"

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class Part(BaseModel):
    type: str
    text: str | None = None
    refusal: str | None = None


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class Options(BaseModel):
    type: str


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class CompletionRequest(BaseModel):
    """OpenAI's request. What is not named here is accepted and has no effect: the server's settings decide."""

    model: str = Field(description="`anchorage`, or `anchorage/NAME` for one collection")
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, description="accepted without effect")
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: Options | None = None
    logprobs: bool | None = None
    audio: Any = None
    modalities: list[str] | None = None
    metadata: dict[str, str] | None = Field(
        None,
        description="`conversation_id` keeps the turn in that conversation, as message `message_id` if that is given",
    )

    def require_supported(self) -> None:
        """Raises `NotSupported` for parameters that cannot be honoured."""
        only_text = "Anchorage answers in plain text. Leave it out."
        format_type = self.response_format.type if self.response_format else "text"
        for param, wanted, message in (
            ("n", (self.n or 1) > 1, "Only one choice is given per request: leave `n` out, or set it to 1."),
            ("tools", bool(self.tools), "Tools are not called by Anchorage. Leave `tools` out."),
            ("functions", bool(self.functions), "Functions are not called by Anchorage. Leave `functions` out."),
            (
                "response_format",
                format_type != "text",
                f"There is no response format {format_type[:40]!r}: {only_text}",
            ),
            ("logprobs", bool(self.logprobs), "There are no log probabilities. Leave `logprobs` out."),
            ("audio", self.audio is not None, f"There is no audio: {only_text}"),
            ("modalities", "audio" in (self.modalities or ()), f"There is no audio: {only_text}"),
        ):
            if wanted:
                raise NotSupported(param, message)


def read_conversation(messages: Sequence[ChatMessage]) -> tuple[str, list[Turn]]:
    """Read the question and the turns before it. System messages are left out: they are neither document nor question.

    Raises `BadRequest` where there is no question at the end, and `NotSupported` for what is not text.
    """
    merged: list[tuple[str, str]] = []  # of several messages of one role in a row, one
    for number, message in enumerate(messages):
        if message.role in ("system", "developer"):
            continue
        if message.role in ("tool", "function"):
            raise NotSupported(
                f"messages[{number}].role", "Results of tools are not understood. Leave these messages out."
            )
        text = _read_text(message, number)
        if merged and merged[-1][0] == message.role:
            merged[-1] = (message.role, f"{merged[-1][1]}\n\n{text}".strip())
        elif merged or message.role == "user":  # a greeting before the first question is no answer
            merged.append((message.role, text))
    if not merged or merged[-1][0] != "user":
        raise NotSupported("messages", "The last message must be the user's question.")
    turns = [
        Turn(number, str(number), question, answer, abstained=ABSTENTION in answer)
        for number, ((_, question), (_, answer)) in enumerate(zip(merged[:-1:2], merged[1::2], strict=True), 1)
    ]
    return merged[-1][1], turns


def _read_text(message: ChatMessage, number: int) -> str:
    if not isinstance(message.content, list):
        return strip_unstorable_characters(message.content or "")
    pieces = []
    for place, part in enumerate(message.content):
        piece = {"text": part.text, "refusal": part.refusal}.get(part.type)
        if piece is None:
            raise NotSupported(
                f"messages[{number}].content[{place}]",
                f"A part of the type {part.type[:40]!r} cannot be read: only text is. Upload files with POST /api/documents "
                "and ask about them.",
            )
        pieces.append(piece)
    return strip_unstorable_characters("\n".join(pieces))


def choose_finish_reason(answer: Answer) -> str:
    """`length` where the model ended at its limit of tokens, or the client's."""
    return "length" if answer.usage.cut else "stop"


def usage_json(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def citations_json(answer: Answer) -> list[dict[str, Any]]:
    """Our extension: the citations that the markers in the text stand for, as POST /api/chat gives them."""
    return [serialise_citation(citation) for citation in answer.citations]


def extension_json(answer: Answer, *, kept: bool, streamed: str | None = None) -> dict[str, Any]:
    """Our extension: what OpenAI's shape has no room for. `answer` where the text that was streamed is not the verified one."""
    ids = {"conversation_id": answer.conversation_id, "message_id": answer.message_id} if kept else {}
    corrected = {} if streamed is None or streamed.strip() == answer.answer else {"answer": answer.answer}
    unsupported = {"unsupported": [asdict(item) for item in answer.unsupported]} if answer.unsupported else {}
    return {"abstained": answer.abstained, **ids, **corrected, **unsupported}
