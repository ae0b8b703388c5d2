"""The classic small RAG APIs: POST /query?q=, POST /query {"text"} and POST /add_text {"text"}, for clients that exist."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from anchorage.chat.safety.question import strip_unstorable_characters
from anchorage.errors import BadRequest, DocumentRefused, Unavailable
from anchorage.faces.http.connection import run_while_connected
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices, CurrentState
from anchorage.model import DEFAULT_COLLECTION, Failure, SourceEntry, SourceItem
from anchorage.telemetry import ANSWERS

router = APIRouter(tags=["Classic"])
ingest_router = APIRouter(tags=["Classic"])
"""Routes that write documents, and so belong to the ingest role."""


class Text(BaseModel):
    text: str = Field(description="the question, or the text to add")


@dataclass(frozen=True, slots=True)
class _TextSource:
    """A source of one document, named after its content. `folder` takes the file that a parser wants."""

    content: bytes
    folder: Path
    prefix: None = None
    lists_all: bool = True

    @property
    def name(self) -> str:
        return f"text-{hashlib.sha256(self.content).hexdigest()[:16]}.txt"

    @property
    def uri(self) -> str:
        return f"upload://{DEFAULT_COLLECTION}/{self.name}"

    async def list(self) -> AsyncIterator[SourceEntry]:
        yield SourceEntry(self.uri)

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        await asyncio.to_thread(self.folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder) as file:
            await asyncio.to_thread(Path(file.name).write_bytes, self.content)
            yield SourceItem(uri, self.name, file.name, len(self.content))


@router.post("/query", summary="Ask, the classic way")
async def query(
    request: Request, services: CurrentServices, principal: CurrentPrincipal, body: Text | None = None,
    q: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """With `?q=` the `answer`; with a JSON `text` the `response`, and the passages it comes from as `context`."""
    question = q if q is not None else body.text if body is not None else None
    if question is None:
        raise BadRequest('There is no question. Send it as POST /query?q=..., or as JSON: {"text": "..."}.')
    answer = await run_while_connected(request.receive, services.chat.ask(principal, question, history=()))
    ANSWERS.labels("abstained" if answer.abstained else "answered").inc()
    if q is not None:
        return {"answer": answer.answer}
    passages = answer.hits[: services.chat.limits.passages]
    return {"response": answer.answer, "context": [hit.text for hit in passages]}


@ingest_router.post("/add_text", summary="Add a text, the classic way")
async def add_text(body: Text, services: CurrentServices, principal: CurrentPrincipal, state: CurrentState) -> str:
    """Ingest a text as a document of `default`. It can be asked about when this answers. The same text is added once."""
    text = strip_unstorable_characters(body.text)
    if not text.strip():
        raise BadRequest("The text is empty: send what is to be found later.")
    store, settings = services.storage.catalog, services.settings
    source = _TextSource(text.encode(), settings.data.dir / "uploads")
    async with state.get_text_slots(settings.http.add_text_concurrency):
        await store.open_collection(principal, DEFAULT_COLLECTION, services.ingest.index)
        known = (await store.versions(principal, DEFAULT_COLLECTION, [source.uri])).get(source.uri)
        outcome = await services.ingest.ingester_for(principal).ingest_document(
            DEFAULT_COLLECTION, source, SourceEntry(source.uri), known
        )
    if outcome.error:
        raise _make_refusal(outcome.error)
    return "OK"


def _make_refusal(failure: Failure) -> DocumentRefused | Unavailable:
    if failure.temporary:
        return Unavailable(failure.message)
    return DocumentRefused(failure.code, failure.message)
