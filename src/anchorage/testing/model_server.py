"""A small OpenAI-compatible model server: a real HTTP peer for tests and benches, which fails on demand.

    async with model_server() as server:
        server.script(Behaviour(status=429, retry_after="0.01"), Behaviour(answer="Paris."))
        ...  # a client of server.url
        assert server.count("/v1/chat/completions") == 2

`python -m anchorage.testing.model_server --port 9000` serves until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from anchorage.testing.hashing import hash_texts
from anchorage.testing.model_behaviour import HEADER, Behaviour, quote_first_passage
from anchorage.testing.model_roles import MODERATIONS, RERANK, moderate_input, rerank_documents
from anchorage.testing.serving import serve_app

__all__ = ["Behaviour", "ModelServer", "RecordedRequest", "model_server", "quote_first_passage"]

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
_HINTS = {"max_tokens": " Use 'max_completion_tokens' instead.", "documents": " The body has no field `texts`."}
_PIECE = re.compile(r"\s*\S+\s*$|\s*\S+")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came; `body` is its JSON, or None."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class _ClientGone(Exception):
    """The client left, or the server is closing."""


class ModelServer:
    """The ASGI app with its script and its records.

    `behaviour` rules every chat and embeddings request; `script` adds behaviours that are used up, one a request, before it. A
    request may change its own: header `x-behaviour: fault=cut,pieces=3`, or a model named `any@fault=cut,pieces=3`.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        models: tuple[str, ...] = (),
        api_key: str | None = None,
        dimension: int = 64,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.models = models
        """What it serves; any name while empty."""
        self.api_key = api_key
        self.dimension = dimension
        self.requests: list[RecordedRequest] = []
        self.disconnects = 0
        """Clients that left before the end of their answer."""
        self.active = 0
        """Requests that are being answered now."""
        self.connections: set[tuple[str, int]] = set()
        """Client addresses seen: how many connections were made."""
        self.url = ""
        """Base URL for an OpenAI-compatible client, with /v1."""
        self._script: deque[Behaviour] = deque()
        self._closing = asyncio.Event()

    def script(self, *behaviours: Behaviour) -> None:
        """Use these for the next requests, one each."""
        self._script.extend(behaviours)

    def count(self, path: str = CHAT) -> int:
        """How many requests came for this path."""
        return sum(request.path == path for request in self.requests)

    def bodies(self, path: str = CHAT) -> list[Any]:
        """The JSON bodies that came for this path."""
        return [request.body for request in self.requests if request.path == path]

    async def until(self, condition: Callable[[ModelServer], bool], *, timeout: float = 5.0) -> None:
        """Wait until the condition holds of this server; raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while not condition(self):
                await asyncio.sleep(0.002)

    def close(self) -> None:
        """End all that hangs."""
        self._closing.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """The ASGI app."""
        if scope["type"] != "http":
            return
        if scope.get("client"):
            self.connections.add(tuple(scope["client"]))
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request = RecordedRequest(scope["method"], scope["path"], headers, _parse(body))
        self.requests.append(request)
        self.active += 1
        exchange = _Exchange(self, request, send, asyncio.ensure_future(receive()))
        try:
            await exchange.answer()
        except _ClientGone:
            self.disconnects += exchange.left
        finally:
            self.active -= 1
            await exchange.end()

    def next_behaviour(self, request: RecordedRequest) -> Behaviour:
        """Of this request."""
        behaviour = self._script.popleft() if self._script else self.behaviour
        _, _, changes = str(request.body.get("model", "")).partition("@")
        return behaviour.apply_changes(changes).apply_changes(request.headers.get(HEADER, ""))


class _Exchange:
    """One request and its answer."""

    def __init__(self, server: ModelServer, request: RecordedRequest, send: Any, gone: asyncio.Future[Any]) -> None:
        self.server = server
        self.request = request
        self._send = send
        self._gone = gone  # done when the client closes the connection
        self._closing = asyncio.ensure_future(server._closing.wait())
        self._headers: Mapping[str, str] = {}

    @property
    def left(self) -> bool:
        return self._gone.done()

    async def end(self) -> None:
        for waiter in (self._gone, self._closing):
            waiter.cancel()
        await asyncio.gather(self._gone, self._closing, return_exceptions=True)

    async def pause(self, seconds: float | None) -> None:
        """Wait (for ever with None); raises `_ClientGone` when the client leaves or the server closes."""
        waiters = {self._gone, self._closing}
        done, _ = await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if done:
            raise _ClientGone

    async def start(self, status: int, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        pairs = {"content-type": content_type, **self._headers, **(headers or {})}
        encoded = [(name.encode(), value.encode()) for name, value in pairs.items() if value]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, body: bytes, *, more: bool) -> None:
        if self.left:
            raise _ClientGone
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def reply(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        await self.start(status, "application/json", headers)
        await self.write(json.dumps(content).encode(), more=False)

    async def fail(self, status: int, message: str, code: str | None = None, retry_after: str = "") -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        await self.reply(status, {"error": error}, {"retry-after": retry_after})

    async def answer(self) -> None:
        method, path, server = self.request.method, self.request.path, self.server
        if server.api_key and self.request.headers.get("authorization") != f"Bearer {server.api_key}":
            given = self.request.headers.get("authorization", "").removeprefix("Bearer ")
            await self.fail(401, f"Incorrect API key provided: {given}.", "invalid_api_key")
        elif (method, path) == ("GET", "/v1/models"):
            models = [{"id": name, "object": "model", "owned_by": "tests"} for name in server.models]
            await self.reply(200, {"object": "list", "data": models})
        elif (method, path) == ("GET", "/api/tags"):
            await self.reply(200, {"models": [{"name": name, "model": name} for name in server.models]})
        elif method != "POST" or path not in (CHAT, EMBEDDINGS, RERANK, MODERATIONS):
            await self.start(404, "text/plain")
            await self.write(b"404 page not found", more=False)
        elif not isinstance(self.request.body, dict):
            await self.fail(400, "The body is not a JSON object.")
        else:
            await self._answer_model_call(path)

    async def _answer_model_call(self, path: str) -> None:
        body = self.request.body
        try:
            behaviour = self.server.next_behaviour(self.request)
        except ValueError as error:
            await self.fail(400, str(error))
            return
        self._headers = behaviour.headers
        name = str(body.get("model", "")).partition("@")[0]
        refused = next((key for key in behaviour.refuse.split() if key in body), None)
        if self.server.models and name not in self.server.models:
            await self.fail(404, f"The model `{name}` does not exist.", "model_not_found")
        elif behaviour.status != 200:
            message = behaviour.message or f"scripted failure {behaviour.status}"
            await self.fail(behaviour.status, message, None, behaviour.retry_after)
        elif refused:
            hint = _HINTS.get(refused, "")
            message = f"Unsupported parameter: '{refused}' is not supported with this model.{hint}"
            await self.fail(400, message, "unsupported_parameter")
        elif behaviour.fault == "html":
            await self.start(200, "text/html")
            await self.write(b"<!doctype html><title>Sign in</title>", more=False)
        elif behaviour.fault == "nonsense":
            streamed = path == CHAT and body.get("stream")
            await self.start(200, "text/event-stream" if streamed else "application/json")
            await self.write(b'data: {"what": [\n\ndata: [DONE]\n\n' if streamed else b'{"data": 7}', more=False)
        elif path == EMBEDDINGS:
            await self._send_embeddings(behaviour)
        elif path in (RERANK, MODERATIONS):
            await self.pause(None if behaviour.fault == "hang" else behaviour.first_delay)
            await self.reply(200, rerank_documents(body) if path == RERANK else moderate_input(body, behaviour.unsafe))
        elif body.get("stream") and behaviour.stream:
            await self._send_stream(behaviour)
        else:
            await self._send_completion(behaviour)

    async def _send_embeddings(self, behaviour: Behaviour) -> None:
        await self.pause(None if behaviour.fault == "hang" else behaviour.first_delay)
        body = self.request.body
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if not all(texts):
            await self.fail(400, "'$.input' is invalid: an empty string.")
            return
        dimension = behaviour.dimension or body.get("dimensions") or self.server.dimension
        rows = hash_texts(texts, dimension)
        in_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.tobytes()).decode() if in_base64 else row.tolist(),
            }
            for index, row in enumerate(rows)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        await self.reply(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})

    def _make_pieces(self, behaviour: Behaviour) -> tuple[list[str], dict[str, int]]:
        """The pieces of the answer, and what they cost."""
        messages = self.request.body.get("messages", [])
        pieces = _PIECE.findall(behaviour.write_answer(messages))
        limit = self.request.body.get("max_tokens") or self.request.body.get("max_completion_tokens")
        pieces = pieces[:limit]
        asked = sum(len(str(message.get("content")).split()) for message in messages)
        return pieces, {"prompt_tokens": asked, "completion_tokens": len(pieces), "total_tokens": asked + len(pieces)}

    def _build_frame(self, **rest: Any) -> dict[str, Any]:
        return {"id": "chatcmpl-test", "created": int(time.time()), "model": self.request.body.get("model"), **rest}

    async def _send_completion(self, behaviour: Behaviour) -> None:
        await self.pause(None if behaviour.fault == "hang" else behaviour.first_delay)
        pieces, usage = self._make_pieces(behaviour)
        message = {"role": "assistant", "content": "".join(pieces)}
        choices = [{"index": 0, "message": message, "finish_reason": behaviour.finish}]
        frame = self._build_frame(object="chat.completion", choices=choices)
        await self.reply(200, {**frame, "usage": usage} if behaviour.usage else frame)

    async def _send_event(self, delta: Mapping[str, Any], finish: str | None = None) -> None:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        frame = self._build_frame(object="chat.completion.chunk", system_fingerprint="fp_test", choices=choices)
        await self.write(b"data: " + json.dumps(frame).encode() + b"\n\n", more=True)

    async def _send_stream(self, behaviour: Behaviour) -> None:
        pieces, usage = self._make_pieces(behaviour)
        await self.start(200, "text/event-stream; charset=utf-8")
        await self._send_event({"role": "assistant", "content": ""})
        if behaviour.first_delay:
            await self.pause(behaviour.first_delay)
        for number, piece in enumerate([*pieces, None]):
            if number == behaviour.pieces and behaviour.fault == "hang":
                await self.pause(None)
            if number == behaviour.pieces and behaviour.fault == "cut":
                raise _ClientGone  # an app that returns in mid-answer makes uvicorn close the connection
            if number == behaviour.pieces and behaviour.error_event:
                await self.write(b'data: {"error": {"message": "%b"}}\n\n' % behaviour.error_event.encode(), more=False)
                return
            if piece is not None:
                await self._send_event({"content": piece})
                # Without a pause the loop must turn all the same, or nobody sees that the client left.
                await (self.pause(behaviour.token_delay) if behaviour.token_delay else asyncio.sleep(0))
        await self._send_event({}, behaviour.finish)
        if behaviour.usage and (self.request.body.get("stream_options") or {}).get("include_usage"):
            frame = self._build_frame(object="chat.completion.chunk", choices=[], usage=usage)
            await self.write(b"data: " + json.dumps(frame).encode() + b"\n\n", more=True)
        await self.write(b"data: [DONE]\n\n", more=True)
        await self.write(b"", more=False)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


@asynccontextmanager
async def model_server(
    behaviour: Behaviour | None = None,
    *,
    models: tuple[str, ...] = (),
    api_key: str | None = None,
    dimension: int = 64,
) -> AsyncIterator[ModelServer]:
    """Run a model server on a free port of 127.0.0.1 inside the running loop, until the context ends."""
    app = ModelServer(behaviour, models=models, api_key=api_key, dimension=dimension)
    async with serve_app(app) as address:
        app.url = f"{address}/v1"
        try:
            yield app
        finally:
            app.close()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m anchorage.testing.model_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--dimension", type=int, default=64, help="of the embeddings")
    parser.add_argument("--model", action="append", default=[], help="serve only this; may be repeated")
    parser.add_argument("--behaviour", default="", help="for example first_delay=0.2,token_delay=0.01")
    given = parser.parse_args()
    app = ModelServer(Behaviour().apply_changes(given.behaviour), models=tuple(given.model), dimension=given.dimension)
    uvicorn.run(app, host=given.host, port=given.port, access_log=False, lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()
