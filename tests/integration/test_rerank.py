"""Reranking: servers that fail, folders that hold no model, and an order that is never worse for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import RetryPolicy, open_model_client
from anchorage.adapters.models.http_reranker import HttpReranker
from anchorage.adapters.models.onnx_reranker import open_onnx_reranker
from anchorage.chat.retrieval.rerank import Reranking, rerank_hits
from anchorage.errors import AnchorageError, ConfigurationError, ModelError, ModelUnavailable
from anchorage.model import Block, BlockKind, Hit, ParsedDocument, SourceItem
from anchorage.settings import load_settings
from anchorage.telemetry import REGISTRY
from anchorage.testing.cross_encoder import write_cross_encoder
from anchorage.testing.model_server import Behaviour, ModelServer, model_server
from anchorage.wiring.models import open_client, open_reranking
from support.asking import retrieve

from .conftest import World

FAST = RetryPolicy(2, 0.01, 0.05, 0.2)
PASSAGES = ("the harbour opened in may", "cats eat fish")


def hits(count: int = 4) -> list[Hit]:
    return [
        Hit(f"c{n}", f"d{n}", "v", "default", f"file:///{n}", "T", 0, 4, 0.9 - n / 100, f"text {n}")
        for n in range(count)
    ]


def degradations() -> float:
    return REGISTRY.get_sample_value("anchorage_degradations_total", {"which": "not_reranked"}) or 0.0


@dataclass
class Scripted:
    """A reranker with given scores."""

    scores: Sequence[float] | AnchorageError
    model: str = "scripted"

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        if isinstance(self.scores, AnchorageError):
            raise self.scores
        return self.scores

    async def ping(self) -> str:
        return "available"


async def test_the_order_and_the_scores_are_the_rerankers() -> None:
    found = await rerank_hits(Reranking(Scripted([0.1, 0.7, 0.3]), 3, 1), "q", hits())
    assert [hit.chunk_id for hit in found] == ["c1", "c2", "c0", "c3"]
    assert [hit.score for hit in found] == [0.7, 0.3, 0.1, 0.1]


@pytest.mark.parametrize(
    "scores", [[0.1], [0.1, float("nan"), 0.3, 0.4], ModelUnavailable("away"), ModelError("nonsense")]
)
async def test_whatever_fails_the_order_stays(scores: Sequence[float] | AnchorageError) -> None:
    before, counted = hits(), degradations()
    assert await rerank_hits(Reranking(Scripted(scores), 10, 1), "q", before) == before
    assert degradations() == counted + 1


async def test_one_hit_needs_no_reranker() -> None:
    assert await rerank_hits(Reranking(Scripted(ModelError("not asked")), 10, 1), "q", hits(1)) == hits(1)


async def test_a_server_that_hangs_costs_the_deadline() -> None:
    counted = degradations()
    async with model_server(Behaviour(fault="hang")) as server, open_model_client() as client:
        reranker = HttpReranker(client, Endpoint(server.url), "any", timeout=30)
        assert await rerank_hits(Reranking(reranker, 10, 0.1), "q", hits()) == hits()
        await server.until(lambda running: running.disconnects == 1)  # nothing goes on behind the question's back
    assert degradations() == counted + 1


@pytest.fixture
async def server() -> ModelServer:  # type: ignore[misc]
    async with model_server() as running:
        yield running


async def scores(server: ModelServer, passages: Sequence[str] = PASSAGES) -> Sequence[float]:
    async with open_model_client(1.0) as client:
        endpoint = Endpoint(
            server.url, "sk-secret", "ANCHORAGE_RERANK__BASE_URL", "ANCHORAGE_RERANK__API_KEY", "RERANK_MODEL"
        )
        return await HttpReranker(client, endpoint, "ranker", retry=FAST, timeout=0.5).score(
            "what do cats eat", passages
        )


@pytest.mark.parametrize("status", [429, 503])
async def test_what_may_pass_is_tried_again(server: ModelServer, status: int) -> None:
    server.script(Behaviour(status=status, retry_after="0.01"))
    assert (await scores(server))[1] > 0
    assert server.count("/v1/rerank") == 2
    assert server.bodies("/v1/rerank")[0] == {
        "model": "ranker", "query": "what do cats eat", "documents": list(PASSAGES), "top_n": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (Behaviour(status=401, message="bad key sk-secret"), ModelError, "ANCHORAGE_RERANK__API_KEY"),
        (Behaviour(status=404, message="no such model"), ModelError, "RERANK_MODEL"),
        (Behaviour(status=503), ModelUnavailable, "503"),
        (Behaviour(fault="html"), ModelError, "ANCHORAGE_RERANK__BASE_URL"),
        (Behaviour(fault="nonsense"), ModelError, "ANCHORAGE_RERANK__BASE_URL"),
        (Behaviour(fault="hang"), ModelUnavailable, "ANCHORAGE_RERANK__DEADLINE"),
    ],
)
async def test_failures_say_what_to_do(
    server: ModelServer, behaviour: Behaviour, error: type[AnchorageError], words: str
) -> None:
    server.behaviour = behaviour
    with pytest.raises(error, match=words) as raised:
        await scores(server)
    assert "sk-secret" not in raised.value.message


async def test_texts_are_learned_from_the_refusal_and_come_in_small_requests(server: ModelServer) -> None:
    server.behaviour = Behaviour(refuse="documents")
    found = await scores(server, [*PASSAGES * 20])
    assert len(found) == 40 and found[0] < found[1]
    sent = [len(body["texts"]) for body in server.bodies("/v1/rerank") if "texts" in body]
    assert sorted(sent) == [8, 32]


@pytest.mark.parametrize("missing", ["tokenizer.json", "onnx/model.onnx"])
async def test_a_folder_without_a_model_is_named(tmp_path: Path, missing: str) -> None:
    folder = write_cross_encoder(tmp_path / "tiny")
    (folder / missing).unlink()
    with pytest.raises(ConfigurationError, match="holds no reranker"):
        await open_onnx_reranker(folder, max_tokens=64)


async def test_a_folder_with_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cross-encoder"):
        await open_onnx_reranker(write_cross_encoder(tmp_path / "three", labels=3), max_tokens=64)
    folder = write_cross_encoder(tmp_path / "broken")
    (folder / "onnx/model.onnx").write_bytes(b"no graph")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        await open_onnx_reranker(folder, max_tokens=64)


async def test_what_the_settings_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def opened() -> Reranking | None:
        settings = load_settings()
        async with open_client(settings) as client:
            return await open_reranking(settings, client)

    assert await opened() is None
    monkeypatch.setenv("RERANK_MODEL", str(write_cross_encoder(tmp_path / "tiny")))
    local = await opened()
    assert local and local.reranker.model == "tiny" and local.candidates == 50
    monkeypatch.setenv("RERANK_MODEL", "bge-reranker-v2-m3")
    with pytest.raises(ConfigurationError, match="ANCHORAGE_RERANK__BASE_URL"):
        await opened()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    for env, address, key in (
        ({"FPT_API_KEY": "fk"}, "https://mkp-api.fptcloud.com/v1", "fk"),
        ({"ANCHORAGE_RERANK__PROVIDER": "cohere", "ANCHORAGE_RERANK__API_KEY": "ck"}, "https://api.cohere.com/v2", "ck"),
        ({"ANCHORAGE_RERANK__PROVIDER": "jina"}, "https://api.jina.ai/v1", "ck"),
        ({"ANCHORAGE_RERANK__PROVIDER": "", "ANCHORAGE_RERANK__API_KEY": "",
          "ANCHORAGE_RERANK__BASE_URL": "http://gpu:8080/v1"}, "http://gpu:8080/v1", None),
    ):  # fmt: skip
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        found = await opened()
        assert found and found.reranker.endpoint.base_url == address  # type: ignore[attr-defined]
        assert found.reranker.endpoint.api_key == key  # type: ignore[attr-defined]


async def test_retrieval_reads_more_candidates_than_it_returns(world: World) -> None:
    async def documents():  # type: ignore[no-untyped-def]
        for number in range(12):
            text = f"Cats of town {number} eat fish."
            yield (
                SourceItem(f"eval:///{number}", str(number), "", len(text)),
                ParsedDocument(text, f"Town {number}", (Block(BlockKind.PARAGRAPH, 0, len(text)),)),
            )

    await world.catalog.open_collection(world.principal, "default", world.ingest.index)
    async for _ in world.ingester.ingest_texts("default", documents()):
        pass
    plain, _ = await retrieve(world.chat, world.principal, "cats of town 11", None, 12)
    last = plain.hits[-1]

    @dataclass
    class LastFirst(Scripted):
        async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
            return [number / len(passages) for number in range(len(passages))]

    chat = replace(world.chat, reranking=Reranking(LastFirst([]), 50, 1))
    turned, _ = await retrieve(chat, world.principal, "cats of town 11", None, 3)
    assert len(turned.hits) == 3 and turned.hits[0].chunk_id == last.chunk_id
