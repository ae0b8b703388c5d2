"""A turn of a conversation: question -> guard -> intent -> rewrite -> retrieve (and rerank) -> answer -> verify -> cite -> guard -> remember."""

from __future__ import annotations

from anchorage.cancellation import raise_if_cancelled
from anchorage.chat.answer import Author
from anchorage.chat.cite import Citer
from anchorage.chat.intent.reply import IntentReplier
from anchorage.chat.memory.recall import AnswerRecall
from anchorage.chat.memory.remember import Rememberer
from anchorage.chat.memory.rewrite import Rewriter
from anchorage.chat.retrieval.retrieve import Retriever
from anchorage.chat.safety.guard import TurnGuard
from anchorage.chat.state import Step, TurnContext, TurnState
from anchorage.chat.verification.verifier import Verifier


class Pipeline:
    """Runs the steps of a turn, one after another. A plain turn neither waits nor branches, so a list is enough."""

    def __init__(
        self,
        guard: TurnGuard,
        intent: IntentReplier,
        rewriter: Rewriter,
        recall: AnswerRecall,
        retriever: Retriever,
        author: Author,
        verifier: Verifier,
        citer: Citer,
        rememberer: Rememberer,
    ) -> None:
        self.answering: tuple[Step, ...] = (
            guard.guard_question,
            intent.reply_to_intent,
            rewriter.rewrite_question,
            recall.recall_answer,
            retriever.retrieve_passages,
            author.write_answer,
            verifier.verify_answer,
            citer.cite_statements,
        )
        self.closing: tuple[Step, ...] = (
            guard.guard_answer,
            rememberer.remember_turn,
        )

    async def run(self, state: TurnState, context: TurnContext) -> TurnState:
        """Run the steps and return the final state. Raises what the steps raise. Nothing of the state is stored but the turn's row."""
        known: TurnState = {**state}
        for step in self.answering:
            await _take(step, known, context)
            if "citations" in known:  # an answer with its citations is complete, whichever step brought it
                break
        for step in self.closing:
            await _take(step, known, context)
        return known


async def _take(step: Step, known: TurnState, context: TurnContext) -> None:
    known.update(await step(known, context))
    raise_if_cancelled()  # one that came in the moment of an answer of the database got lost
