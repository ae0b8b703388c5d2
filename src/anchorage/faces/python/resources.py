"""What the data directory keeps: documents, conversations, jobs and sources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from anchorage.faces.python.chat import forget_cached_answers
from anchorage.faces.shapes import read_document
from anchorage.faces.sources import count_failed_documents, register_source, remove_source, request_sync
from anchorage.model import DEFAULT_COLLECTION, Conversation, Document, DocumentText, Job, RegisteredSource, Turn
from anchorage.wiring.services import Services, Storage

_PAGE = 1000
_SHOWN = 1000


class Documents:
    """The documents of all collections."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def list(
        self, *, collection: str | None = None, status: str | None = None, matching: str = ""
    ) -> Sequence[Document]:
        """All documents by collection and uri, or those of a collection, of a status, or with `matching` in title or uri."""
        storage = self._storage
        found: list[Document] = []
        after: tuple[str, str] | None = None
        while page := await storage.catalog.documents(
            storage.principal, collection=collection, limit=_PAGE, after=after, status=status, matching=matching
        ):
            found += page
            after = page[-1].collection, page[-1].uri
        return found

    async def show(self, document_id: str, *, version: str | None = None) -> tuple[Document, DocumentText | None]:
        """A document with its extracted text; with `version`, that of a version which was cited. Raises `NotFound`."""
        return await read_document(self._storage.catalog, self._storage.principal, document_id, version)

    async def delete(self, *document_ids: str) -> Sequence[str]:
        """Remove documents from every answer at once; returns the ids of those that were there. Raises `NotFound` before any is
        deleted.
        """
        storage = self._storage
        found = [await storage.catalog.document(storage.principal, key) for key in document_ids]
        return list(await storage.remover.delete_by_hand(storage.principal, found))

    async def delete_all(self, collection: str) -> Sequence[str]:
        """Remove every document of a collection; returns their ids."""
        storage = self._storage
        return list(await storage.remover.delete_by_hand(storage.principal, await self.list(collection=collection)))


class Conversations:
    """The conversations of the data directory's owner."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def list(self, *, limit: int = 100, matching: str = "") -> Sequence[Conversation]:
        """The newest first; with `matching` those that hold these words."""
        storage = self._storage
        return await storage.memory.conversations(storage.principal, limit=limit, matching=matching)

    async def show(self, conversation_id: str) -> tuple[Conversation, Sequence[Turn]]:
        """A conversation with the turns of its active branch, the last thousand of them. Raises `NotFound`."""
        memory, principal = self._storage.memory, self._storage.principal
        found = await memory.conversation(principal, conversation_id)
        return found, await memory.window(principal, conversation_id, _SHOWN)

    async def delete(self, conversation_id: str) -> None:
        """Remove it with all that belongs to it. Raises `NotFound`."""
        await self._storage.memory.delete(self._storage.principal, conversation_id)
        await forget_cached_answers(self._storage, [conversation_id])

    async def delete_all(self) -> None:
        """Remove all of them."""
        await forget_cached_answers(self._storage, await self._storage.memory.delete_all(self._storage.principal))


class Jobs:
    """What workers do, and have done lately."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def list(self, *, status: str | None = None, source_id: str | None = None, limit: int = 100) -> Sequence[Job]:
        """The newest first."""
        storage = self._storage
        return await storage.queue.jobs(storage.principal, status=status, source_id=source_id, limit=limit)

    async def counts(self) -> Mapping[str, int]:
        """How many jobs there are of each status."""
        return await self._storage.queue.counts(self._storage.principal)

    async def show(self, job_id: str) -> Job:
        """Raises `NotFound`."""
        return await self._storage.queue.job(self._storage.principal, job_id)

    async def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job anew. Raises `NotFound`, `Conflict`."""
        return await self._storage.queue.retry(self._storage.principal, job_id)

    async def cancel(self, job_id: str) -> Job:
        """End a job that waits or runs. Raises `NotFound`, `Conflict`."""
        return await self._storage.queue.cancel(self._storage.principal, job_id)


class Sources:
    """What workers keep in sync."""

    def __init__(self, storage: Storage, services: Callable[[], Awaitable[Services]]) -> None:
        self._storage, self._services = storage, services

    async def list(self) -> Sequence[RegisteredSource]:
        """All sources with what their last sync found."""
        storage = self._storage
        return await count_failed_documents(
            storage, storage.principal, await storage.registry.sources(storage.principal)
        )

    async def add(
        self, location: str, *, collection: str = DEFAULT_COLLECTION, every: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[RegisteredSource, str]:  # fmt: skip
        """Register a source, to be synced every so many seconds or on demand; returns it with the id of its first sync's job.

        Raises `BadRequest` for what cannot be a source.
        """
        services = await self._services()
        return await register_source(
            services, services.principal, location, collection, options or {}, every, local=True
        )

    async def sync(self, source_id: str, *, confirm: bool = False) -> str:
        """Sync now; returns the job's id. `confirm` lets it delete as much as it finds gone. Raises `NotFound`."""
        return await request_sync(self._storage, self._storage.principal, source_id, confirm=confirm)

    async def remove(self, source_id: str, *, keep_documents: bool = False) -> int:
        """Forget a source; returns how many documents went with it. Raises `NotFound`, `Conflict`."""
        storage = self._storage
        return await remove_source(storage, storage.principal, source_id, keep_documents=keep_documents)
