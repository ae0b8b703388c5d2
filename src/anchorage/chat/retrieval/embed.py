"""embed: turns questions into vectors, on the principal's account."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.model import EmbedderSpec, Principal, Usage
from anchorage.ports.embedder import Embedder, Embedders


class QuestionEmbedder:
    """Embeds questions with the embedders that collections were indexed with."""

    def __init__(self, default: Embedder, embedders: Embedders, usage: UsageRecorder) -> None:
        self._default, self._embedders, self._usage = default, embedders, usage

    @property
    def spec(self) -> EmbedderSpec:
        """Of the default embedder."""
        return self._default.spec

    async def embed_question(
        self, principal: Principal, question: str, spec: EmbedderSpec | None = None, *, within_budget: bool = False
    ) -> NDArray[Any]:
        """Return a question's vector, shape (dimension,), by the default embedder unless `spec` names another.

        `within_budget`: raise `BudgetExceeded` before another paid embedder is used by a principal whose budget is spent. The default
        one was checked before. Raises what embedders raise.
        """
        embedder = self._default
        if spec is not None and spec != self.spec:
            if within_budget:
                await self._usage.check_budget(principal, spec)
            embedder = await self._embedders.of(spec)
        vector = await embedder.embed_query(question)
        if self._usage.is_metered(embedder.spec):
            tokens = min(len(embedder.token_starts(question)), embedder.max_tokens)
            self._usage.record_usage(principal, Usage(embedder.spec.name, tokens))
        return vector
