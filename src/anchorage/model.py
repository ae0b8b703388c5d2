"""The nouns of Anchorage. All are frozen; offsets are Unicode code points, half-open, 0-based."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

DEFAULT_COLLECTION = "default"
DOCS_COLLECTION = "anchorage-docs"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. Every read takes one, and the store's queries filter by it."""

    id: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @property
    def readers(self) -> list[str]:
        """The names under which an access list may let this principal in."""
        return sorted({f"user:{self.id}", *(f"group:{group}" for group in self.groups)})


LOCAL_OWNER = Principal("local", roles=frozenset({"owner"}))


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


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """Identity of an embedder: two embedders with equal specs make interchangeable vectors."""

    name: str
    revision: str
    dimension: int
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """All that decides a collection's index."""

    parser: str
    chunker: str
    recipe: str
    analyser: str
    embedder: EmbedderSpec


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents with its own access list and its own index settings."""

    name: str
    index: IndexSpec
    index_id: int = 0
    documents: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """One of a collection's indexes. The `live` one answers; another is being built beside it, or was live before.

    `documents` are those that it holds in their current version.
    """

    id: int
    collection: str
    spec: IndexSpec
    live: bool
    documents: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk with its scores. `score` is the fused one or the reranker's, between 0 and 1; the parts are None where a
    list lacks it.
    """

    chunk_id: str
    document_id: str
    version: str
    collection: str
    uri: str
    title: str
    start: int
    end: int
    score: float
    text: str
    page: int | None = None
    heading_path: tuple[str, ...] = ()
    dense_score: float | None = None
    lexical_score: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A claim of an answer tied to the span of a document version that supports it (W3C TextQuoteSelector)."""

    marker: int
    claim: str
    document_id: str
    version: str
    uri: str
    title: str
    start: int
    end: int
    quote: str
    prefix: str
    suffix: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A sentence of an answer, `answer[start:end]`, that no passage supports; empty where it is withheld."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a model charged for; zeros where no model was asked. `cut`: it ended at its limit of tokens, not by itself."""

    model: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    conversation_id: str
    message_id: str
    usage: Usage = Usage()
    unsupported: tuple[Unsupported, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One turn's half as a model sees it: `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, numbered from 1. `parent` is the turn that it follows: 0 the beginning, None whichever is last."""

    number: int
    message_id: str
    question: str
    answer: str
    abstained: bool = False
    citations: tuple[Citation, ...] = ()
    standalone_question: str | None = None
    created_at: datetime | None = None
    trace: Mapping[str, Any] = field(default_factory=dict)
    unsupported: tuple[Unsupported, ...] = ()
    parent: int | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thinks of an answer: `rating` is 1 (good) or -1 (bad). The answer is kept as it was rated, with its trace."""

    conversation_id: str
    message_id: str
    rating: int
    comment: str
    question: str
    standalone_question: str | None
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    trace: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    turns: int
    created_at: datetime
    updated_at: datetime
    head: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of queued work. `kind` is ingest or sync; `status` is queued, running, done, failed or cancelled."""

    id: str
    kind: str
    status: str
    collection: str
    uri: str
    name: str
    owner: str
    blob_key: str | None = None
    source_id: str | None = None
    tag: str | None = None
    confirmed: bool = False
    attempts: int = 0
    done: int | None = None
    total: int | None = None
    document_id: str | None = None
    error: Failure | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RegisteredSource:
    """A source that is kept in sync, every `interval` seconds or on demand (None).

    `status` is new, syncing, synced, held or failed; `report` says what the last sync found, `failed` how many of its documents could
    not be read when that was last tried.
    """

    id: str
    owner: str
    collection: str
    location: str
    options: Mapping[str, Any]
    interval: int | None
    status: str
    error: Failure | None
    report: Mapping[str, Any]
    synced_at: datetime | None
    next_sync_at: datetime | None
    failed: int = 0
