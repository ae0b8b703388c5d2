"""retrieve: finds the passages for a question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from anchorage.chat.retrieval.candidates import CandidateFinder, RankedCandidates
from anchorage.chat.retrieval.compound import split_question, word_otherwise
from anchorage.chat.retrieval.copies import drop_copies
from anchorage.chat.retrieval.embed import QuestionEmbedder
from anchorage.chat.retrieval.multi_query import QueryExpander, fuse_rankings, interleave_rankings
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.retrieval.rerank import Reranking, rerank_hits
from anchorage.chat.state import ChatLimits, TurnContext, TurnState
from anchorage.model import Principal
from anchorage.model.search import Ranking


class Retriever:
    """Hybrid retrieval. With an `expander`, other wordings of the question are searched too; with a `reranking`, the hits are reranked.

    `by_meaning`: a later step chooses sentences by meaning, so that the question's vector is needed in any case.
    """

    def __init__(
        self,
        finder: CandidateFinder,
        embedder: QuestionEmbedder,
        reranking: Reranking | None,
        expander: QueryExpander | None,
        limits: ChatLimits,
        *,
        by_meaning: bool,
    ) -> None:
        self._finder, self._embedder, self._reranking, self._expander = finder, embedder, reranking, expander
        self._limits, self._by_meaning = limits, by_meaning

    async def retrieve_passages(self, state: TurnState, context: TurnContext) -> TurnState:
        """Retrieve the passages for the stand-alone question, unless the answer needs none."""
        question, collections = state["standalone_question"], state.get("collections")
        wordings = await self._expander.write_wordings(question, context) if self._expander else []
        parts = split_question(question) or word_otherwise(question)
        others = [*parts, *wordings]
        wanted, who = self._count_candidates(self._limits.k), context.principal
        asked = self._finder.find_candidates(who, question, collections, wanted, vector=state.get("question_vector"))
        if others:
            (ranking, vector), *more = await asyncio.gather(
                asked, *(self._finder.find_candidates(who, other, collections, wanted) for other in others)
            )
        else:
            (ranking, vector), more = await asked, []
        if vector is None and self._by_meaning:
            vector = await self._embedder.embed_question(who, question)
        if more:
            of_parts, of_wordings = (
                [other.hits for other, _ in some] for some in (more[: len(parts)], more[len(parts) :])
            )
            hits = fuse_rankings(ranking.hits, of_wordings) if of_wordings else ranking.hits
            ranking = replace(ranking, hits=interleave_rankings(hits, of_parts))
        ranking = await self._rerank(question, replace(ranking, hits=drop_copies(ranking.hits)), self._limits.k)
        await context.emit("hits", {"hits": ranking.hits})
        found: TurnState = {"hits": PackableHits(ranking.hits), "question_vector": vector}
        return {**found, "slot": None} if ranking.by_words else found

    async def retrieve(
        self,
        principal: Principal,
        question: str,
        collections: Sequence[str] | None,
        k: int | None = None,
        *,
        index_id: int | None = None,
        lists: bool = False,
        within_budget: bool = False,
    ) -> RankedCandidates:
        """Retrieve the `k` best passages for a question as it is; the options are those of `CandidateFinder.find_candidates`."""
        k = k or self._limits.k
        found, vector = await self._finder.find_candidates(
            principal,
            question,
            collections,
            self._count_candidates(k),
            index_id=index_id,
            lists=lists,
            within_budget=within_budget,
        )
        return await self._rerank(question, found, k), vector

    def _count_candidates(self, k: int) -> int:
        """Return how many candidates the best `k` are chosen from."""
        return max(k, self._reranking.candidates if self._reranking else 0)

    async def _rerank(self, question: str, found: Ranking, k: int) -> Ranking:
        hits = await rerank_hits(self._reranking, question, found.hits) if self._reranking else found.hits
        return replace(found, hits=hits[:k])
