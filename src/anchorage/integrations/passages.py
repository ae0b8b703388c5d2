"""What the retrievers have in common: a search through any form of the Python API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anchorage.api import Api
from anchorage.errors import BadRequest
from anchorage.model import Hit
from anchorage.sync import Blocking


@dataclass(frozen=True, slots=True)
class PassageSearch:
    """The best `k` passages for a question, of one collection or of all."""

    api: Api | Blocking
    collection: str | None = None
    k: int | None = None

    def search(self, question: str) -> Sequence[Hit]:
        """Raises `BadRequest` where there is only an asynchronous API: its connections belong to another event loop."""
        if not isinstance(self.api, Blocking):
            raise BadRequest(
                "This retriever was given an asynchronous API. Give it anchorage.sync.Client or anchorage.sync.Anchorage, or await it."
            )
        return self.api.search(question, collection=self.collection, k=self.k)

    async def search_async(self, question: str) -> Sequence[Hit]:
        if isinstance(self.api, Blocking):
            return await asyncio.to_thread(self.search, question)
        return await self.api.search(question, collection=self.collection, k=self.k)


def hit_metadata(hit: Hit) -> Mapping[str, Any]:
    """Where a passage stands, for those who cite it."""
    return {
        "source": hit.uri, "title": hit.title, "page": hit.page, "score": hit.score, "collection": hit.collection,
        "document_id": hit.document_id, "version": hit.version, "chunk_id": hit.chunk_id, "start": hit.start, "end": hit.end,
        "heading_path": list(hit.heading_path),
    }  # fmt: skip
