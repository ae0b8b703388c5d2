"""OpenAI-compatible servers (OpenAI, Ollama, FPT Cloud, vLLM, llama.cpp) over one pooled client.

No SDK: it costs several times what the rest of a turn does. All that differs between servers is in `Dialect`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, StreamReader

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import (
    BODY_LIMIT,
    CallFailed,
    RetryPolicy,
    encode_body,
    make_cut_off_error,
    make_format_error,
    make_length_error,
    make_status_error,
    make_timeout_error,
    make_transport_error,
    parse_usage,
    ping_server,
    read_body,
    read_body_start,
)
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.adapters.models.sse import SseDecoder
from anchorage.errors import ConfigurationError, ModelError
from anchorage.fastjson import loads
from anchorage.model import Message, Usage

__all__ = ["OpenAIEmbedder", "OpenAIGenerator"]

_CHAT_PATH = "chat/completions"
_DRAIN_SECONDS = 0.1
_ERROR_CODES = frozenset(str(code) for code in range(400, 600))


@dataclass(frozen=True, slots=True)
class Dialect:
    """The optional parameters that a server accepts. They differ between servers and models, and are learned from refusals."""

    stream_options: bool = True
    limit: str | None = "max_tokens"
    temperature: bool = True

    def adapt_to(self, refusal: str) -> Dialect | None:
        """The dialect without the parameter that the refusal names; None if it names none that can be left out."""
        if self.stream_options and ("stream_options" in refusal or "include_usage" in refusal):
            return replace(self, stream_options=False)
        if self.limit == "max_tokens" and "max_completion_tokens" in refusal:
            return replace(self, limit="max_completion_tokens")  # OpenAI's reasoning models and newer
        if self.limit == "max_completion_tokens" and "max_completion_tokens" in refusal:
            return replace(self, limit="max_tokens")
        if self.temperature and "temperature" in refusal:
            return replace(self, temperature=False)  # reasoning models take only their own
        return None


@dataclass(slots=True)
class _Reply:
    """What is known so far of one streamed answer."""

    usage: Usage
    text: bool = False
    thinking: bool = False
    finish: str | None = None
    done: bool = False


@dataclass(frozen=True)
class OpenAIGenerator:
    """A `Generator` over `POST /chat/completions`. The client is shared and belongs to the caller.

    Retried with backoff: no connection, 429, 5xx, and an answer that broke off before its first piece. Once a piece was
    yielded, nothing is retried. A server that does not count tokens yields a `Usage` of zeros.
    """

    client: ClientSession = field(repr=False)
    endpoint: Endpoint
    model: str
    max_tokens: int = 1024
    temperature: float | None = 0.0
    first_token_timeout: float = 60.0
    idle_timeout: float = 30.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    ping_timeout: float = 2.0
    _dialects: dict[str, Dialect] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ConfigurationError(
                f"No model is named for the model server at {self.endpoint.shown}. Set {self.endpoint.model_setting}."
            )

    async def ping(self) -> str:
        """See `http.ping_server`: no paid call."""
        return await ping_server(self.client, self.endpoint, self.ping_timeout)

    async def stream(
        self, messages: Sequence[Message], *, max_tokens: int | None = None
    ) -> AsyncGenerator[str | Usage, None]:
        """Pieces of text as they come, then one `Usage`. Closing the iterator ends the request at the server."""
        attempt = 0
        limit = max_tokens or self.max_tokens
        while True:
            dialect = self._dialect
            started = False
            try:
                async with aclosing(self._stream_once(self._build_payload(messages, limit, dialect), limit)) as pieces:
                    async for piece in pieces:
                        started = True
                        yield piece
                return
            except CallFailed as failed:
                # A refused parameter is left out at once and for good, and is no failed attempt.
                if not started and failed.status in (400, 422) and (other := dialect.adapt_to(failed.text)):
                    self._dialects[self.model] = other
                    continue
                pause = self.retry.compute_backoff(attempt, failed.wait) if failed.retry and not started else None
                if pause is None:
                    raise failed.error from (failed.__cause__ or failed)
                attempt += 1
            await asyncio.sleep(pause)

    @property
    def _dialect(self) -> Dialect:
        known = self._dialects.get(self.model)
        # OpenAI takes the new name for all its models; the others mostly know only the old one.
        return known or Dialect(limit="max_completion_tokens" if self.endpoint.is_openai else "max_tokens")

    def _build_payload(self, messages: Sequence[Message], limit: int, dialect: Dialect) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "stream": True,
        }
        if dialect.limit:
            payload[dialect.limit] = limit
        if dialect.temperature and self.temperature is not None:
            payload["temperature"] = self.temperature
        if dialect.stream_options:
            payload["stream_options"] = {"include_usage": True}
        return payload

    async def _stream_once(self, payload: dict[str, Any], limit: int) -> AsyncGenerator[str | Usage, None]:
        """One request. Raises `CallFailed`."""
        deadline = asyncio.get_running_loop().time() + self.first_token_timeout
        response = await self._send_request(payload, deadline)
        payload.clear()  # the prompt is sent, and a slow answer takes long
        try:
            reply = _Reply(Usage(self.model))
            async with aclosing(self._read_pieces(response, reply, deadline)) as pieces:
                async for piece in pieces:
                    yield piece
            if not reply.text:
                raise self._make_empty_answer_error(reply, limit)
            yield replace(reply.usage, cut=True) if reply.finish == "length" else reply.usage
        finally:
            response.close()  # a response that was read to its end has returned its connection already

    async def _send_request(self, payload: dict[str, Any], deadline: float) -> ClientResponse:
        """Send the request and return the response once its headers came. Raises `CallFailed` for a status other than 200."""
        # A compressing proxy would hold tokens back until its buffer is full.
        headers = {**self.endpoint.headers, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        try:
            async with asyncio.timeout_at(deadline):
                response = await self.client.post(
                    self.endpoint.url(_CHAT_PATH), data=encode_body(payload), headers=headers, allow_redirects=False,
                    proxy=self.endpoint.proxy,
                )  # fmt: skip
                if response.status == 200:
                    return response
                try:
                    body = await read_body_start(response)
                finally:
                    response.close()
        except ClientError as error:  # before TimeoutError, which some of these are too
            raise make_transport_error(self.endpoint, error) from error
        except TimeoutError as error:
            raise self._make_slow_start_error() from error
        raise make_status_error(self.endpoint, self.model, _CHAT_PATH, response.status, response.headers, body)

    async def _read_pieces(self, response: ClientResponse, reply: _Reply, deadline: float) -> AsyncGenerator[str, None]:
        if "event-stream" not in response.headers.get("content-type", "text/event-stream"):
            yield await self._read_whole_answer(response, reply, deadline)
            return
        decoder = SseDecoder()
        content = response.content
        size = 0
        next_deadline: float | None = deadline
        while not reply.done:
            next_deadline = next_deadline or asyncio.get_running_loop().time() + self.idle_timeout
            chunk = await self._read_chunk(content, reply, next_deadline)
            size += len(chunk or b"")
            if size > BODY_LIMIT:
                raise make_length_error(self.endpoint)
            texts: list[str] = []  # pieces that came together are yielded together: each piece costs all who handle it
            try:
                for data in self._decode_events(decoder, chunk):
                    texts.append(self._read_event(data, reply))
                    if texts[-1] or reply.text or reply.thinking:
                        next_deadline = None  # set anew by events only: a proxy may send comments for a hung server
            except CallFailed:
                if text := "".join(texts):
                    yield text
                raise
            if text := "".join(texts):
                reply.text = True
                yield text
            if chunk is None:
                if not reply.done and reply.finish is None:
                    raise make_cut_off_error(self.endpoint)
                return
        await _drain_connection(content)

    async def _read_chunk(self, content: StreamReader, reply: _Reply, deadline: float) -> bytes | None:
        """The bytes that have arrived, else the next ones; None at the end."""
        try:
            if chunk := content.read_nowait():
                return chunk
            async with asyncio.timeout_at(deadline):
                return await content.readany() or None
        except ClientError as error:
            if left := _take_unread(content, error):
                return left
            if reply.finish is not None:
                return None  # the answer was whole
            raise make_transport_error(self.endpoint, error, started=True) from error
        except TimeoutError as error:
            if reply.text or reply.thinking:
                setting = "ANCHORAGE_LLM__IDLE_TIMEOUT"
                raise make_timeout_error(
                    self.endpoint, self.idle_timeout, "further piece of the answer", setting
                ) from error
            raise self._make_slow_start_error() from error

    def _decode_events(self, decoder: SseDecoder, chunk: bytes | None) -> list[bytes]:
        try:
            # At the end only the end mark counts: half an event is an answer that was cut off, not a format error.
            return decoder.feed(chunk) if chunk is not None else [d for d in decoder.finish() if d.strip() == b"[DONE]"]
        except ValueError as error:
            raise make_format_error(self.endpoint, b"") from error

    def _read_event(self, data: bytes, reply: _Reply) -> str:
        """Return the text of one event, and record everything else in `reply`."""
        try:
            event = loads(data)
        except ValueError as error:
            if data.strip() == b"[DONE]":
                reply.done = True
                return ""
            raise make_format_error(self.endpoint, data) from error
        if not isinstance(event, dict):
            raise make_format_error(self.endpoint, data)
        if event.get("error"):
            raise self._make_event_error(data, event["error"])
        if event.get("usage"):
            reply.usage = parse_usage(self.model, event["usage"])
        choices = event.get("choices")
        if not choices:
            return ""
        try:
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message") or {}
            text = _extract_text(delta.get("content") or delta.get("refusal"))
            reply.finish = choice.get("finish_reason") or reply.finish
            if not text and (delta.get("reasoning_content") or delta.get("reasoning")):
                reply.thinking = True
        except (AttributeError, KeyError, TypeError) as error:
            raise make_format_error(self.endpoint, data) from error
        return text

    def _make_event_error(self, data: bytes, error: Any) -> CallFailed:
        """The error that a server reports within the stream, after its headers were sent."""
        code = error.get("code") or error.get("status") if isinstance(error, dict) else None
        status = int(str(code)) if str(code) in _ERROR_CODES else 500
        return make_status_error(self.endpoint, self.model, _CHAT_PATH, status, {}, data)

    async def _read_whole_answer(self, response: ClientResponse, reply: _Reply, deadline: float) -> str:
        """Read the answer of a server that does not stream although it was asked to."""
        try:
            async with asyncio.timeout_at(deadline):
                body = await read_body(response, self.endpoint)
        except ClientError as error:
            raise make_transport_error(self.endpoint, error, started=True) from error
        except TimeoutError as error:
            raise self._make_slow_start_error() from error
        text = self._read_event(body, reply)
        if not text and reply.finish is None:
            raise make_format_error(self.endpoint, body)
        reply.text = bool(text)
        return text

    def _make_slow_start_error(self) -> CallFailed:
        seconds, setting = self.first_token_timeout, "ANCHORAGE_LLM__FIRST_TOKEN_TIMEOUT"
        return make_timeout_error(self.endpoint, seconds, "piece of an answer", setting)

    def _make_empty_answer_error(self, reply: _Reply, limit: int) -> CallFailed:
        if reply.finish == "length":
            why = f"spent all its {limit} tokens before it wrote a word. Raise ANCHORAGE_LLM__MAX_TOKENS"
        elif reply.finish == "content_filter":
            why = "kept its answer back by its content filter. Ask in other words"
        else:
            why = "gave an empty answer. Ask again; if it stays, try another model"
        return CallFailed(ModelError(f"The model {self.model!r} at {self.endpoint.shown} {why}."))


def _take_unread(content: StreamReader, error: ClientError) -> bytes:
    """Bytes that came before the connection broke, and were not read yet: the reader would raise its error first."""
    content.set_exception(None)  # type: ignore[arg-type]  # takes the error away for a moment
    try:
        return content.read_nowait()
    finally:
        content.set_exception(error)


async def _drain_connection(content: StreamReader) -> None:
    """Read the few bytes after the end mark, so that the connection can be reused. Gives up soon."""
    if content.at_eof():
        return
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while await content.readany():
                pass
    except (TimeoutError, ClientError):
        return  # the answer is whole; only the connection is lost


def _extract_text(content: Any) -> str:
    """Text of a delta: a string, nothing, or (Mistral) a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content)
    if not isinstance(content, str):
        raise TypeError("content is not text")
    # JSON can carry a lone surrogate, and no database takes it.
    return content if content.isascii() else content.encode("utf-8", "replace").decode()
