"""Searching: a question as the index takes it, what it found, and places in the texts that it found it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorage.model.answers import Hit
from anchorage.model.documents import Block
from anchorage.model.indexes import EmbedderSpec


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the index takes it, with its vector by each embedder that the collections were indexed with.

    Hits come from the best `depth` of each list; `k` of them are returned.
    """

    text: str
    vectors: Mapping[EmbedderSpec, NDArray[np.float32] | None]
    """None: that embedder is away, and its collections are searched by words alone."""
    k: int
    depth: int = 100
    dense_weight: float = 0.36
    """Share of the dense score where both lists are as good as each other."""
    lists: bool = False
    """Whether the two rankings are wanted too."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What retrieval found: the fused hits and, where the query wants them, the two rankings they came from, best first."""

    hits: Sequence[Hit]
    dense: Sequence[tuple[str, str]] = ()
    lexical: Sequence[tuple[str, str]] = ()
    """(chunk id, document id) pairs."""
    needs: Sequence[EmbedderSpec] = ()
    """Embedders whose vector of the question is missing: nothing was searched yet."""
    by_words: Sequence[EmbedderSpec] = ()
    """Embedders that were away, so that their collections were searched by words alone."""


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the text of a document version."""

    document_id: str
    version: str
    start: int
    end: int
    passage: str = ""
    """What the caller has of this text already, from `passage_start` on."""
    passage_start: int = 0

    def known(self, start: int, end: int) -> str | None:
        """What the text holds from `start` to `end`, where the passage says so."""
        if self.passage_start <= start and end <= self.passage_start + len(self.passage):
            return self.passage[start - self.passage_start : end - self.passage_start]
        return None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The text at a span with what stands around it, and the page on which it starts."""

    prefix: str
    quote: str
    suffix: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A piece of a document's text from `start` on, with the blocks that begin and end in it, and the headings above the first one."""

    text: str
    start: int
    blocks: Sequence[Block]
    heading_path: Sequence[str] = ()
    table_head: str = ""
    """The first row of the table in the middle of which the text begins."""
