"""`anchorage eval`: ingests a judged set into a throwaway collection, asks its questions, and reports the figures."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote as percent
from urllib.parse import unquote
from uuid import uuid4

import numpy as np

from anchorage.chat.retrieval.retrieve import Retriever
from anchorage.chat.state import Draft
from anchorage.errors import AnchorageError, BadRequest, NotFound
from anchorage.evaluation.citations import judge_citations
from anchorage.evaluation.dataset import Dataset, EvalQuery, read_corpus
from anchorage.evaluation.drafter import Drafter
from anchorage.evaluation.metrics import contains_answer, mean, ndcg, percentiles, recall, reciprocal_rank
from anchorage.ingest.ingester import Ingester
from anchorage.model import Block, BlockKind, Citation, IndexSpec, ParsedDocument, Principal, SourceItem, Usage
from anchorage.model.search import Ranking
from anchorage.ports.catalog import Catalog
from anchorage.ports.upkeep import Upkeep
from anchorage.ports.usage import Ledger
from anchorage.text.analyser import Analyser
from anchorage.text.sentences import find_sentence_spans

DEPTH = 100
_STALE_AFTER = timedelta(days=1)
_THROWAWAY_NAME = re.compile(r"eval-\d{8}T\d{6}-[0-9a-f-]{36}")
Progress = Callable[[str, int], None]
"""Called with what is being done, and how much of it is done."""


@dataclass(slots=True)
class _Figures:
    retrieval: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    contained: list[float] = field(default_factory=list)
    contained_first: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    impossible_abstained: list[float] = field(default_factory=list)
    citations: list[float] = field(default_factory=list)
    alce_precision: list[float] = field(default_factory=list)
    alce_recall: list[float] = field(default_factory=list)
    grounded: list[float] = field(default_factory=list)

    def add(self, name: str, value: float) -> None:
        self.retrieval.setdefault(name, []).append(value)


@asynccontextmanager
async def open_evaluation_collection(
    store: Catalog, principal: Principal, index: IndexSpec, keep: str | None
) -> AsyncIterator[str]:
    """A collection of kind `eval`, dropped at the end unless it is to be kept under a name."""
    name = keep or f"eval-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4()}"
    if name in {item.name for item in await store.collections(principal, kinds=("user", "docs", "eval"))}:
        raise BadRequest(f"The collection {name!r} is there already. Keep the evaluation's under another name.")
    await store.open_collection(principal, name, index, kind="eval")
    try:
        yield name
    finally:
        if keep is None:
            await store.drop_collection(principal, name)


async def drop_stale_evaluations(store: Catalog, principal: Principal) -> int:
    """Drop the collections of evaluations that were killed: those begun more than a day ago. Returns how many."""
    before = f"eval-{datetime.now(UTC) - _STALE_AFTER:%Y%m%dT%H%M%S}"
    names = [item.name for item in await store.collections(principal, kinds=("eval",))]
    stale = [name for name in names if _THROWAWAY_NAME.fullmatch(name) and name < before]
    for name in stale:
        with suppress(NotFound):  # another worker was faster
            await store.drop_collection(principal, name)
    return len(stale)


EVALUATION_PRINCIPAL = Principal("evaluation")
"""The principal whose account pays for an evaluation's models. It has no budget."""


@dataclass(frozen=True, slots=True)
class _EvaluationLedger:
    """A `Ledger` that records everything on one account."""

    ledger: Ledger

    def add(self, principal: Principal, usage: Usage) -> None:
        self.ledger.add(EVALUATION_PRINCIPAL, usage)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


def charge_to_evaluation(ledger: Ledger | None) -> Ledger | None:
    """Return a ledger that records everything on the account of `EVALUATION_PRINCIPAL`."""
    return cast(Ledger, _EvaluationLedger(ledger)) if ledger else None


class Evaluator:
    """Asks the questions of judged sets, and judges the rankings and answers."""

    def __init__(self, catalog: Catalog, retriever: Retriever, drafter: Drafter, analyser: Analyser) -> None:
        self._catalog, self._analyser = catalog, analyser
        self.retriever, self.drafter = retriever, drafter

    async def evaluate(
        self,
        ingester: Ingester,
        index: IndexSpec,
        upkeep: Upkeep,
        principal: Principal,
        dataset: Dataset,
        *,
        k: int,
        distractors: Path | None,
        keep: str | None,
        progress: Progress,
    ) -> dict[str, Any]:
        """All figures of the contract's `eval`; the throwaway collection gets `index`. Raises `BadRequest` for a set that cannot be read."""
        async with open_evaluation_collection(self._catalog, principal, index, keep) as collection:
            corpora = [dataset.corpus, *([distractors] if distractors else [])]
            ingested = await ingest_corpora(ingester, upkeep, collection, corpora, progress)
            figures = _Figures()
            ids: dict[str, str] = {}
            for number, query in enumerate(dataset.queries, 1):
                await self._ask_query(principal, collection, query, k, figures, ids)
                progress("questions", number)
        return {**_report_retrieval(figures), **_report_answers(figures), "ingest": ingested,
                "latency_ms": percentiles(figures.seconds)}  # fmt: skip

    async def _ask_query(
        self, principal: Principal, collection: str, query: EvalQuery, k: int, figures: _Figures, ids: dict[str, str]
    ) -> None:
        started = time.perf_counter()
        ranking, vector = await self.retriever.retrieve(principal, query.text, [collection], DEPTH, lists=True)
        figures.seconds.append(time.perf_counter() - started)
        ids.update({hit.document_id: _read_corpus_id(hit.uri) for hit in ranking.hits})
        if query.relevant:
            await self._judge_retrieval(principal, query, ranking, figures, ids)
        if query.asks_answer:
            assert vector is not None  # an embedder that is away is an error where the rankings are wanted
            draft, evident = await self.drafter.draft_answer(principal, query.text, vector, ranking.hits[:k])
            citations = await self.drafter.cite_draft(principal, draft)
            _judge_answer(query, draft, evident, citations, figures)
            if evident and not draft.abstained:
                _judge_grounding(self._analyser, query, draft, figures)

    async def _judge_retrieval(
        self, principal: Principal, query: EvalQuery, ranking: Ranking, figures: _Figures, ids: dict[str, str]
    ) -> None:
        lists = {"": [hit.document_id for hit in ranking.hits]}
        lists |= {"dense": [pair[1] for pair in ranking.dense], "lexical": [pair[1] for pair in ranking.lexical]}
        for document_id in {item for ranked in lists.values() for item in ranked} - set(ids):
            ids[document_id] = _read_corpus_id((await self._catalog.document(principal, document_id)).uri)
        # A document's score is its best chunk's: its first place counts.
        ranked = {name: list(dict.fromkeys(ids[item] for item in items)) for name, items in lists.items()}
        figures.add("ndcg@10", ndcg(ranked[""], query.relevant, 10))
        figures.add("recall@10", recall(ranked[""], query.relevant, 10))
        figures.add("recall@100", recall(ranked[""], query.relevant, 100))
        figures.add("mrr@10", reciprocal_rank(ranked[""], query.relevant, 10))
        for part in ("dense", "lexical"):
            figures.add(part, ndcg(ranked[part], query.relevant, 10))


