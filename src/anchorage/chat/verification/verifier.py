"""verifier: makes what a generator wrote an answer whose markers are right and whose links are cited."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.safety.inert import inert, linked_addresses
from anchorage.chat.safety.secrecy import without_recital
from anchorage.chat.state import ABSTENTION, DECLINES, ChatLimits, Draft, TurnContext, TurnState
from anchorage.chat.verification.verify import Verified, verify
from anchorage.model import Hit, Principal, Usage
from anchorage.text.analyser import Analyser
from anchorage.text.hidden import strip_hidden_characters

_SETTLING = 4  # rounds after which an answer that is still not inert is given up


class Verifier:
    """The step behind a generator; quotations need none."""

    def __init__(self, vectors: SentenceVectors, usage: UsageRecorder, limits: ChatLimits, analyser: Analyser) -> None:
        self._vectors, self._usage, self._limits, self._analyser = vectors, usage, limits, analyser

    async def verify_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """The answer that was written, verified; its text is emitted now where nothing unsupported may be shown."""
        if "written" not in state:
            return {}
        passages = state["hits"][: self._limits.passages]
        draft = await self.verify_text(context.principal, state["standalone_question"], state["written"], passages)
        if self._limits.unsupported == "withhold":
            await context.emit_text(draft.text)
        return {
            "answer": draft.text, "abstained": draft.abstained, "statements": draft.statements,
            "unsupported": draft.unsupported,
        }  # fmt: skip

    async def verify_text(self, principal: Principal, question: str, text: str, passages: Sequence[Hit]) -> Draft:
        """What a generator wrote, as a draft whose markers are right; an abstention where that is all it says."""
        limits = self._limits
        vectors = self._vectors.on_account_of(principal, self._usage) if limits.align_meaning else None
        seen = without_recital(strip_hidden_characters(text)).strip()
        said = DECLINES.sub("", seen).strip()
        declined = said != seen

        async def verify_it(answer: str) -> Verified:
            return await verify(
                answer, passages, question, self._analyser, vectors=vectors, likeness=limits.likeness,
                withhold=limits.unsupported == "withhold",
            )  # fmt: skip

        if not any(char.isalnum() for char in said):
            return Draft(ABSTENTION, True)
        found = await verify_it(said if limits.links == "all" else inert(said))
        if limits.links != "all":
            # Which links may stay is known when the citations are; and taking out a marker may join what it kept apart.
            cited = linked_addresses(limits.links, {statement.hit.uri for statement in found.statements})
            text = inert(said, cited) if cited and "://" in said else inert(found.text, cited)
            for _ in range(_SETTLING):
                if text == found.text:
                    break
                found = await verify_it(text)
                text = inert(found.text, cited)
            else:
                return Draft(ABSTENTION, True)
        if not found.statements and (declined or not found.text):
            return Draft(ABSTENTION, True)
        return Draft(found.text, False, found.statements, Usage(), found.unsupported, found.claims)
