"""verifier: turns the text of a generator into an answer whose markers are right and whose links are cited."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.safety.inert import neutralise_markup, select_linkable_addresses
from anchorage.chat.safety.secrecy import strip_recital
from anchorage.chat.state import ABSTENTION, ABSTENTION_PATTERN, ChatLimits, Draft, TurnContext, TurnState
from anchorage.chat.verification.verify import Verified, verify_sentences
from anchorage.model import Hit, Principal, Usage
from anchorage.text.analyser import Analyser
from anchorage.text.hidden import strip_hidden_characters

_MAX_ROUNDS = 4  # after so many rounds, an answer that still changes is given up


class Verifier:
    """The step after a generator. Quotations do not need it."""

    def __init__(self, vectors: SentenceVectors, usage: UsageRecorder, limits: ChatLimits, analyser: Analyser) -> None:
        self._vectors, self._usage, self._limits, self._analyser = vectors, usage, limits, analyser

    async def verify_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Verify the answer that was written. Its text is emitted now if unsupported sentences are withheld."""
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
        """Turn a generator's text into a draft whose markers are right, or into an abstention if it says nothing else."""
        limits = self._limits
        vectors = self._vectors.charge_to(principal, self._usage) if limits.align_meaning else None
        seen = strip_recital(strip_hidden_characters(text)).strip()
        said = ABSTENTION_PATTERN.sub("", seen).strip()
        declined = said != seen

        async def verify_it(answer: str) -> Verified:
            return await verify_sentences(
                answer, passages, question, self._analyser, vectors=vectors, likeness=limits.likeness,
                withhold=limits.unsupported == "withhold",
            )  # fmt: skip

        if not any(char.isalnum() for char in said):
            return Draft(ABSTENTION, True)
        found = await verify_it(said if limits.links == "all" else neutralise_markup(said))
        if limits.links != "all":
            # Only the citations show which links may stay; and removing a marker may join the parts of a link.
            cited = select_linkable_addresses(limits.links, {statement.hit.uri for statement in found.statements})
            text = neutralise_markup(said, cited) if cited and "://" in said else neutralise_markup(found.text, cited)
            for _ in range(_MAX_ROUNDS):
                if text == found.text:
                    break
                found = await verify_it(text)
                text = neutralise_markup(found.text, cited)
            else:
                return Draft(ABSTENTION, True)
        if not found.statements and (declined or not found.text):
            return Draft(ABSTENTION, True)
        return Draft(found.text, False, found.statements, Usage(), found.unsupported, found.claims)
