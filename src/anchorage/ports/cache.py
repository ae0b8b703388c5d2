"""AnswerCache: answers that were given before, for as long as nothing changes that they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Payload = Mapping[str, Any]
"""JSON; what is in it is the caller's business."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an answer belongs: `scope` names all that it depends on but the question; `family` the same but the state of
    the collections, so that what an earlier state left behind can be cleared away.
    """

    family: str
    scope: str
    question: str


class AnswerCache(Protocol):
    """May forget anything at any time."""

    async def exact(self, slot: Slot) -> Payload | None:
        """The answer to the same question."""
        ...

    async def near(self, slot: Slot, vector: NDArray[Any], similarity: float) -> Sequence[Payload]:
        """Answers to questions whose vectors' cosine to this one is at least `similarity`, the nearest first."""
        ...

    async def keep(
        self, slot: Slot, vector: NDArray[Any] | None, payload: Payload, conversation_id: str | None = None
    ) -> None:
        """Remember an answer, and forget those of its family's other scopes. It goes with its conversation, if that is kept where it is,
        and with its time in any case.
        """
        ...

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        """These conversations were deleted: forget what was kept for them, and keep nothing more for them that is under way."""
        ...
