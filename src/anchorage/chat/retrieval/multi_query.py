"""multi-query: searches for a question in several wordings, which the generator finds, and fuses what they bring.

Optional (ANCHORAGE_RETRIEVAL__QUERIES). Fused by reciprocal ranks (Cormack, Clarke and Büttcher 2009), since the scores of
different questions have no common scale; the question itself counts as much as all its wordings together.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from numpy.typing import NDArray

from anchorage.chat.generation.completion import completed
from anchorage.chat.generation.prompt import as_data
from anchorage.chat.retrieval.retrieve import found_for, ordered
from anchorage.chat.state import TurnContext
from anchorage.errors import AnchorageError
from anchorage.model import Hit, Message, Usage
from anchorage.model.search import Ranking
from anchorage.telemetry import degraded

_RANKS = 60  # the constant of the paper
_NUMBERING = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s*")
_MAX_TOKENS = 300


async def retrieve_many(
    context: TurnContext, question: str, collections: Sequence[str] | None, *, vector: NDArray[Any] | None
) -> tuple[Ranking, NDArray[Any] | None]:
    """What `retrieve` gives, over the question and its other wordings. Without wordings it is the question's alone."""
    services = context.services
    others, usage = await wordings(context, question, services.limits.queries - 1)
    services.spent(context.principal, usage)
    first, *more = await asyncio.gather(
        found_for(services, context.principal, question, collections, vector=vector),
        *(found_for(services, context.principal, other, collections) for other in others),
    )
    ranking, vector = first
    if vector is None and services.generator is None:  # quotations are chosen by meaning
        vector = await services.vector_of(context.principal, question)
    if more:
        ranking = replace(ranking, hits=fused(ranking.hits, [other.hits for other, _ in more]))
    return await ordered(services, question, ranking, services.limits.k), vector


async def wordings(context: TurnContext, question: str, count: int) -> tuple[list[str], Usage]:
    """Up to `count` other wordings of a question, by the generator; none when there is no generator, or it fails."""
    generator, limit = context.services.generator, context.services.limits.question_limit
    if generator is None or count < 1:
        return [], Usage()
    system = (
        files("anchorage.chat.generation.prompts")
        .joinpath("queries.md")
        .read_text("utf-8")
        .replace("{count}", str(count))
    )
    messages = [Message("system", system), Message("user", f"Question: {as_data(question)}")]
    try:
        text, usage = await completed(generator, messages, max_tokens=_MAX_TOKENS)
    except AnchorageError as error:
        degraded("one_query", error.message)
        return [], Usage()
    lines = (_NUMBERING.sub("", line).strip() for line in text.splitlines())
    found = dict.fromkeys(line for line in lines if line and len(line) <= limit and line != question)
    return list(found)[:count], usage


def fused(hits: Sequence[Hit], others: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The hits of the question and of its wordings in one order, with scores between 0 and 1."""
    known: dict[str, Hit] = {}
    scores: dict[str, float] = defaultdict(float)
    for ranked, weight in ((hits, 1.0), *((other, 1 / len(others)) for other in others)):
        for place, hit in enumerate(ranked):
            known.setdefault(hit.chunk_id, hit)
            scores[hit.chunk_id] += weight * (_RANKS + 1) / (_RANKS + 1 + place) / 2
    order = sorted(known, key=lambda chunk_id: -scores[chunk_id])
    return [replace(known[chunk_id], score=round(scores[chunk_id], 6)) for chunk_id in order]
