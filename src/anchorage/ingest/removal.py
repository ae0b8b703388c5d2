"""Removing documents. Their original bytes are let go of when nothing needs them, and deleted after a grace period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Mapping, Sequence
from typing import Protocol

from anchorage.errors import AnchorageError, NotFound
from anchorage.model import Document, DocumentStatus, Failure, Outcome, Principal
from anchorage.ports.blob import BlobStore
from anchorage.ports.queue import Queue
from anchorage.ports.source import Source
from anchorage.ports.store import Store
from anchorage.telemetry import record_degradation


class Kept(Protocol):
    """Where documents, their original bytes and the jobs about them are: `IngestServices`, and any other that has them."""

    @property
    def store(self) -> Store: ...
    @property
    def blobs(self) -> BlobStore: ...
    @property
    def queue(self) -> Queue: ...


async def delete_by_hand(kept: Kept, principal: Principal, documents: Sequence[Document]) -> Sequence[str]:
    """Remove documents that somebody wants gone: what was uploaded of them and waits does not come after."""
    await kept.queue.cancel_uploads(principal, [(item.collection, item.uri) for item in documents])
    return await delete_documents(kept, principal, [item.id for item in documents])


async def delete_documents(kept: Kept, principal: Principal, document_ids: Sequence[str]) -> Sequence[str]:
    """Remove documents from every answer, and let go of their original bytes."""
    keys = await kept.store.blob_keys(principal, document_ids)
    deleted = await kept.store.delete(principal, document_ids)
    await forget_blobs(kept, keys)
    return deleted


async def forget_blobs(kept: Kept, keys: Sequence[str]) -> None:
    """Let go of original bytes: they are deleted later, if nothing needs them then. Trouble costs disk space and no document."""
    try:
        unused = await kept.store.unused_blobs(keys) if keys else []
        if unused:
            await kept.queue.forget_blobs(unused)
    except AnchorageError as error:
        record_degradation("forgetting_originals", error.message)


async def sweep_blobs(kept: Kept, grace: float) -> int:
    """Delete the original bytes that were let go of so many seconds ago and that nothing needs; returns how many."""
    forgotten = await kept.queue.sweep(grace)
    unused = set(await kept.store.unused_blobs(forgotten)) if forgotten else set()
    unused -= await kept.queue.blobs_in_use(list(unused)) if unused else set()
    # What was put again since may be of a document that is being read, or was let go of in vain: its time comes later.
    renewed = {key for key in unused if not await kept.blobs.delete(key, grace=grace)}
    await kept.queue.swept([key for key in forgotten if key not in renewed], grace)
    return len(unused - renewed)


async def vanished(
    kept: Kept, principal: Principal, collection: str, source: Source, seen: set[str]
) -> AsyncIterator[Outcome]:
    """Documents that the source held and lists no more: deleted, or held when it lists nothing at all."""
    if source.prefix is None:
        return
    held: Mapping[str, str] = await kept.store.uris_below(principal, collection, source.prefix)
    unlisted = {uri: document_id for uri, document_id in held.items() if uri not in seen}
    if not seen:
        reason = Failure(
            "source_empty",
            f"{source.uri} lists nothing, so its documents stay. If they are to go, `anchorage documents delete` them.",
        )
        for uri, document_id in unlisted.items():
            yield Outcome(uri, document_id, DocumentStatus.HELD, error=reason)
        return
    gone = {uri: document_id for uri, document_id in unlisted.items() if await is_gone(source, uri, seen)}
    await delete_documents(kept, principal, list(gone.values()))
    for uri, document_id in gone.items():
        yield Outcome(uri, document_id, DocumentStatus.DELETED)


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
