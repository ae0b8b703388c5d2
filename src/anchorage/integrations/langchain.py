"""A LangChain retriever over Anchorage's search: `pip install anchorage[langchain]`."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from anchorage.integrations.passages import PassageSearch, hit_metadata
from anchorage.model import Hit


class AnchorageRetriever(BaseRetriever):
    """The passages of Anchorage as LangChain's documents; `metadata` says where each stands, with its score.

    `api` is `anchorage.sync.Client` or `anchorage.sync.Anchorage`, which work in both ways, or `anchorage.Client` or
    `anchorage.Anchorage` for `ainvoke` alone. Raises what their `search` raises.
    """

    api: Any
    collection: str | None = None
    k: int | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [_document(hit) for hit in PassageSearch(self.api, self.collection, self.k).search(query)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [_document(hit) for hit in await PassageSearch(self.api, self.collection, self.k).search_async(query)]


def _document(hit: Hit) -> Document:
    return Document(id=hit.chunk_id, page_content=hit.text, metadata=dict(hit_metadata(hit)))
