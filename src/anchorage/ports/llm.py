"""Generator: a language model that writes an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from anchorage.model import Message, Usage


class Generator(Protocol):
    """Streams the answer's text; the last item is what it cost.

    Where another model than `model` writes, an empty `Usage` before the text names it, for answers that break off.
    """

    @property
    def model(self) -> str:
        """The model's name as its provider knows it."""
        ...

    def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        """Pieces of text as they come, then one `Usage`. Closing the iterator ends the request.

        Raises `ModelUnavailable` (unreachable, timed out, rate limited, cut off) or `ModelError` (wrong model, bad key,
        nonsense).
        """
        ...

    async def ping(self) -> str:
        """A word on its state (`available`, `not_configured`, or why not) without a paid call."""
        ...
