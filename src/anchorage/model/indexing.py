"""A document ready for an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchorage.model.documents import Chunk, ParsedDocument


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document ready to be shown: its text, chunks, a header line and a vector for each chunk.

    `vectors` has the shape (chunks, dimension); a header and its chunk's text together are what the lexical index holds.
    """

    uri: str
    version: str
    parsed: ParsedDocument
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32]
    headers: Sequence[str]
    media_type: str | None = None
    blob_key: str | None = None
    size: int = 0
    tag: str | None = None
    source_id: str | None = None
    replaces: str | None = None
    """The version that was there when the bytes were read, "" for none; None where it does not matter."""
