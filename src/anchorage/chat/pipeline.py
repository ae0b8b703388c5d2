"""A turn of a conversation: question -> guard -> rewrite -> retrieve (and rerank) -> answer -> verify -> cite -> guard -> remember."""

from __future__ import annotations

from anchorage.cancellation import raise_if_cancelled
from anchorage.chat.answer import Answerer
from anchorage.chat.cite import Citer
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
        rewriter: Rewriter,
        recall: AnswerRecall,
        retriever: Retriever,
        answerer: Answerer,
        verifier: Verifier,
        citer: Citer,
        rememberer: Rememberer,
    ) -> None:
        self.steps: tuple[Step, ...] = (
            guard.guard_question,
            rewriter.rewrite_question,
            recall.recall_answer,
            retriever.retrieve_passages,
            answerer.write_answer,
            verifier.verify_answer,
            citer.cite_statements,
            guard.guard_answer,
            rememberer.remember_turn,
        )

    async def run(self, state: TurnState, context: TurnContext) -> TurnState:
        """Run the steps and return the final state. Raises what the steps raise. Nothing of the state is stored but the turn's row."""
        known: TurnState = {**state}
        for step in self.steps:
            known.update(await step(known, context))
            raise_if_cancelled()  # one that came in the moment of an answer of the database got lost
        return known
