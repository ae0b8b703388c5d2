"""The adapters against the conformance suites of their ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.models.http import Endpoint, RetryPolicy, model_client
from anchorage.adapters.models.langchain_models import LangChainEmbedder, LangChainGenerator
from anchorage.adapters.models.minilm import open_minilm
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.pool import Pool
from anchorage.ports.blob import BlobStore
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.testing.conformance.blobs import BlobConformance
from anchorage.testing.conformance.embedder import EmbedderConformance
from anchorage.testing.conformance.generator import GeneratorConformance
from anchorage.testing.conformance.memory import MemoryConformance
from anchorage.testing.fakes import HashEmbedder, InMemoryMemory, ScriptedGenerator
from anchorage.testing.model_server import Behaviour, ModelServer, model_server

FAST = RetryPolicy(2, 0.01, 0.05, 0.2)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server(Behaviour(answer="Paris is the capital.")) as running:
        yield running


class TestHashEmbedder(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashEmbedder()


class TestMiniLM(EmbedderConformance):
    @pytest.fixture
    async def embedder(self, tmp_path: Path) -> Embedder:
        return await open_minilm(tmp_path, precision="auto")


class TestOpenAIEmbedder(EmbedderConformance):
    @pytest.fixture
    async def embedder(self, server: ModelServer) -> AsyncIterator[Embedder]:
        async with model_client() as client:
            yield await OpenAIEmbedder.create(client, Endpoint(server.url), "any", batch_size=2, retry=FAST)


class TestLangChainEmbedder(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        class Hashed:
            async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
                return (3 * await HashEmbedder().embed_passages(texts)).tolist()

            async def aembed_query(self, text: str) -> list[float]:
                return (await HashEmbedder().embed_query(text)).tolist()

        return LangChainEmbedder(Hashed(), "fake:hashed", 64, max_tokens=256, batch_size=2, timeout=5)


class TestScriptedGenerator(GeneratorConformance):
    @pytest.fixture
    def generator(self) -> Generator:
        return ScriptedGenerator(["Paris is the capital."])


class TestOpenAIGenerator(GeneratorConformance):
    @pytest.fixture
    async def generator(self, server: ModelServer) -> AsyncIterator[Generator]:
        async with model_client() as client:
            yield OpenAIGenerator(client, Endpoint(server.url), "any", retry=FAST)


class TestLangChainGenerator(GeneratorConformance):
    @pytest.fixture
    def generator(self) -> Generator:
        from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
        from langchain_core.messages import AIMessage

        chat = GenericFakeChatModel(messages=iter([AIMessage("Paris is the capital.")]))
        return LangChainGenerator(chat, "fake:chat", timeout=5)


class TestInMemoryMemory(MemoryConformance):
    @pytest.fixture
    def memory(self) -> Memory:
        return InMemoryMemory()


class TestPostgresMemory(MemoryConformance):
    @pytest.fixture
    def memory(self, pool: Pool) -> Memory:
        return PostgresMemory(pool)


class TestFolderBlobs(BlobConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return FolderBlobStore(tmp_path / "blobs")
