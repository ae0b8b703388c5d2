"""Client: the verbs of the Python API, answered by a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from anchorage.api import AskEvent
from anchorage.client.decode import decode_hit
from anchorage.client.resources import Conversations, Documents, Jobs, Sources
from anchorage.client.stream import AnswerStream
from anchorage.client.transport import Transport
from anchorage.client.upload import batches, find_files, upload_files, wait_for
from anchorage.errors import AnchorageError, Unavailable
from anchorage.model import DEFAULT_COLLECTION, Answer, DocumentStatus, Hit, Outcome

_STOPPING = 5.0  # seconds that an answer which is left is given to stop


class Client:
    """A connection to a server at `base_url`; close it with `aclose`, or use it as an async context manager.

    `timeout` is how many seconds a server may be silent, `retries` how often a request that may be sent again is, with growing pauses.
    Every method raises the server's errors as the classes of `anchorage.errors`, and `Unavailable` where no server answers.
    """

    def __init__(
        self, base_url: str = "http://127.0.0.1:8000", api_key: str | None = None, *, timeout: float = 60, retries: int = 3,
        headers: Mapping[str, str] | None = None, transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._transport = Transport(
            base_url, api_key, timeout=timeout, retries=retries, headers=headers or {}, transport=transport
        )
        self.documents = Documents(self._transport)
        self.conversations = Conversations(self._transport)
        self.jobs = Jobs(self._transport)
        self.sources = Sources(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def search(self, question: str, *, collection: str | None = None, k: int | None = None) -> Sequence[Hit]:
        """The passages that fit a question best."""
        body = {"question": question, "collection": collection, "k": k}
        found = await self._transport.json("POST", "/api/search", body=body, repeatable=True)
        return [decode_hit(hit) for hit in found["hits"]]

    async def ask(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> Answer:  # fmt: skip
        """The answer to a question, however long it takes and however often the connection breaks."""
        events = self.ask_stream(
            question, collection=collection, conversation_id=conversation_id, message_id=message_id
        )
        async with aclosing(events):
            async for event in events:
                if event.answer is not None:
                    return event.answer
        raise Unavailable(f"{self._transport.server} ended without an answer. Ask again.")

    async def ask_stream(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> AsyncGenerator[AskEvent, None]:  # fmt: skip
        """The answer as it is written; the last event is `answer`. A connection that breaks is resumed where it broke.

        Both ids are chosen here where none are given, so that a question which is sent twice is answered once. An answer that is
        left before its end is stopped where its `message_id` was chosen here: nobody else can come back to it.
        """
        conversation = conversation_id or str(uuid4())
        body = {
            "message": question, "conversation_id": conversation, "message_id": message_id or str(uuid4()),
            "collection": collection,
        }  # fmt: skip
        ended = False
        try:
            async with aclosing(AnswerStream(self._transport, body).events()) as events:
                async for event in events:
                    ended = event.answer is not None
                    yield event
        except (GeneratorExit, asyncio.CancelledError):
            if not ended and message_id is None:
                await self._stop_left_answer(conversation)
            raise

    async def _stop_left_answer(self, conversation_id: str) -> None:
        with suppress(AnchorageError, TimeoutError):
            async with asyncio.timeout(_STOPPING):
                await self.stop(conversation_id)

    async def ingest(
        self, *places: str | Path, collection: str = DEFAULT_COLLECTION, wait: bool = True
    ) -> Sequence[Outcome]:
        """Upload files, and all files below folders, and wait until a worker of the server has indexed them.

        Files of the same name replace each other. Other places than files are read by the server itself: see `sources.add`. Raises
        `BadRequest` for what is not there.
        """
        queued: list[tuple[str, str]] = []
        for batch in batches(find_files(places)):
            queued += await upload_files(self._transport, batch, collection)
        if not wait:
            return [Outcome(uri, None, DocumentStatus.QUEUED) for uri, _ in queued]
        return [await wait_for(self.jobs, self.documents, uri, job_id) for uri, job_id in queued]

    async def collections(self) -> Mapping[str, int]:
        """How many documents each collection has that the key may read."""
        found: Any = await self._transport.json("GET", "/api/collections")
        return {item["name"]: item["documents"] for item in found["collections"]}

    async def stop(self, conversation_id: str) -> bool:
        """End the answer that is being written in a conversation; whether there was one."""
        path = f"/api/chat/{quote(conversation_id, safe='')}/stop"
        return bool((await self._transport.json("POST", path, repeatable=True))["stopping"])

    async def prove(self, challenge: str) -> str:
        """What the server makes of a challenge with the secret of its data directory: only the one that runs there can."""
        found = await self._transport.json("GET", "/api/instance", params={"challenge": challenge})
        return str(found["proof"])
