"""The retrievers for other frameworks, over a real search."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import anchorage.sync
from anchorage import Anchorage
from anchorage.errors import BadRequest, NotFound

QUESTION = "When was the harbour of Ghent opened?"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, papers: Path) -> Path:
    folder = tmp_path_factory.mktemp("integrations")
    with anchorage.sync.Anchorage.open(data=folder) as opened:
        opened.ingest(papers)
    return folder


@pytest.fixture
def api(data: Path) -> Iterator[anchorage.sync.Anchorage]:
    with anchorage.sync.Anchorage.open(data=data) as opened:
        yield opened


async def test_langchain(api: anchorage.sync.Anchorage, data: Path) -> None:
    pytest.importorskip("langchain_core")
    from anchorage.integrations.langchain import AnchorageRetriever

    retriever = AnchorageRetriever(api=api, collection="default", k=1)
    (document,) = retriever.invoke(QUESTION)
    assert "1827" in document.page_content and document.id
    assert document.metadata["source"].endswith("harbour.txt") and document.metadata["score"] > 0
    assert await retriever.ainvoke(QUESTION) == [document]
    chain = retriever | (lambda documents: [item.metadata["title"] for item in documents])
    assert chain.invoke(QUESTION) == [document.metadata["title"]]
    with pytest.raises(NotFound):
        AnchorageRetriever(api=api, collection="nosuch").invoke(QUESTION)
    async with Anchorage.open(data=data) as opened:
        awaited = AnchorageRetriever(api=opened, k=1)
        assert (await awaited.ainvoke(QUESTION))[0].id == document.id
        with pytest.raises(BadRequest, match=r"anchorage\.sync"):
            awaited.invoke(QUESTION)


async def test_llamaindex(api: anchorage.sync.Anchorage, data: Path) -> None:
    pytest.importorskip("llama_index.core", reason="it is in no lock: pip install llama-index-core")
    from anchorage.integrations.llamaindex import AnchorageRetriever

    retriever = AnchorageRetriever(api, collection="default", k=1)
    (found,) = retriever.retrieve(QUESTION)
    assert "1827" in found.node.get_content() and found.score and found.node.metadata["title"] == "harbour"
    assert [item.node.node_id for item in await retriever.aretrieve(QUESTION)] == [found.node.node_id]
    async with Anchorage.open(data=data) as opened:
        awaited = AnchorageRetriever(opened, k=1)
        assert [item.node.node_id for item in await awaited.aretrieve(QUESTION)] == [found.node.node_id]
        with pytest.raises(BadRequest, match=r"anchorage\.sync"):
            awaited.retrieve(QUESTION)
