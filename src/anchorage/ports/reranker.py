"""Reranker: how well each passage answers a question, judged by reading both together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores are between 0 and 1, comparable within one call, in the order of the passages."""

    @property
    def model(self) -> str:
        """The model's name as its provider knows it, or its folder's."""
        ...

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """One score for each passage. Raises `ModelUnavailable` or `ModelError`."""
        ...

    async def ping(self) -> str:
        """A word on its state (`available`, or why not) without a paid call."""
        ...
