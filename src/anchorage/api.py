"""The verbs of the Python API, which `Anchorage` (embedded) and `Client` (over HTTP) both answer to; and the events of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from anchorage.model import (
    DEFAULT_COLLECTION,
    Answer,
    Conversation,
    Document,
    DocumentText,
    Hit,
    Job,
    Outcome,
    RegisteredSource,
    Turn,
)


@dataclass(frozen=True, slots=True)
class AskEvent:
    """One event of an answer while it is written.

    `type` is `start` when the turn was accepted; `hits` with what retrieval found; `token` with the next piece of `text`; `reset` when a
    new attempt begins, and the text that was shown so far is void; and at last `answer` with the whole answer and its citations, which
    replaces what the tokens showed.
    """

    type: str
    conversation_id: str
    message_id: str
    text: str = ""
    hits: tuple[Hit, ...] = ()
    answer: Answer | None = None


class DocumentsApi(Protocol):
    async def list(
        self, *, collection: str | None = None, status: str | None = None, matching: str = ""
    ) -> Sequence[Document]: ...

    async def show(self, document_id: str, *, version: str | None = None) -> tuple[Document, DocumentText | None]: ...

    async def delete(self, *document_ids: str) -> Sequence[str]: ...

    async def delete_all(self, collection: str) -> Sequence[str]: ...


class ConversationsApi(Protocol):
    async def list(self, *, limit: int = 100, matching: str = "") -> Sequence[Conversation]: ...

    async def show(self, conversation_id: str) -> tuple[Conversation, Sequence[Turn]]: ...

    async def delete(self, conversation_id: str) -> None: ...

    async def delete_all(self) -> None: ...


class JobsApi(Protocol):
    async def list(
        self, *, status: str | None = None, source_id: str | None = None, limit: int = 100
    ) -> Sequence[Job]: ...

    async def counts(self) -> Mapping[str, int]: ...

    async def show(self, job_id: str) -> Job: ...

    async def retry(self, job_id: str) -> Job: ...

    async def cancel(self, job_id: str) -> Job: ...


class SourcesApi(Protocol):
    async def list(self) -> Sequence[RegisteredSource]: ...

    async def add(
        self, location: str, *, collection: str = DEFAULT_COLLECTION, every: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[RegisteredSource, str]: ...  # fmt: skip

    async def sync(self, source_id: str, *, confirm: bool = False) -> str: ...

    async def remove(self, source_id: str, *, keep_documents: bool = False) -> int: ...


class Api(Protocol):
    """Every read is that of one principal: the owner of the data directory, or whose key it is."""

    @property
    def documents(self) -> DocumentsApi: ...

    @property
    def conversations(self) -> ConversationsApi: ...

    @property
    def jobs(self) -> JobsApi: ...

    @property
    def sources(self) -> SourcesApi: ...

    async def search(self, question: str, *, collection: str | None = None, k: int | None = None) -> Sequence[Hit]: ...

    async def ask(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> Answer: ...  # fmt: skip

    def ask_stream(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> AsyncGenerator[AskEvent, None]: ...  # fmt: skip

    async def ingest(
        self, *places: str | Path, collection: str = DEFAULT_COLLECTION, wait: bool = True
    ) -> Sequence[Outcome]: ...

    async def collections(self) -> Mapping[str, int]: ...
