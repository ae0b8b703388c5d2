"""What a server keeps: documents, conversations, jobs and sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from anchorage.client.decode import (
    decode_conversation,
    decode_document,
    decode_document_text,
    decode_job,
    decode_source,
    decode_turn,
)
from anchorage.client.transport import Transport
from anchorage.errors import NotFound
from anchorage.model import DEFAULT_COLLECTION, Conversation, Document, DocumentText, Job, RegisteredSource, Turn

_PAGE = 1000


def _at(place: str, key: str, *more: str) -> str:
    return "/".join((place, quote(key, safe=""), *more))


class Documents:
    """The documents of all collections that the key may read."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, collection: str | None = None, status: str | None = None, matching: str = ""
    ) -> Sequence[Document]:
        """All documents by collection and uri, or those of a collection, of a status, or with `matching` in title or uri."""
        found: list[Document] = []
        after: str | None = None
        while True:
            params = {"collection": collection, "status": status, "q": matching, "limit": _PAGE, "after": after}
            page = await self._transport.json("GET", "/api/documents", params=params)
            found += map(decode_document, page["documents"])
            after = page["next"]
            if after is None:
                return found

    async def show(self, document_id: str, *, version: str | None = None) -> tuple[Document, DocumentText | None]:
        """A document with its extracted text; with `version`, that of a version which was cited. Raises `NotFound`."""
        found = await self._transport.json("GET", _at("/api/documents", document_id), params={"version": version})
        return decode_document(found), decode_document_text(found)

    async def delete(self, *document_ids: str) -> Sequence[str]:
        """Remove documents from every answer at once; returns the ids of those that were there. Raises `NotFound` before any is
        deleted.
        """
        if len(document_ids) > 1:
            for key in document_ids:
                await self._transport.json("GET", _at("/api/documents", key, "chunks"), params={"limit": 1})
        deleted: list[str] = []
        for key in document_ids:
            try:
                await self._transport.send("DELETE", _at("/api/documents", key))
            except NotFound:
                if len(document_ids) == 1:
                    raise
                continue  # somebody else was faster
            deleted.append(key)
        return deleted

    async def delete_all(self, collection: str) -> Sequence[str]:
        """Remove every document of a collection; returns their ids."""
        found = await self._transport.json("DELETE", "/api/documents", params={"collection": collection})
        return [str(key) for key in found["deleted"]]


class Conversations:
    """The conversations of whose key this is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, limit: int = 100, matching: str = "") -> Sequence[Conversation]:
        """The newest first; with `matching` those that hold these words."""
        found: list[Conversation] = []
        after: str | None = None
        while len(found) < limit:
            params = {"limit": min(_PAGE, limit - len(found)), "after": after, "q": matching}
            page = await self._transport.json("GET", "/api/conversations", params=params)
            found += map(decode_conversation, page["conversations"])
            after = page["next"]
            if after is None:
                break
        return found

    async def show(self, conversation_id: str) -> tuple[Conversation, Sequence[Turn]]:
        """A conversation with the turns of its active branch, the last thousand of them. Raises `NotFound`."""
        found = await self._transport.json("GET", _at("/api/conversations", conversation_id))
        return decode_conversation(found), [decode_turn(turn) for turn in found["turns"]]

    async def delete(self, conversation_id: str) -> None:
        """Remove it with all that belongs to it. Raises `NotFound`."""
        await self._transport.send("DELETE", _at("/api/conversations", conversation_id))

    async def delete_all(self) -> None:
        """Remove all of them."""
        await self._transport.send("DELETE", "/api/conversations", repeatable=True)


class Jobs:
    """What workers do, and have done lately."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, status: str | None = None, source_id: str | None = None, limit: int = 100) -> Sequence[Job]:
        """The newest first."""
        params = {"status": status, "source_id": source_id, "limit": limit}
        return [decode_job(job) for job in (await self._transport.json("GET", "/api/jobs", params=params))["jobs"]]

    async def counts(self) -> Mapping[str, int]:
        """How many jobs there are of each status."""
        found: Mapping[str, int] = (await self._transport.json("GET", "/api/jobs", params={"limit": 1}))["counts"]
        return found

    async def show(self, job_id: str) -> Job:
        """Raises `NotFound`."""
        return decode_job(await self._transport.json("GET", _at("/api/jobs", job_id)))

    async def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job anew. Raises `NotFound`, `Conflict`."""
        return decode_job(await self._transport.json("POST", _at("/api/jobs", job_id, "retry")))

    async def cancel(self, job_id: str) -> Job:
        """End a job that waits or runs. Raises `NotFound`, `Conflict`."""
        return decode_job(await self._transport.json("POST", _at("/api/jobs", job_id, "cancel")))


class Sources:
    """What the server keeps in sync."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> Sequence[RegisteredSource]:
        """All sources with what their last sync found."""
        return [decode_source(item) for item in (await self._transport.json("GET", "/api/sources"))["sources"]]

    async def add(
        self, location: str, *, collection: str = DEFAULT_COLLECTION, every: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[RegisteredSource, str]:  # fmt: skip
        """Register a source, to be synced every so many seconds or on demand; returns it with the id of its first sync's job.

        Raises `NotAllowed` for files of the server: those are registered there.
        """
        body = {"location": location, "collection": collection, "every": every, "options": dict(options or {})}
        found = await self._transport.json("POST", "/api/sources", body=body)
        return decode_source(found), str(found["job_id"])

    async def sync(self, source_id: str, *, confirm: bool = False) -> str:
        """Sync now; returns the job's id. `confirm` lets it delete as much as it finds gone. Raises `NotFound`."""
        found = await self._transport.json("POST", _at("/api/sources", source_id, "sync"), params={"confirm": confirm})
        return str(found["job_id"])

    async def remove(self, source_id: str, *, keep_documents: bool = False) -> int:
        """Forget a source; returns how many documents went with it. Raises `NotFound`, `Conflict`."""
        response = await self._transport.send(
            "DELETE", _at("/api/sources", source_id), params={"keep_documents": keep_documents}
        )
        return int(response.headers.get("x-documents-deleted", 0))
