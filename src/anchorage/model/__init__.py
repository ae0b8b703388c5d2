"""The nouns of Anchorage. All are frozen; offsets are Unicode code points, half-open, 0-based."""

from anchorage.model.access import LOCAL_OWNER, Principal
from anchorage.model.answers import Answer, Citation, Conversation, Feedback, Hit, Message, Turn, Unsupported, Usage
from anchorage.model.documents import (
    Block,
    BlockKind,
    Chunk,
    Document,
    DocumentStatus,
    DocumentText,
    Failure,
    Outcome,
    Page,
    ParsedDocument,
    SourceEntry,
    SourceItem,
)
from anchorage.model.indexes import (
    DEFAULT_COLLECTION,
    DOCS_COLLECTION,
    Collection,
    EmbedderSpec,
    IndexSpec,
    IndexVersion,
)
from anchorage.model.work import Job, RegisteredSource

__all__ = [
    "DEFAULT_COLLECTION",
    "DOCS_COLLECTION",
    "LOCAL_OWNER",
    "Answer",
    "Block",
    "BlockKind",
    "Chunk",
    "Citation",
    "Collection",
    "Conversation",
    "Document",
    "DocumentStatus",
    "DocumentText",
    "EmbedderSpec",
    "Failure",
    "Feedback",
    "Hit",
    "IndexSpec",
    "IndexVersion",
    "Job",
    "Message",
    "Outcome",
    "Page",
    "ParsedDocument",
    "Principal",
    "RegisteredSource",
    "SourceEntry",
    "SourceItem",
    "Turn",
    "Unsupported",
    "Usage",
]
