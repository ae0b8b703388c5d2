"""What became of a document: counted, and kept in the catalog where it failed."""

from __future__ import annotations

from anchorage.errors import AnchorageError
from anchorage.ingest.parse import FileParser
from anchorage.model import DocumentStatus, Failure, Outcome, Principal, SourceEntry
from anchorage.ports.catalog import Catalog
from anchorage.telemetry import DOCUMENTS

# What another setting or another installation reads, so that the next sync tries it again.
_MENDED_BY_SETTINGS = {"needs_ocr", "encrypted", "too_large", "too_complex", "timeout"}


def describe_failure(error: AnchorageError) -> Failure:
    """An error as it is kept and shown."""
    return Failure(error.code, error.message, error.temporary)


def count_outcome(outcome: Outcome) -> Outcome:
    """Count an outcome in the metrics, and give it back."""
    DOCUMENTS.labels(outcome.status.value).inc()
    return outcome


class FailureRecorder:
    """Keeps the reasons of failed documents. A version that was indexed before goes on answering."""

    def __init__(self, catalog: Catalog, principal: Principal, parser: FileParser) -> None:
        self._catalog, self._principal, self._parser = catalog, principal, parser

    async def record_failure(
        self, collection: str, entry: SourceEntry, failure: Failure, source_id: str | None = None
    ) -> Outcome:
        """Keep a failed document's reason, with the tag of its bytes unless they may be read the next time."""
        title = entry.uri.rstrip("/").rsplit("/", 1)[-1]
        readable_later = failure.temporary or failure.code in _MENDED_BY_SETTINGS
        tag = None if readable_later else self._parser.tag_of(entry.tag)
        document_id = await self._catalog.fail(
            self._principal, collection, entry.uri, title, failure, {}, tag=tag, source_id=source_id
        )
        return count_outcome(Outcome(entry.uri, document_id, DocumentStatus.FAILED, error=failure))
