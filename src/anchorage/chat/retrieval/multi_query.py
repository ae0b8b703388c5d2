"""multi-query: searches for a question in several wordings, which the generator writes, and fuses the rankings.

Optional (ANCHORAGE_RETRIEVAL__QUERIES). Fused by reciprocal ranks (Cormack, Clarke and Büttcher 2009), since the scores of
different questions have no common scale; the question itself counts as much as all its wordings together.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import zip_longest

from anchorage.chat.generation.completion import generate_text
from anchorage.chat.generation.prompt import escape_for_prompt
from anchorage.chat.generation.stop import make_stoppable
from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.state import ChatLimits, TurnContext
from anchorage.errors import AnchorageError
from anchorage.model import Hit, Message
from anchorage.ports.llm import Generator
from anchorage.telemetry import record_degradation

_RANK_CONSTANT = 60  # the constant of the paper
_NUMBERING = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s*")
_MAX_TOKENS = 300


class QueryExpander:
    """Lets the generator put a question in other words."""

    def __init__(self, generator: Generator, usage: UsageRecorder, limits: ChatLimits) -> None:
        self._generator, self._usage, self._limits = generator, usage, limits

    async def write_wordings(self, question: str, context: TurnContext) -> list[str]:
        """Return up to `queries - 1` other wordings of a question, on the principal's account; none if the generator fails."""
        count = self._limits.queries - 1
        if count < 1:
            return []
        system = files("anchorage.chat.generation.prompts").joinpath("queries.md").read_text("utf-8")
        messages = [
            Message("system", system.replace("{count}", str(count))),
            Message("user", f"Question: {escape_for_prompt(question)}"),
        ]
        try:
            text, usage = await generate_text(
                make_stoppable(self._generator, context.stop), messages, max_tokens=_MAX_TOKENS
            )
        except AnchorageError as error:
            record_degradation("one_query", error.message)
            return []
        self._usage.record_usage(context.principal, usage)
        lines = (_NUMBERING.sub("", line).strip() for line in text.splitlines())
        limit = self._limits.question_limit
        found = dict.fromkeys(line for line in lines if line and len(line) <= limit and line != question)
        return list(found)[:count]


def fuse_rankings(hits: Sequence[Hit], others: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Fuse the hits of the question and of its wordings into one ranking, with scores between 0 and 1."""
    known: dict[str, Hit] = {}
    scores: dict[str, float] = defaultdict(float)
    for ranked, weight in ((hits, 1.0), *((other, 1 / len(others)) for other in others)):
        for place, hit in enumerate(ranked):
            known.setdefault(hit.chunk_id, hit)
            scores[hit.chunk_id] += weight * (_RANK_CONSTANT + 1) / (_RANK_CONSTANT + 1 + place) / 2
    order = sorted(known, key=lambda chunk_id: -scores[chunk_id])
    return [replace(known[chunk_id], score=round(scores[chunk_id], 6)) for chunk_id in order]


def interleave_rankings(hits: Sequence[Hit], others: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Take the hits of the question and of its parts in turn: each part needs passages of its own among the first."""
    found: dict[str, Hit] = {}
    for row in zip_longest(hits, *others):
        for hit in row:
            if hit is not None:
                found.setdefault(hit.chunk_id, hit)
    return list(found.values())
