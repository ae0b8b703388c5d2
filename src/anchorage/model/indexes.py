"""Collections, and the index versions that they answer from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

DEFAULT_COLLECTION = "default"


DOCS_COLLECTION = "anchorage-docs"

IN_POSTGRES = "pgvector"


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
    vectors: str = IN_POSTGRES
    """The vector index that has its vectors, by name."""


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
