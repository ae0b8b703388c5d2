"""Rerank APIs over HTTP, in the two shapes that servers have.

documents   POST /rerank {model, query, documents, top_n}  ->  {"results": [{"index", "relevance_score"}]}
Cohere (v1, v2), Jina, FPT Cloud, vLLM, llama.cpp, LiteLLM, Infinity; Voyage says "data" for "results"
texts       POST /rerank {query, texts, truncate}          ->  [{"index", "score"}]
Hugging Face's text-embeddings-inference (TEI), which takes 32 texts at once by default
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import ClientSession

from anchorage.adapters.models.calls import JsonCall
from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import CallFailed, RetryPolicy, make_format_error, ping_server
from anchorage.errors import ConfigurationError, ModelError

_RERANK_PATH = "rerank"
Shape = Literal["documents", "texts"]
_MAX_PASSAGES = {"documents": 100, "texts": 32}
_TIMEOUT_SETTING = "ANCHORAGE_RERANK__DEADLINE"


@dataclass(frozen=True)
class HttpReranker:
    """A `Reranker` over `POST /rerank`. The client is shared and belongs to the caller.

    Without a shape, `documents` is tried, and `texts` is learned from a refusal that asks for it. More passages than the
    server takes at once go in several requests, at the same time: a cross-encoder judges each passage for itself.
    """

    client: ClientSession = field(repr=False)
    endpoint: Endpoint
    model: str
    shape: Shape | None = None
    timeout: float = 10.0
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(1))
    ping_timeout: float = 2.0
    _learned_shape: list[Shape] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ConfigurationError(
                f"No rerank model is named for the model server at {self.endpoint.shown}. Set {self.endpoint.model_setting}."
            )

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """Scores from 0 to 1. Those outside (logits, of llama.cpp and some models) are mapped by the logistic function."""
        if not passages:
            return []
        most = _MAX_PASSAGES[self._current_shape]
        parts = [passages[start : start + most] for start in range(0, len(passages), most)]
        found = await asyncio.gather(*(self._score_part(question, part) for part in parts))
        scores = [score for part in found for score in part]
        if all(0 <= score <= 1 for score in scores):
            return scores
        return [1 / (1 + math.exp(-max(-60.0, min(60.0, score)))) for score in scores]

    async def ping(self) -> str:
        """See `http.ping_server`: no paid call."""
        return await ping_server(self.client, self.endpoint, self.ping_timeout, below_v1=False)

    @property
    def _current_shape(self) -> Shape:
        return self.shape or (self._learned_shape[0] if self._learned_shape else "documents")

    async def _score_part(self, question: str, passages: Sequence[str]) -> list[float]:
        attempt = 0
        call = JsonCall(
            self.client, self.endpoint, _RERANK_PATH, self.model, self.timeout, _TIMEOUT_SETTING, self.retry
        )  # fmt: skip
        while True:
            shape = self._current_shape
            try:
                reply = await call.request_once(
                    self._build_payload(shape, question, passages), f"scores for {len(passages)} passages"
                )
                return self._parse_scores(reply, len(passages))
            except CallFailed as failed:
                if self.shape is None and shape == "documents" and _asks_for_texts(failed):
                    self._learned_shape[:] = ["texts"]
                    if len(passages) > _MAX_PASSAGES["texts"]:
                        return list(await self.score(question, passages))
                    continue
                await call.back_off(failed, attempt)
                attempt += 1

    def _build_payload(self, shape: Shape, question: str, passages: Sequence[str]) -> dict[str, Any]:
        if shape == "texts":
            return {"query": question, "texts": list(passages), "truncate": True}
        return {"model": self.model, "query": question, "documents": list(passages), "top_n": len(passages)}

    def _parse_scores(self, reply: Any, expected: int) -> list[float]:
        """The scores in the order of the passages. Raises `CallFailed`, or `ModelError` where some are missing."""
        try:
            items = reply if isinstance(reply, list) else reply.get("results") or reply["data"]
            found = {
                int(item["index"]): float(item["relevance_score"] if "relevance_score" in item else item["score"])
                for item in items
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise make_format_error(self.endpoint, b"") from error
        if sorted(found) != list(range(expected)) or not all(map(math.isfinite, found.values())):
            raise ModelError(
                f"The rerank model {self.model!r} at {self.endpoint.shown} did not score each of {expected} passages. "
                "Check that RERANK_MODEL names a rerank model, and look at its server's log."
            )
        return [found[index] for index in range(expected)]


def _asks_for_texts(failed: CallFailed) -> bool:
    return failed.status in (400, 422) and "texts" in failed.text
