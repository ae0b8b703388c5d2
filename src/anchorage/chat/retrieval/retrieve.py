"""retrieve: finds the passages for a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.retrieval.rerank import rerank
from anchorage.chat.state import ChatServices
from anchorage.errors import BadRequest, ModelUnavailable, TooLarge
from anchorage.model import EmbedderSpec, Principal
from anchorage.model.search import Query, Ranking
from anchorage.ports.retriever import Retrieval, Retriever
from anchorage.telemetry import degraded
from anchorage.text.hidden import parted, visible


def storable(text: str) -> str:
    """The text without what no database and no model takes: NUL, and halves of characters, which JSON lets through."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def cleaned(question: str) -> str:
    """The question as it is read: without outer white space and hidden characters, which would hide from the guards what a model reads."""
    return visible(parted(storable(question))).strip()


def checked_question(question: str, limit: int) -> str:
    """The question, `cleaned`. Raises `BadRequest` when empty and `TooLarge` when over the limit."""
    question = cleaned(question)
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
) -> tuple[Ranking, NDArray[Any] | None]:
    """Hybrid retrieval of the `k` best passages, in the reranker's order where there is one, with the question's vector.

    `index_id` takes that index version instead of the live one; `lists` wants the rankings that were fused, too: whoever
    measures either wants no embedder to be missing.
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
) -> tuple[Ranking, NDArray[Any] | None]:
    """What the index finds, as many as `ordered` will choose `k` from, with the question's vector by the default embedder.

    Where an embedder is away, its collections are searched by words alone; with the default one, there is no vector.
    """
    limits, reranking = services.limits, services.reranking
    wanted = max(k or limits.k, reranking.candidates if reranking else 0)
    if services.retriever is not None and index_id is None and not lists:
        return await _found_elsewhere(services, services.retriever, principal, question, collections, wanted, vector)
    default, away = services.embedder.spec, dict[EmbedderSpec, ModelUnavailable]()
    vectors: dict[EmbedderSpec, NDArray[Any] | None] = {}

    async def embed(spec: EmbedderSpec) -> NDArray[Any] | None:
        if spec in away:
            return None
        try:
            embedder = services.embedder if spec == default else await services.embedders.of(spec)
            return await services.vector_of(principal, question, embedder)
        except ModelUnavailable as error:
            if lists or index_id is not None:
                raise
            away[spec] = error
            return None

    if vector is None:
        vector = await embed(default)
    if vector is not None:
        vectors[default] = vector
    query = Query(question, vectors, wanted, max(limits.depth, wanted), limits.dense_weight, lists)
    while (found := await services.store.search(principal, query, collections, index_id=index_id)).needs:
        for spec in found.needs:  # collections that were indexed with other embedders
            vectors[spec] = await embed(spec)
    if not (by_words := [spec for spec in away if spec in vectors]):
        return found, vector
    degraded("by_words_alone", away[by_words[0]].message)
    return replace(found, by_words=by_words), vector


async def _found_elsewhere(
    services: ChatServices, retriever: Retriever, principal: Principal, question: str, collections: Sequence[str] | None, k: int,
    vector: NDArray[Any] | None,
) -> tuple[Ranking, NDArray[Any] | None]:  # fmt: skip
    """As `found_for`, by another process; its vector counts where it comes from the same embedder as ours would."""
    own = services.embedder.spec
    known = None if vector is None else tuple(map(float, vector))
    places = None if collections is None else tuple(collections)
    found = await retriever.find(principal, Retrieval(question, places, k, known, own))
    if vector is None and found.vector is not None and found.embedder == own:
        vector = np.asarray(found.vector, dtype=np.float32)
    return found.ranking, vector


async def ordered(services: ChatServices, question: str, found: Ranking, k: int) -> Ranking:
    """The best `k`, in the reranker's order where there is one."""
    hits = await rerank(services.reranking, question, found.hits) if services.reranking else found.hits
    return replace(found, hits=hits[:k])
