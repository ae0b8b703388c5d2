"""quoter: answers with quoted sentences where there is no generator."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from numpy.typing import NDArray

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.quoting.extract import EVIDENCE_NEEDED, Sentence, rank_sentences, split_into_sentences
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.safety.inert import neutralise_markup, select_linkable_addresses
from anchorage.chat.state import ABSTENTION, ABSTENTION_PATTERN, ChatLimits, Draft, Statement, TurnContext, TurnState
from anchorage.chat.verification.markers import neutralise_markers
from anchorage.model import Hit, Principal
from anchorage.text.analyser import Analyser
from anchorage.text.hidden import strip_hidden_characters

_SPACES = re.compile(r"\s+")


class Quoter:
    """The author of answers where there is no generator."""

    def __init__(self, vectors: SentenceVectors, usage: UsageRecorder, limits: ChatLimits, analyser: Analyser) -> None:
        self._vectors, self._usage, self._limits, self._analyser = vectors, usage, limits, analyser

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Quote sentences, or abstain where there is too little evidence and the settings ask for it."""
        question, vector, hits = state["standalone_question"], state["question_vector"], state["hits"]
        draft, evident = await self.quote_sentences(context.principal, question, vector, hits)
        if not evident and self._limits.abstain:
            draft = Draft(ABSTENTION, True)
        await context.emit_text(draft.text)
        return {
            "answer": draft.text, "abstained": draft.abstained, "statements": draft.statements,
            "unsupported": draft.unsupported,
        }  # fmt: skip

    async def quote_sentences(
        self, principal: Principal, question: str, vector: NDArray[Any], hits: Sequence[Hit]
    ) -> tuple[Draft, bool]:
        """Return a draft of the sentences that answer, and whether there is enough evidence to give them."""
        sentences = split_into_sentences(hits[: self._limits.passages])
        vectors = self._vectors.charge_to(principal, self._usage)
        embedded = await vectors.embed_sentences([sentence.text for sentence in sentences])
        found = rank_sentences(question, sentences, vector, embedded, self._analyser)
        chosen = found.choose_quotations(self._limits.max_sentences, _speaks_not_for_us)
        statements = [
            Statement(
                self._format_quotation(sentence.text, (sentence.hit.uri,)),
                sentence.hit,
                sentence.start,
                sentence.end,
                marker,
            )
            for marker, sentence in enumerate(chosen, 1)
        ]
        if not statements:
            return Draft(ABSTENTION, True), False
        text = " ".join(f"{statement.claim} [{statement.marker}]" for statement in statements)
        return Draft(text, False, statements, claims=len(statements)), found.evidence >= EVIDENCE_NEEDED

    def _format_quotation(self, text: str, cited: Collection[str]) -> str:
        """Prepare a document's sentence for an answer: one line, markup neutralised, nothing that looks like a marker."""
        line = neutralise_markers(_SPACES.sub(" ", strip_hidden_characters(text)).strip())
        links = self._limits.links
        return line if links == "all" else neutralise_markup(line, select_linkable_addresses(links, cited), inline=True)


def _speaks_not_for_us(sentence: Sentence) -> bool:
    """A document that says "I could not find an answer" must not speak for us."""
    return not ABSTENTION_PATTERN.search(strip_hidden_characters(sentence.text))
