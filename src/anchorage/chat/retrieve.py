"""retrieve: finds the passages for a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from anchorage.chat.rerank import rerank
from anchorage.chat.state import ChatServices
from anchorage.errors import BadRequest, TooLarge
from anchorage.model import Principal
from anchorage.ports.store import Query, Ranking


def storable(text: str) -> str:
    """The text without what no database and no model takes: NUL, and halves of characters, which JSON lets through."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def checked_question(question: str, limit: int) -> str:
    """The question without outer white space. Raises `BadRequest` when empty and `TooLarge` when over the limit."""
    question = storable(question).strip()
    if not question:
        raise BadRequest("The question is empty: write what you want to know.")
    if len(question) > limit:
        raise TooLarge(
            f"The question has {len(question)} characters; at most {limit} are read (ANCHORAGE_ANSWER__QUESTION_LIMIT). "
            "Shorten it, or ingest long texts as documents and ask about them."
        )
    return question


async def retrieve(
    services: ChatServices,
    principal: Principal,
    question: str,
    collections: Sequence[str] | None,
    k: int | None = None,
    *,
    index_id: int | None = None,
    lists: bool = False,
) -> tuple[Ranking, NDArray[Any]]:
    """Hybrid retrieval of the `k` best passages, in the reranker's order where there is one, with the question's vector.

    `index_id` takes that index version instead of the live one; `lists` wants the rankings that were fused, too.
    """
    k = k or services.limits.k
    found, vector = await found_for(services, principal, question, collections, k, index_id=index_id, lists=lists)
    return await ordered(services, question, found, k), vector


async def found_for(
    services: ChatServices,
    principal: Principal,
    question: str,
    collections: Sequence[str] | None,
    k: int | None = None,
    *,
    index_id: int | None = None,
    vector: NDArray[Any] | None = None,
    lists: bool = False,
) -> tuple[Ranking, NDArray[Any]]:
    """What the index finds, as many as `ordered` will choose `k` from, with the question's vector."""
    if vector is None:
        vector = await services.vector_of(principal, question)
    limits, reranking = services.limits, services.reranking
    wanted = max(k or limits.k, reranking.candidates if reranking else 0)
    vectors = {services.embedder.spec: vector}
    query = Query(question, vectors, wanted, max(limits.depth, wanted), limits.dense_weight, lists)
    while (found := await services.store.search(principal, query, collections, index_id=index_id)).needs:
        for spec in found.needs:  # collections that were indexed with other embedders
            vectors[spec] = await services.vector_of(principal, question, await services.embedders.of(spec))
    return found, vector


async def ordered(services: ChatServices, question: str, found: Ranking, k: int) -> Ranking:
    """The best `k`, in the reranker's order where there is one."""
    hits = await rerank(services.reranking, question, found.hits) if services.reranking else found.hits
    return replace(found, hits=hits[:k])
