"""Embedder: texts in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anchorage.model import EmbedderSpec

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Vectors are float32, of length 1, shape (texts, dimension), in the order given."""

    @property
    def spec(self) -> EmbedderSpec:
        """Identity of the vectors that this embedder makes."""
        ...

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text it reads; what comes after is not seen."""
        ...

    def token_starts(self, text: str) -> NDArray[np.int64]:
        """Where each token of the text starts, ascending; an estimate where the tokenizer is not known."""
        ...

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Raises `ModelUnavailable` or `ModelError`."""
        ...

    async def embed_query(self, text: str) -> NDArray[Any]:
        """One vector, shape (dimension,)."""
        ...

    async def ping(self) -> str:
        """A word on its state (`available`, `not_configured`, or why not) without a paid call."""
        ...


class Embedders(Protocol):
    """The embedders that indexes were made with."""

    @property
    def default(self) -> Embedder:
        """The one that the settings name: new collections get it."""
        ...

    async def of(self, spec: EmbedderSpec) -> Embedder:
        """The one that makes vectors of this identity. Raises `IndexMismatch` when the settings lead to none."""
        ...
