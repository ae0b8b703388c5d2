"""candidates: finds the passages for a question in the index, before any reranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.chat.retrieval.embed import QuestionEmbedder
from anchorage.chat.state import ChatLimits
from anchorage.errors import ModelUnavailable
from anchorage.model import EmbedderSpec, Principal
from anchorage.model.search import Query, Ranking
from anchorage.ports.retrieval_role import Retrieval, RetrievalRole
from anchorage.ports.search import Search
from anchorage.telemetry import record_degradation

RankedCandidates = tuple[Ranking, NDArray[Any] | None]
"""A ranking, and the question's vector by the default embedder. The vector is None where that embedder is away."""


class CandidateFinder:
    """Searches here or, with `role`, has another process search."""

    def __init__(
        self, search: Search, embedder: QuestionEmbedder, limits: ChatLimits, role: RetrievalRole | None = None
    ) -> None:
        self._search, self._embedder, self._limits, self._role = search, embedder, limits, role

    async def find_candidates(
        self,
        principal: Principal,
        question: str,
        collections: Sequence[str] | None,
        k: int,
        *,
        index_id: int | None = None,
        vector: NDArray[Any] | None = None,
        lists: bool = False,
        within_budget: bool = False,
    ) -> RankedCandidates:
        """Find the `k` best passages. Where an embedder is away, its collections are searched by words alone.

        `index_id`: search that index version instead of the live one. `lists`: return the rankings that were fused, too. Both are
        for measuring, so that a missing embedder is an error there. `vector`: the question's, if it is known already.
        """
        if self._role is not None and index_id is None and not lists:
            return await self._ask_role(self._role, principal, question, collections, k, vector)
        default, away = self._embedder.spec, dict[EmbedderSpec, ModelUnavailable]()
        vectors: dict[EmbedderSpec, NDArray[Any] | None] = {}

        async def embed(spec: EmbedderSpec) -> NDArray[Any] | None:
            if spec in away:
                return None
            try:
                return await self._embedder.embed_question(principal, question, spec, within_budget=within_budget)
            except ModelUnavailable as error:
                if lists or index_id is not None:
                    raise
                away[spec] = error
                return None

        if vector is None:
            vector = await embed(default)
        if vector is not None:
            vectors[default] = vector
        query = Query(question, vectors, k, max(self._limits.depth, k), self._limits.dense_weight, lists)
        while (found := await self._search.search(principal, query, collections, index_id=index_id)).needs:
            for spec in found.needs:  # collections that were indexed with other embedders
                vectors[spec] = await embed(spec)
        if not (by_words := [spec for spec in away if spec in vectors]):
            return found, vector
        record_degradation("by_words_alone", away[by_words[0]].message)
        return replace(found, by_words=by_words), vector

    async def _ask_role(
        self, role: RetrievalRole, principal: Principal, question: str, collections: Sequence[str] | None, k: int,
        vector: NDArray[Any] | None,
    ) -> RankedCandidates:  # fmt: skip
        """Let another process search. Its vector is used if it comes from the same embedder as ours."""
        own = self._embedder.spec
        known = None if vector is None else tuple(map(float, vector))
        places = None if collections is None else tuple(collections)
        found = await role.find(principal, Retrieval(question, places, k, known, own))
        if vector is None and found.vector is not None and found.embedder == own:
            vector = np.asarray(found.vector, dtype=np.float32)
        return found.ranking, vector
