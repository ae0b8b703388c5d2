"""What the model server of the tests answers besides chat and embeddings: rerank scores and moderation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

RERANK = "/v1/rerank"
MODERATIONS = "/v1/moderations"
_WORD = re.compile(r"\w+")


def measure_overlap(question: str, text: str) -> float:
    """The share of the question's words that the text holds."""
    wanted = set(_WORD.findall(question.lower()))
    return len(wanted & set(_WORD.findall(text.lower()))) / len(wanted) if wanted else 0.0


def rerank_documents(body: Mapping[str, Any]) -> Any:
    """Scores by words in common: in Cohere's and Jina's shape for `documents`, in that of TEI for `texts`."""
    texts = body.get("documents") or body.get("texts") or ()
    scores = sorted(((measure_overlap(body["query"], text), -index) for index, text in enumerate(texts)), reverse=True)
    if "texts" in body:
        return [{"index": -index, "score": score} for score, index in scores]
    top = scores[: body.get("top_n", len(scores))]
    return {
        "id": "rerank-test",
        "results": [{"index": -index, "relevance_score": score} for score, index in top],
        "usage": {"total_tokens": sum(len(text.split()) for text in texts)},
    }


def moderate_input(body: Mapping[str, Any], unsafe: str) -> Any:
    """OpenAI's shape; `violence` is flagged where the input holds `unsafe`."""
    found = bool(unsafe) and unsafe.lower() in str(body.get("input", "")).lower()
    categories = {"violence": found, "hate": False}
    scores = {name: 0.99 if flagged else 0.001 for name, flagged in categories.items()}
    result = {"flagged": found, "categories": categories, "category_scores": scores}
    return {"id": "modr-test", "model": body.get("model"), "results": [result]}
