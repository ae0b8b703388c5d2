"""The JSON that the API answers with, as OpenAPI describes it. The web page's types are made of these.

They describe and do not convert: what a route returns is sent as it is, and tests hold it against these.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]
DocumentStatus = Literal["queued", "indexed", "unchanged", "held", "failed", "deleted"]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None


class FailureShape(BaseModel):
    """Why something could not be processed."""

    code: str
    message: str


class HitShape(BaseModel):
    """A passage with its scores: the fused one, and those by meaning and by words where a list has it."""

    chunk_id: str
    document_id: str
    version: str
    collection: str
    uri: str
    title: str
    page: int | None
    start: int
    end: int
    score: float
    dense_score: float | None
    lexical_score: float | None
    text: str
    heading_path: list[str]


class Hits(BaseModel):
    """Passages, the best first."""

    hits: list[HitShape]


UnitKindShape = Literal["sentence", "list", "item", "row", "line", "code", "heading", "computed"]


class CitationShape(BaseModel):
    """A claim of an answer with the span that supports it; offsets in code points of the version's text."""

    marker: int
    claim: str
    document_id: str
    version: str
    uri: str
    title: str
    page: int | None
    start: int
    end: int
    quote: str
    prefix: str
    suffix: str
    kind: UnitKindShape | None
    heading_path: list[str]


class UnitShape(BaseModel):
    """A piece of an answer without a model: what is quoted, or what was computed with the rows that it rests on (`markers`)."""

    kind: UnitKindShape
    text: str
    markers: list[int]
    document_id: str
    title: str
    heading_path: list[str]
    page: int | None


class UnsupportedShape(BaseModel):
    """A sentence that nothing supports: its place in the answer, in code points; no text where it is withheld."""

    start: int
    end: int
    text: str


class UsageShape(BaseModel):
    """What a model charged for."""

    model: str | None
    prompt_tokens: int
    completion_tokens: int


class AnswerShape(BaseModel):
    """An answer with its citations and the passages that were found."""

    answer: str
    abstained: bool
    citations: list[CitationShape]
    units: list[UnitShape]
    hits: list[HitShape]
    conversation_id: str
    message_id: str
    usage: UsageShape
    unsupported: list[UnsupportedShape]
    stopped: bool = False


class Stopping(BaseModel):
    """Which answer is being stopped, if any."""

    stopping: bool
    message_id: str | None


class StreamShape(BaseModel):
    """The answer that is being written in a conversation, or was streamed there last. `question` is known while it is written."""

    conversation_id: str
    message_id: str | None
    running: bool
    question: str | None


class ConversationShape(BaseModel):
    """A conversation without its turns."""

    id: str
    title: str
    turns: int
    created_at: str
    updated_at: str


class Conversations(BaseModel):
    """A page of conversations."""

    conversations: list[ConversationShape]
    next: str | None


class TurnShape(BaseModel):
    """A question with its answer; `siblings` are the messages in the same place, itself among them."""

    number: int
    parent: int | None
    message_id: str
    question: str
    answer: str
    abstained: bool
    stopped: bool
    citations: list[CitationShape]
    units: list[UnitShape]
    unsupported: list[UnsupportedShape]
    created_at: str | None
    siblings: list[str]


class ConversationWithTurns(ConversationShape):
    """A conversation with the turns of its active branch."""

    turns: list[TurnShape]  # type: ignore[assignment]


class FeedbackShape(BaseModel):
    """A rating, with the answer as it was rated."""

    conversation_id: str
    message_id: str
    rating: Literal["up", "down"]
    comment: str
    question: str
    standalone_question: str | None
    answer: str
    abstained: bool
    citations: list[CitationShape]
    trace: dict[str, Any]
    created_at: str | None


class Ratings(BaseModel):
    """A page of ratings."""

    feedback: list[FeedbackShape]
    next: str | None


class DocumentShape(BaseModel):
    """A document; `size` in bytes."""

    document_id: str
    uri: str
    title: str
    collection: str
    status: DocumentStatus
    error: FailureShape | None
    chunks: int
    media_type: str | None
    size: int
    source_id: str | None
    original: bool
    updated_at: str | None


class Documents(BaseModel):
    """A page of documents."""

    documents: list[DocumentShape]
    next: str | None


class PageShape(BaseModel):
    """A page and the span of the text that stands on it."""

    page: int
    start: int
    end: int


class BlockShape(BaseModel):
    """A heading (`level` 1 to 6), an item of a list, a row of a table (cells with ` | ` between them) or code, by its offsets in the text."""

    kind: Literal["heading", "list_item", "table_row", "code"]
    start: int
    end: int
    level: int


class DocumentWithText(DocumentShape):
    """A document with one version's text; what is in no block is in paragraphs."""

    version: str | None
    pages: list[PageShape]
    text: str | None
    blocks: list[BlockShape]


class ChunkShape(BaseModel):
    """A passage as it is indexed."""

    chunk_id: str
    ordinal: int
    page: int | None
    start: int
    end: int
    heading_path: list[str]
    text: str


class Chunks(BaseModel):
    """A page of a document's passages; `next` is the `after` of the following one."""

    chunks: list[ChunkShape]
    next: int | None


class CollectionShape(BaseModel):
    """A collection and how much is in it."""

    name: str
    documents: int
    chunks: int


class Collections(BaseModel):
    """All collections that you may read."""

    collections: list[CollectionShape]


class QueuedDocument(BaseModel):
    """A file that was taken, and the job that reads it."""

    uri: str
    document_id: None
    status: Literal["queued"]
    chunks: int
    error: None
    job_id: str


class Queued(BaseModel):
    """What became of an upload."""

    job_ids: list[str]
    documents: list[QueuedDocument]


class Deleted(BaseModel):
    """The ids of what was deleted."""

    deleted: list[str]


class ProgressShape(BaseModel):
    """How much of a job is done, of how much where that is known."""

    done: int
    total: int | None


class JobShape(BaseModel):
    """One piece of queued work."""

    id: str
    kind: Literal["ingest", "sync"]
    status: JobStatus
    collection: str
    uri: str
    name: str
    source_id: str | None
    document_id: str | None
    attempts: int
    progress: ProgressShape | None
    error: FailureShape | None
    next_attempt_at: str | None
    created_at: str | None
    started_at: str | None
    finished_at: str | None
    updated_at: str | None


class Jobs(BaseModel):
    """Jobs, the newest first, and how many there are of each status."""

    jobs: list[JobShape]
    counts: dict[str, int]


class JobId(BaseModel):
    """The job that was queued."""

    job_id: str


class Health(BaseModel):
    """The state of each part in a word."""

    status: Literal["healthy", "degraded", "unhealthy"]
    vector_db: str
    state_db: str
    openai_api: str
    embedder: str
    timestamp: str


class ModelShape(BaseModel):
    """A model in use: its name (None: there is none), and a word on its state."""

    model: str | None
    state: str


class Models(BaseModel):
    """The models by what they do."""

    generator: ModelShape
    embedder: ModelShape
    reranker: ModelShape
    guard: ModelShape


class Limits(BaseModel):
    """What the server takes: bytes, files and characters."""

    max_upload_bytes: int
    max_file_bytes: int
    question_length: int
    comment_length: int


class System(BaseModel):
    """What is running: its parts, models, queue and limits."""

    version: str
    status: Literal["healthy", "degraded", "unhealthy"]
    databases: dict[str, str]
    models: Models
    queue: dict[str, int]
    limits: Limits
