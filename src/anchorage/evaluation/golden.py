"""Judges an index version by a golden set: questions with the documents of the collection that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anchorage.chat.retrieval.retrieve import Retriever
from anchorage.errors import BadRequest
from anchorage.evaluation.dataset import EvalQuery, read_queries
from anchorage.evaluation.metrics import mean, ndcg, recall
from anchorage.model import Hit, Principal

_DEPTH = 100


@dataclass(frozen=True, slots=True)
class IndexComparison:
    """nDCG@10 and recall@10 of two versions over the judged questions."""

    questions: int
    before: dict[str, float | None]
    after: dict[str, float | None]

    def compute_loss(self) -> float:
        """How much nDCG@10 the new version loses; negative where it gains."""
        return (self.before["ndcg@10"] or 0) - (self.after["ndcg@10"] or 0)

    def report(self) -> dict[str, Any]:
        return {"questions": self.questions, "before": self.before, "after": self.after}


def read_golden(folder: Path) -> list[EvalQuery]:
    """The questions of queries.jsonl that qrels.tsv judges; documents by id, by uri, or by the last part of their uri.

    Raises `BadRequest`.
    """
    judged = [query for query in read_queries(folder) if query.relevant]
    if not judged:
        raise BadRequest(f"{folder} holds no question that its qrels.tsv judges.")
    return judged


async def compare_index_versions(
    retriever: Retriever, principal: Principal, collection: str, queries: list[EvalQuery], before: int, after: int
) -> IndexComparison:
    """Ask both index versions all questions. Raises `BadRequest` when the collection holds none of the judged documents."""
    figures = [
        await _measure_version(retriever, principal, collection, queries, index_id) for index_id in (before, after)
    ]
    if not any(item["recall@100"] for item in figures):
        raise BadRequest(
            f"None of the documents that the golden set names was found in {collection!r}. Name documents in qrels.tsv by their "
            "id, their uri, or the last part of it."
        )
    return IndexComparison(len(queries), *figures)


async def _measure_version(
    retriever: Retriever, principal: Principal, collection: str, queries: list[EvalQuery], index_id: int
) -> dict[str, float | None]:
    found: dict[str, list[float]] = {"ndcg@10": [], "recall@10": [], "recall@100": []}
    for query in queries:
        ranking, _ = await retriever.retrieve(principal, query.text, [collection], _DEPTH, index_id=index_id)
        ranked = list(dict.fromkeys(_find_judged_name(hit, query) for hit in ranking.hits))
        found["ndcg@10"].append(ndcg(ranked, query.relevant, 10))
        for depth in (10, 100):
            found[f"recall@{depth}"].append(recall(ranked, query.relevant, depth))
    return {name: mean(values) for name, values in found.items()}


def _find_judged_name(hit: Hit, query: EvalQuery) -> str:
    names = (hit.document_id, hit.uri, hit.uri.rstrip("/").rsplit("/", 1)[-1])
    return next((name for name in names if name in query.relevant), hit.document_id)
