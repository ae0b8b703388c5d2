"""Ingestion: source -> fetch -> parse -> chunk -> embed -> store.

A document's chunks become visible together, in the transaction that stores them; until then its old version answers.
Killing this at any point leaves whole documents, and running it again completes the rest.
"""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from anchorage.errors import NotFound
from anchorage.ingest.embed import PassageEmbedder
from anchorage.ingest.fetch import Fetcher
from anchorage.ingest.indexing import OpenIndex
from anchorage.ingest.language import warn_of_unknown_language
from anchorage.ingest.outcomes import count_outcome
from anchorage.ingest.parse import FileParser
from anchorage.ingest.store import DocumentWriter
from anchorage.model import Document, DocumentStatus, Outcome, ParsedDocument, SourceEntry, SourceItem
from anchorage.model.indexing import IndexedDocument
from anchorage.ports.queue import Progress
from anchorage.ports.source import Source


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that is being brought up to date, and what the store had of it."""

    collection: str
    source: Source
    entry: SourceEntry
    known: Document | None
    source_id: str | None
    password: str | None
    progress: Progress
    kept: list[str] = field(default_factory=list)
    """The keys of the original bytes that were kept for it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The steps for one document and one index, each with just what it needs."""

    fetcher: Fetcher
    parser: FileParser
    embedder: PassageEmbedder
    writer: DocumentWriter

    async def prepare(self, index: OpenIndex, reading: Reading) -> IndexedDocument | Outcome:
        """Fetch, parse, chunk and embed a document; an outcome where its bytes are those that are indexed."""
        known, progress = reading.known, reading.progress
        async with AsyncExitStack() as in_flight:
            async with self.fetcher.fetch(reading.source, reading.entry.uri, in_flight, progress) as fetched:
                reading.kept.append(fetched.blob_key)
                item, version = fetched.item, self.parser.version_of(fetched.blob_key)
                if outcome := await self._confirm_unchanged(reading, item, version):
                    return outcome
                with progress.waiting():  # for its turn; then a parser has limits of its own
                    parsed = await self.parser.parse(item, reading.password)
            document = await index.chunk_item(item, version, parsed, fetched.blob_key)
            document = await self.embedder.embed(index, document, known, progress)
        replaced = known.version or "" if known else ""
        return replace(document, tag=self.parser.tag_of(item.tag), source_id=reading.source_id, replaces=replaced)

    async def prepare_text(self, index: OpenIndex, item: SourceItem, parsed: ParsedDocument) -> IndexedDocument:
        """Chunk and embed a text that is parsed already; its original is not kept."""
        version = hashlib.sha256(f"{parsed.title}\n{parsed.text}".encode()).hexdigest()
        return await self.embedder.embed(index, await index.chunk_item(item, version, parsed, None), None)

    async def store(self, collection: str, index: OpenIndex, document: IndexedDocument) -> Outcome:
        """Make a prepared document visible."""
        document_id = await self.writer.write(collection, index.index_id, document)
        warning = warn_of_unknown_language(document.parsed.text, index.spec.embedder, collection)
        return count_outcome(
            Outcome(document.uri, document_id, DocumentStatus.INDEXED, len(document.chunks), warning=warning)
        )

    async def _confirm_unchanged(self, reading: Reading, item: SourceItem, version: str) -> Outcome | None:
        """The source has touched what is indexed, or a later version failed and this one has come back."""
        known = reading.known
        if known is None or known.version != version:
            return None
        try:
            await self.writer.confirm(known, self.parser.tag_of(item.tag), reading.source_id)
        except NotFound:  # deleted meanwhile: then it is new
            return None
        return Outcome(known.uri, known.id, DocumentStatus.UNCHANGED, known.chunks)
