"""Removing documents. Their original bytes are let go of when nothing needs them, and deleted after a grace period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Mapping, Sequence

from anchorage.errors import AnchorageError, NotFound
from anchorage.model import Document, DocumentStatus, Failure, Outcome, Principal
from anchorage.ports.blob import BlobStore
from anchorage.ports.catalog import Catalog
from anchorage.ports.queue import Queue
from anchorage.ports.source import Source
from anchorage.telemetry import record_degradation


class Remover:
    """Deletes documents, and lets go of the originals that nothing needs any more."""

    def __init__(self, catalog: Catalog, queue: Queue) -> None:
        self._catalog, self._queue = catalog, queue

    async def delete_by_hand(self, principal: Principal, documents: Sequence[Document]) -> Sequence[str]:
        """Remove documents that somebody wants gone: what was uploaded of them and waits does not come after."""
        await self._queue.cancel_uploads(principal, [(item.collection, item.uri) for item in documents])
        return await self.delete_documents(principal, [item.id for item in documents])

    async def delete_documents(self, principal: Principal, document_ids: Sequence[str]) -> Sequence[str]:
        """Remove documents from every answer, and let go of their original bytes."""
        keys = await self._catalog.blob_keys(principal, document_ids)
        deleted = await self._catalog.delete(principal, document_ids)
        await self.forget_blobs(keys)
        return deleted

    async def forget_blobs(self, keys: Sequence[str]) -> None:
        """Let go of original bytes: they are deleted later, if nothing needs them then. Trouble costs disk space and no document."""
        try:
            unused = await self._catalog.unused_blobs(keys) if keys else []
            if unused:
                await self._queue.forget_blobs(unused)
        except AnchorageError as error:
            record_degradation("forgetting_originals", error.message)

    async def delete_unlisted(
        self, principal: Principal, collection: str, source: Source, listed: set[str]
    ) -> AsyncIterator[Outcome]:
        """Documents that the source held and lists no more: deleted, or held when it lists nothing at all."""
        if source.prefix is None:
            return
        stored: Mapping[str, str] = await self._catalog.uris_below(principal, collection, source.prefix)
        unlisted = {uri: document_id for uri, document_id in stored.items() if uri not in listed}
        if not listed:
            reason = Failure(
                "source_empty",
                f"{source.uri} lists nothing, so its documents stay. If they are to go, `anchorage documents delete` them.",
            )
            for uri, document_id in unlisted.items():
                yield Outcome(uri, document_id, DocumentStatus.HELD, error=reason)
            return
        gone = {uri: document_id for uri, document_id in unlisted.items() if await is_gone(source, uri, listed)}
        await self.delete_documents(principal, list(gone.values()))
        for uri, document_id in gone.items():
            yield Outcome(uri, document_id, DocumentStatus.DELETED)


class BlobSweeper:
    """Deletes the original bytes that were let go of."""

    def __init__(self, catalog: Catalog, queue: Queue, blobs: BlobStore) -> None:
        self._catalog, self._queue, self._blobs = catalog, queue, blobs

    async def sweep_blobs(self, grace: float) -> int:
        """Delete the original bytes that were let go of so many seconds ago and that nothing needs; returns how many."""
        forgotten = await self._queue.sweep(grace)
        unused = set(await self._catalog.unused_blobs(forgotten)) if forgotten else set()
        unused -= await self._queue.blobs_in_use(list(unused)) if unused else set()
        # What was put again since may be of a document that is being read, or was let go of in vain: its time comes later.
        renewed = {key for key in unused if not await self._blobs.delete(key, grace=grace)}
        await self._queue.swept([key for key in forgotten if key not in renewed], grace)
        return len(unused - renewed)


async def is_gone(source: Source, uri: str, listed: Container[str]) -> bool:
    """Whether the source itself says so, or that it is another one that it lists: what is only not listed, or not readable now, stays."""
    try:
        async with source.fetch(uri) as item:
            moved = item.metadata.get("canonical_url") or item.metadata.get("url")
            return moved not in (None, uri) and moved in listed
    except NotFound:
        return True
    except AnchorageError:
        return False
