"""rerank: scores the best passages together with the question, and orders them by how well they answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anchorage.errors import AnchorageError, ModelError
from anchorage.model import Hit
from anchorage.ports.reranker import Reranker
from anchorage.telemetry import record_degradation


@dataclass(frozen=True, slots=True)
class Reranking:
    """A reranker with its bounds: the best `candidates` hits are read, within `deadline` seconds."""

    reranker: Reranker
    candidates: int
    deadline: float


async def rerank_hits(reranking: Reranking, question: str, hits: Sequence[Hit]) -> Sequence[Hit]:
    """Return the hits in the reranker's order, with its scores. Hits beyond the candidates follow as retrieved.

    If the reranker fails, the hits come back as retrieved: their order is good enough to answer.
    """
    chosen = hits[: reranking.candidates]
    if len(chosen) < 2:
        return hits
    try:
        async with asyncio.timeout(reranking.deadline):
            scores = await reranking.reranker.score(question, [_format_passage(hit) for hit in chosen])
        if len(scores) != len(chosen) or not all(map(math.isfinite, scores)):
            raise ModelError("The reranker returned scores that are not one number for each passage.")
    except TimeoutError:
        record_degradation(
            "not_reranked", f"The reranker took longer than ANCHORAGE_RERANK__DEADLINE, {reranking.deadline:g} s."
        )
        return hits
    except AnchorageError as error:
        record_degradation("not_reranked", error.message)
        return hits
    order = sorted(range(len(chosen)), key=lambda index: -scores[index])  # stable: equal scores stay as retrieved
    least = min(scores)
    ranked = [replace(chosen[index], score=float(scores[index])) for index in order]
    # Scores must not rise down the list.
    return [*ranked, *(replace(hit, score=min(hit.score, float(least))) for hit in hits[len(chosen) :])]


def _format_passage(hit: Hit) -> str:
    """Format a passage as the index holds it: under its title and headings."""
    return "\n".join((" > ".join((hit.title, *hit.heading_path)), hit.text))
