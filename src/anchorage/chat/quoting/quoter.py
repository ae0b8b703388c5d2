"""quoter: answers with quotations where there is no generator."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.quoting.asked import (
    Asked,
    choose_analyser,
    is_in_other_language,
    read_question,
    repeats_question,
)
from anchorage.chat.quoting.choose import Quotation, choose_quotations
from anchorage.chat.quoting.features import (
    MOST_EMBEDDED,
    MOST_EMBEDDED_BY_MEANING,
    add_cosines,
    compute_features,
    select_promising,
)
from anchorage.chat.quoting.ranker import RankedUnits, rank_units
from anchorage.chat.quoting.reading import PassageReader
from anchorage.chat.quoting.scale import ANSWERS, QUESTIONS, CosineScale, measure_scale
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.quoting.summary import asks_for_summary, choose_document, choose_sentences, find_summable
from anchorage.chat.quoting.tables.compute import compute_answer
from anchorage.chat.quoting.tables.operation import find_operation
from anchorage.chat.quoting.units import Unit, UnitKind, split_into_units
from anchorage.chat.retrieval.compound import split_question
from anchorage.chat.safety.inert import neutralise_markup, select_linkable_addresses
from anchorage.chat.state import ABSTENTION, ABSTENTION_PATTERN, ChatLimits, Draft, Statement, TurnContext, TurnState
from anchorage.chat.verification.markers import neutralise_markers
from anchorage.model import Hit, Principal
from anchorage.ports.embedder import Vectors
from anchorage.text.analyser import Analyser
from anchorage.text.hidden import strip_hidden_characters

PROBABILITY_NEEDED, PROBABILITY_NEEDED_ACROSS_LANGUAGES = 0.12, 0.05
"""Abstain where the best unit is less likely than this to answer. A wrong quotation is seen to be one; a missing one is not. Across languages
the probabilities are lower: receipts and tables have few words whose meaning shows.
"""
COMPUTED = "computed"
"""The kind of what was computed over a table."""
_LATER = 0.02  # what a table's fit loses for each one that was found before it
_MOST_EMBEDDED_CHARS = 1000  # of one
_SPACES = re.compile(r"\s+")


class Quoter:
    """The author of answers where there is no generator."""

    def __init__(
        self,
        reader: PassageReader,
        vectors: SentenceVectors,
        usage: UsageRecorder,
        limits: ChatLimits,
        analyser: Analyser,
    ) -> None:
        self._reader, self._vectors, self._usage = reader, vectors, usage
        self._limits, self._analyser = limits, analyser
        self._scale: CosineScale | None = None

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Quote units, or abstain where it is unlikely that they answer and the settings ask for it."""
        question, vector, hits = state["standalone_question"], state["question_vector"], state["hits"]
        draft, evident = await self.quote_units(context.principal, question, vector, hits)
        if not evident and self._limits.abstain:
            draft = Draft(ABSTENTION, True)
        await context.emit_text(draft.text)
        return {
            "answer": draft.text, "abstained": draft.abstained, "statements": draft.statements,
            "unsupported": draft.unsupported,
        }  # fmt: skip

    async def quote_units(
        self, principal: Principal, question: str, vector: NDArray[Any], hits: Sequence[Hit]
    ) -> tuple[Draft, bool]:
        """Return a draft of the units that answer, and whether it is likely enough that they do."""
        analyser = choose_analyser(question, self._analyser)
        asked = read_question(question, analyser)
        if asks_for_summary(question) and (summary := await self._summarise(principal, asked, hits, analyser)):
            return summary, True
        if computed := await self._compute(principal, asked, hits, analyser):
            return computed, True
        found = hits[: self._limits.passages]
        around = await self._reader.read_around(principal, found)
        units = [
            unit for unit in split_into_units(found, around)
            if not repeats_question(unit.text, question)
            and (asked.contacts or unit.kind is not UnitKind.LINE or any(map(str.isalpha, unit.text)))
        ]  # fmt: skip
        parts = [read_question(part, analyser) for part in split_question(question)]
        charged = self._vectors.charge_to(principal, self._usage)
        asked_vectors = await charged.embed_questions([part.question for part in parts])
        foreign = is_in_other_language(question, [hit.text for hit in found], self._analyser)
        needed = PROBABILITY_NEEDED_ACROSS_LANGUAGES if foreign else PROBABILITY_NEEDED
        chosen: list[Quotation] = []
        likely = False
        for each, of_each in [*zip(parts, asked_vectors, strict=True)] or [(asked, vector)]:
            ranked = await self._rank(principal, each, of_each, units, analyser, foreign)
            if parts and ranked.probability < needed:
                continue  # the other part may have an answer
            likely = likely or ranked.probability >= needed
            most = 1 if parts else self._limits.max_sentences
            further = choose_quotations(each, ranked, analyser, most, _speaks_not_for_us)
            chosen += [quotation for quotation in further if quotation not in chosen]
        return (self._draft(chosen), likely) if chosen else (Draft(ABSTENTION, True), False)

    async def _compute(
        self, principal: Principal, asked: Asked, hits: Sequence[Hit], analyser: Analyser
    ) -> Draft | None:
        """Compute over the table that fits the question best, where something of the kind is asked for."""
        if find_operation(asked.question) is None:
            return None
        found = [
            (answer.fit - _LATER * place, hit, answer)
            for place, (hit, table) in enumerate(await self._reader.read_tables(principal, hits))
            if (answer := compute_answer(asked, table, analyser))
        ]
        if not found:
            return None
        _, hit, answer = max(found, key=lambda item: item[0])
        claim = self._format_quotation(answer.claim, (hit.uri,))
        statements = [
            Statement(claim, hit, row.start - hit.start, row.end - hit.start, marker, COMPUTED)
            for marker, row in enumerate(answer.rows, 1)
        ]
        text = " ".join((claim, *(f"[{statement.marker}]" for statement in statements)))
        return Draft(text, False, statements, claims=1)

    async def _rank(
        self, principal: Principal, asked: Asked, vector: NDArray[Any], units: Sequence[Unit], analyser: Analyser,
        foreign: bool,
    ) -> RankedUnits:  # fmt: skip
        if not units:
            return rank_units((), compute_features(asked, (), analyser))
        table = compute_features(asked, units, analyser)
        promising = select_promising(table, MOST_EMBEDDED_BY_MEANING if foreign else MOST_EMBEDDED).tolist()
        kept, table = [units[at] for at in promising], table[promising]
        add_cosines(table, await self._embed(principal, kept) @ vector, await self._measure_scale(principal))
        return rank_units(kept, table, other_language=foreign)

    async def _summarise(
        self, principal: Principal, asked: Asked, hits: Sequence[Hit], analyser: Analyser
    ) -> Draft | None:
        """Quote a few sentences that stand for the document that is meant."""
        hit = choose_document(asked, hits, analyser)
        found = await self._reader.read_document(principal, hit) if hit else None
        if hit is None or found is None:
            return None
        units = find_summable(split_into_units([replace(hit, start=0, end=len(found.text))], [found]), MOST_EMBEDDED)
        units = [unit for unit in units if _speaks_not_for_us(unit.text)]
        if not units:
            return None
        vectors = await self._embed(principal, units)
        chosen = choose_sentences(units, vectors, await self._measure_scale(principal))
        return self._draft([Quotation(unit, unit.text, unit.start, unit.end) for unit in chosen])

    async def _measure_scale(self, principal: Principal) -> CosineScale:
        """What the embedder's cosines mean; measured by the first who needs it."""
        if self._scale is None:
            vectors = self._vectors.charge_to(principal, self._usage)
            questions = np.stack(await vectors.embed_questions(QUESTIONS))
            self._scale = measure_scale(questions, await vectors.embed_sentences(ANSWERS))
        return self._scale

    async def _embed(self, principal: Principal, units: Sequence[Unit]) -> Vectors:
        vectors = self._vectors.charge_to(principal, self._usage)
        return await vectors.embed_sentences([" ".join(unit.text.split())[:_MOST_EMBEDDED_CHARS] for unit in units])

    def _draft(self, chosen: Sequence[Quotation]) -> Draft:
        statements = [self._state(quotation, marker) for marker, quotation in enumerate(chosen, 1)]
        text = " ".join(f"{statement.claim} [{statement.marker}]" for statement in statements)
        return Draft(text, False, statements, claims=len(statements))

    def _state(self, quotation: Quotation, marker: int) -> Statement:
        hit = quotation.unit.hit
        return Statement(
            self._format_quotation(quotation.claim, (hit.uri,)), hit, quotation.start, quotation.end, marker,
            quotation.unit.kind.value, quotation.unit.path[1:],
        )  # fmt: skip

    def _format_quotation(self, text: str, cited: Collection[str]) -> str:
        """Prepare a document's words for an answer: one line, markup neutralised, nothing that looks like a marker."""
        line = neutralise_markers(_SPACES.sub(" ", strip_hidden_characters(text)).strip())
        links = self._limits.links
        return line if links == "all" else neutralise_markup(line, select_linkable_addresses(links, cited), inline=True)


def _speaks_not_for_us(text: str) -> bool:
    """A document that says "I could not find an answer" must not speak for us."""
    return not ABSTENTION_PATTERN.search(strip_hidden_characters(text))
