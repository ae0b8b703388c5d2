"""remember: writes the turn into its conversation, and keeps its answer for the same question."""

from __future__ import annotations

from anchorage.chat.memory.history import Summaries
from anchorage.chat.memory.recall import AnswerRecall
from anchorage.chat.memory.trace import SettingsFingerprint, trace_turn
from anchorage.chat.state import TurnContext, TurnState
from anchorage.model import Turn
from anchorage.ports.memory import Memory


class Rememberer:
    """The last step. Without `summaries`, only a window of a long thread is read back."""

    def __init__(
        self, memory: Memory, recall: AnswerRecall, fingerprint: SettingsFingerprint, summaries: Summaries | None
    ) -> None:
        self._memory, self._recall, self._fingerprint, self._summaries = memory, recall, fingerprint, summaries

    async def remember_turn(self, state: TurnState, context: TurnContext) -> TurnState:
        """Write the turn, unless the caller keeps the conversation."""
        if context.history is not None:
            return {"number": len(context.history) + 1}
        turn = Turn(
            number=0,
            message_id=state["message_id"],
            question=state["question"],
            answer=state["answer"],
            abstained=state["abstained"],
            citations=tuple(state["citations"]),
            standalone_question=state["standalone_question"],
            unsupported=tuple(state["unsupported"]),
            parent=state["parent"],
            stopped=bool(context.stop and context.stop.stopped),
            trace=trace_turn(state, self._fingerprint.compute(context.max_tokens)),
        )
        begun = state["thread"].exists
        kept = await self._memory.append(context.principal, state["conversation_id"], turn, begun=begun)
        if not turn.stopped:
            await self._recall.keep_answer(state, context)
        if self._summaries is not None:
            self._summaries.renew_if_due(context.principal, state["conversation_id"], state["thread"], turn)
        # The same message may have been answered meanwhile. The remembered answer is the one to show.
        return {
            "number": kept.number, "answer": kept.answer, "abstained": kept.abstained, "citations": kept.citations,
            "unsupported": kept.unsupported,
        }  # fmt: skip
