"""The adapters against the conformance suites of their ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import RetryPolicy, open_model_client
from anchorage.adapters.models.http_reranker import HttpReranker
from anchorage.adapters.models.langchain_models import LangChainEmbedder, LangChainGenerator
from anchorage.adapters.models.local_embedding.catalogue import E5, MINILM
from anchorage.adapters.models.local_embedding.embedder import open_local_embedder
from anchorage.adapters.models.onnx_reranker import open_onnx_reranker
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.memory import PostgresMemory
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.redis.answer_cache import open_redis_answer_cache
from anchorage.adapters.s3.blobs import S3BlobStore
from anchorage.adapters.s3.client import S3
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.ports.blob import BlobStore
from anchorage.ports.cache import AnswerCache
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.reranker import Reranker
from anchorage.testing.conformance.blobs import BlobConformance
from anchorage.testing.conformance.cache import AnswerCacheConformance
from anchorage.testing.conformance.embedder import EmbedderConformance
from anchorage.testing.conformance.generator import GeneratorConformance
from anchorage.testing.conformance.memory import MemoryConformance
from anchorage.testing.conformance.reranker import RerankerConformance
from anchorage.testing.conformance.source import NAMES, SourceConformance, SourceWorld, make_content
from anchorage.testing.cross_encoder import write_cross_encoder
from anchorage.testing.fakes import HashEmbedder, ScriptedGenerator
from anchorage.testing.memory import InMemoryMemory
from anchorage.testing.model_server import Behaviour, ModelServer, model_server

FAST = RetryPolicy(2, 0.01, 0.05, 0.2)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server(Behaviour(answer="Paris is the capital.")) as running:
        yield running


class Folder:
    """A folder as a source to change."""

    def __init__(self, folder: Path) -> None:
        for name in NAMES:
            self._write(folder / name, make_content(name))
        self._folder = folder
        self.source = LocalSource(folder, max_bytes=10**6)

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    async def write(self, name: str, content: bytes) -> None:
        self._write(self._folder / name, content)

    async def remove(self, name: str) -> None:
        (self._folder / name).unlink()


class TestLocalSource(SourceConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> SourceWorld:
        return Folder(tmp_path / "folder")


class Bucket:
    """A prefix of a bucket as a source to change."""

    def __init__(self, s3: S3, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self.source = S3Source(s3, Place(bucket, "docs & more/"), max_bytes=10**6)

    async def write(self, name: str, content: bytes) -> None:
        await self._s3.call("put_object", name, self._bucket, Key=f"docs & more/{name}", Body=content)

    async def remove(self, name: str) -> None:
        await self._s3.call("delete_object", name, self._bucket, Key=f"docs & more/{name}")


class TestS3Source(SourceConformance):
    @pytest.fixture
    async def world(self, s3: S3, bucket: str) -> SourceWorld:
        world = Bucket(s3, bucket)
        for name in NAMES:
            await world.write(name, make_content(name))
        return world


class TestHashEmbedder(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashEmbedder()


class TestMiniLM(EmbedderConformance):
    @pytest.fixture
    async def embedder(self, tmp_path: Path) -> Embedder:
        return await open_local_embedder(MINILM, tmp_path, precision="auto")


class TestMultilingualE5(EmbedderConformance):
    @pytest.fixture
    async def embedder(self, tmp_path: Path) -> Embedder:
        return await open_local_embedder(E5, tmp_path, precision="auto")


class TestOpenAIEmbedder(EmbedderConformance):
    @pytest.fixture
    async def embedder(self, server: ModelServer) -> AsyncIterator[Embedder]:
        async with open_model_client() as client:
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
        async with open_model_client() as client:
            yield OpenAIGenerator(client, Endpoint(server.url), "any", retry=FAST)


class TestLangChainGenerator(GeneratorConformance):
    @pytest.fixture
    def generator(self) -> Generator:
        from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
        from langchain_core.messages import AIMessage

        chat = GenericFakeChatModel(messages=iter([AIMessage("Paris is the capital.")]))
        return LangChainGenerator(chat, "fake:chat", timeout=5)


class TestHttpReranker(RerankerConformance):
    @pytest.fixture
    async def reranker(self, server: ModelServer) -> AsyncIterator[Reranker]:
        async with open_model_client() as client:
            yield HttpReranker(client, Endpoint(server.url), "any", retry=FAST)


class TestTextEmbeddingsInference(RerankerConformance):
    @pytest.fixture
    async def reranker(self, server: ModelServer) -> AsyncIterator[Reranker]:
        server.behaviour = Behaviour(refuse="documents")
        async with open_model_client() as client:
            yield HttpReranker(client, Endpoint(server.url), "any", retry=FAST)


class TestOnnxReranker(RerankerConformance):
    @pytest.fixture(params=[1, 2])
    async def reranker(self, tmp_path: Path, request: pytest.FixtureRequest) -> Reranker:
        folder = write_cross_encoder(tmp_path / "tiny", labels=request.param)
        return await open_onnx_reranker(folder, max_tokens=64)


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


class TestS3Blobs(BlobConformance):
    @pytest.fixture
    def blobs(self, s3: S3, bucket: str) -> BlobStore:
        return S3BlobStore(s3, Place(bucket, "originals"))


class TestPostgresAnswerCache(AnswerCacheConformance):
    @pytest.fixture
    def cache(self, pool: Pool) -> AnswerCache:
        return PostgresAnswerCache(pool, ttl=60, max_entries=100)


class TestRedisAnswerCache(AnswerCacheConformance):
    @pytest.fixture
    async def cache(self, redis_url: str) -> AsyncIterator[AnswerCache]:
        async with open_redis_answer_cache(redis_url, timeout=5, ttl=60, max_entries=100) as opened:
            yield opened
