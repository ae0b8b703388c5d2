"""Documents: what a source brings, what a parser reads in it, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit of a parsed document: `text[start:end]`. `level` is 1 to 6 for a heading, else 0."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Page `number` (1-based) covers `text[start:end]`; `number` never falls from one page to the next."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser makes of a file. Blocks are in order and do not overlap; pages are empty where a format has none."""

    text: str
    title: str
    blocks: tuple[Block, ...]
    pages: tuple[Page, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """What a source lists. `tag` changes whenever the bytes do: an ETag, a version, a file's times and size.

    None where the source cannot tell without fetching. `closed`: a folder that could not be listed now, so that nothing below it
    is known to be gone. `missing`: it was asked for by name, and is not there.
    """

    uri: str
    tag: str | None = None
    closed: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One fetched file or page of a source. `path` is local and readable for the duration of the call it is given to.

    `tag` is that of these bytes, and so may be newer than the listed one.
    """

    uri: str
    name: str
    path: str
    size: int
    media_type: str | None = None
    tag: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one document version: `text` is the version's extracted text at `start:end`."""

    ordinal: int
    text: str
    start: int
    end: int
    page: int | None = None
    heading_path: tuple[str, ...] = ()


class DocumentStatus(StrEnum):
    QUEUED = "queued"
    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    HELD = "held"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document could not be processed: a stable code and a sentence that says what to do."""

    code: str
    message: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One file or page. `version` is the hash of its bytes, its parser and that parser's version."""

    id: str
    collection: str
    uri: str
    title: str
    status: DocumentStatus
    version: str | None = None
    chunks: int = 0
    error: Failure | None = None
    media_type: str | None = None
    blob_key: str | None = None
    size: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None
    tag: str | None = None
    source_id: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The extracted text of one document version, with its pages."""

    document_id: str
    version: str
    text: str
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document in an ingest run."""

    uri: str
    document_id: str | None
    status: DocumentStatus
    chunks: int = 0
    error: Failure | None = None
    warning: str | None = None
    """What is not as good as it could be, and what helps."""