async def ingest_corpora(
    ingester: Ingester, upkeep: Upkeep, collection: str, corpora: Sequence[Path], progress: Progress
) -> dict[str, Any]:
    """Ingest corpus files. Return how many documents and chunks, and how fast."""

    async def documents() -> AsyncIterator[tuple[SourceItem, ParsedDocument]]:
        for part, corpus in zip(("set", "distractors"), corpora, strict=False):
            for key, title, text in read_corpus(corpus):
                # Set and distractors may number their passages alike.
                uri = f"eval:///{part}/{percent(key, safe='')}"
                block = Block(BlockKind.PARAGRAPH, 0, len(text))
                parsed = ParsedDocument(text, title, (block,) if text.strip() else ())
                yield SourceItem(uri, key, "", len(text.encode())), parsed

    started = time.perf_counter()
    count = chunks = 0
    async for outcome in ingester.ingest_texts(collection, documents()):
        if outcome.error:
            raise AnchorageError(f"{_read_corpus_id(outcome.uri)} could not be ingested: {outcome.error.message}")
        count += 1
        chunks += outcome.chunks
        progress("documents", count)
    while await upkeep.maintain(settled=True):
        pass
    seconds = time.perf_counter() - started
    return {"documents": count, "chunks": chunks, "chunks_per_second": round(chunks / seconds, 1)}


def _read_corpus_id(uri: str) -> str:
    """Return the id in the set. A distractor's id keeps its prefix, since a passage of the set may have the same number."""
    return unquote(uri.removeprefix("eval:///").removeprefix("set/"))


def _judge_answer(
    query: EvalQuery, draft: Draft, evident: bool, citations: Sequence[Citation], figures: _Figures
) -> None:
    if query.impossible:
        figures.impossible_abstained.append(not evident)
        return
    shown = "" if draft.abstained else draft.text
    first = draft.statements[0].claim if draft.statements else _find_first_sentence(shown)
    figures.contained.append(contains_answer(shown, query.answers))
    figures.contained_first.append(contains_answer(first, query.answers))
    figures.answered.append(evident)
    if evident:
        figures.citations += [
            _read_corpus_id(citation.uri) in query.relevant and contains_answer(citation.quote, query.answers)
            for citation in citations
        ]


def _judge_grounding(analyser: Analyser, query: EvalQuery, draft: Draft, figures: _Figures) -> None:
    """Judge the citations of every answer that would be shown, also to questions without a gold answer."""
    found = judge_citations(draft, query.text, analyser)
    figures.alce_precision += found.precision
    figures.alce_recall += found.recall
    figures.grounded += [1.0] * (draft.claims - len(draft.unsupported)) + [0.0] * len(draft.unsupported)


def _find_first_sentence(text: str) -> str:
    span = next(find_sentence_spans(text), (0, 0))
    return text[slice(*span)]


def _report_retrieval(figures: _Figures) -> dict[str, Any]:
    report: dict[str, Any] = {
        name: mean(figures.retrieval.get(name, [])) for name in ("ndcg@10", "recall@10", "recall@100", "mrr@10")
    }
    report["parts"] = {part: {"ndcg@10": mean(figures.retrieval.get(part, []))} for part in ("dense", "lexical")}
    return report


def _report_answers(figures: _Figures) -> dict[str, Any]:
    if not figures.contained and not figures.impossible_abstained:
        return {}
    wrongly = len(figures.answered) - int(np.sum(figures.answered))
    rightly = int(np.sum(figures.impossible_abstained))
    return {
        "answer": {
            "containment": mean(figures.contained),
            "containment_first": mean(figures.contained_first),
            "answered": mean(figures.answered),
            "abstain_precision": round(rightly / (rightly + wrongly), 6) if rightly + wrongly else None,
            "abstain_recall": mean(figures.impossible_abstained),
            "abstain_f1": round(2 * rightly / (rightly + wrongly + len(figures.impossible_abstained)), 6)
            if rightly + wrongly + len(figures.impossible_abstained)
            else None,
            "citation_precision": mean(figures.citations),
            "alce": {"citation_precision": mean(figures.alce_precision), "citation_recall": mean(figures.alce_recall)},
            "groundedness": mean(figures.grounded),
        }
    }
