"""A LlamaIndex retriever over Anchorage's search: `pip install anchorage[llamaindex]`."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from anchorage.api import Api
from anchorage.integrations.passages import PassageSearch, hit_metadata
from anchorage.model import Hit
from anchorage.sync import Blocking


class AnchorageRetriever(BaseRetriever):  # type: ignore[misc]  # it is not installed where types are checked
    """The passages of Anchorage as LlamaIndex's nodes; `metadata` says where each stands.

    `api` is `anchorage.sync.Client` or `anchorage.sync.Anchorage`, which work in both ways, or `anchorage.Client` or
    `anchorage.Anchorage` for `aretrieve` alone. Raises what their `search` raises.
    """

    def __init__(
        self, api: Api | Blocking, *, collection: str | None = None, k: int | None = None, **more: Any
    ) -> None:
        self._search = PassageSearch(api, collection, k)
        super().__init__(**more)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in self._search.search(query_bundle.query_str)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in await self._search.search_async(query_bundle.query_str)]


def _node(hit: Hit) -> NodeWithScore:
    node = TextNode(id_=hit.chunk_id, text=hit.text, metadata=dict(hit_metadata(hit)))
    # A model and an embedder need the title; the rest is for citing.
    node.excluded_llm_metadata_keys = node.excluded_embed_metadata_keys = [
        key for key in node.metadata if key != "title"
    ]
    return NodeWithScore(node=node, score=hit.score)
