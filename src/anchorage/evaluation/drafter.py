"""Answers for judgement: with abstention off, and without a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from anchorage.chat.cite import Citer
from anchorage.chat.generation.writer import Writer
from anchorage.chat.quoting.quoter import Quoter
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.state import ABSTENTION, Draft, TurnContext
from anchorage.chat.verification.verifier import Verifier
from anchorage.model import Citation, Hit, Principal


class Drafter:
    """Writes answers from given hits, as a turn would: by the writer and the verifier, or by quotation where there is no writer."""

    def __init__(self, writer: Writer | None, quoter: Quoter, verifier: Verifier, citer: Citer, passages: int) -> None:
        self._writer, self._quoter, self._citer, self._passages = writer, quoter, citer, passages
        self.verifier = verifier

    async def draft_answer(
        self, principal: Principal, question: str, vector: NDArray[Any], hits: Sequence[Hit]
    ) -> tuple[Draft, bool]:
        """The answer, and whether it would be given with abstention on."""
        if self._writer is None:
            return await self._quoter.quote_units(principal, question, vector, hits)
        if not hits:
            return Draft(ABSTENTION, True), False
        text, _ = await self._writer.write_text(TurnContext(principal, _ignore_event), question, PackableHits(hits), ())
        draft = await self.verifier.verify_text(principal, question, text, hits[: self._passages])
        return draft, not draft.abstained

    async def cite_draft(self, principal: Principal, draft: Draft) -> list[Citation]:
        """The citations of a draft."""
        return await self._citer.resolve_citations(principal, draft.statements)


async def _ignore_event(kind: str, data: dict[str, Any]) -> None:
    return None
