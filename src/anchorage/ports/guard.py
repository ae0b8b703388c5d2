"""Guard: a model that tells whether a question or an answer is safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from anchorage.model import Usage


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard found; `why` names the categories when it is unsafe."""

    safe: bool
    why: str = ""
    usage: Usage = Usage()


class Guard(Protocol):
    """Judges texts; it never changes them."""

    @property
    def model(self) -> str:
        """The model's name as its provider knows it."""
        ...

    async def judge(self, question: str, answer: str | None = None) -> Verdict:
        """The question, or the answer that was given to it. Raises `ModelUnavailable` or `ModelError`."""
        ...

    async def ping(self) -> str:
        """A word on its state (`available`, or why not) without a paid call."""
        ...
