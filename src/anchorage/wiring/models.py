"""Models: which embedder and which generator the settings name."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession
from pydantic import SecretStr

from anchorage.adapters.models.budget import BudgetedGenerator
from anchorage.adapters.models.fallback import BreakerEmbedder, FallbackEmbedder, FallbackGenerator
from anchorage.adapters.models.http import RetryPolicy, open_model_client
from anchorage.adapters.models.http_reranker import HttpReranker
from anchorage.adapters.models.langchain_models import LangChainEmbedder, LangChainGenerator
from anchorage.adapters.models.local_embedding.catalogue import LOCAL_MODELS, LocalModel
from anchorage.adapters.models.local_embedding.embedder import open_local_embedder
from anchorage.adapters.models.local_embedding.files import choose_default_model
from anchorage.adapters.models.onnx_reranker import open_onnx_reranker
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.chat.retrieval.rerank import Reranking
from anchorage.errors import ConfigurationError
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.ports.reranker import Reranker
from anchorage.ports.usage import Allowance, Ledger
from anchorage.settings import Settings
from anchorage.settings.model_sections import RerankSettings
from anchorage.settings.sections import EmbeddingSettings, LlmFallback, LlmSettings
from anchorage.wiring.providers import (
    EMBEDDING,
    LLM,
    RERANK,
    configured_provider,
    endpoint_of,
    first_configured,
    required,
)

_DEFAULT_MODELS = {"openai": "gpt-4o-mini", "ollama": "llama3.2"}


def open_client(settings: Settings) -> ClientSession:
    """The pooled client that all model servers share."""
    return open_model_client(settings.llm.connect_timeout, max_connections=settings.llm.connections)


def open_generator(llm: LlmSettings, client: ClientSession, ledger: Ledger | None = None) -> Generator | None:
    """The generator that the settings name, with its fallbacks; None where they name none. Raises `ConfigurationError`.

    Budgets of models are kept to where there is a ledger.
    """
    provider = configured_provider(llm)
    if provider == "none":
        return None
    first = _within_budget(_generator(llm, provider, llm.model, client), llm, llm.max_tokens, ledger)
    if not llm.fallbacks:
        return first
    others = [
        _within_budget(_fallback(llm, fallback, client), fallback, llm.max_tokens, ledger) for fallback in llm.fallbacks
    ]
    return FallbackGenerator([first, *others], failures=llm.breaker_failures, pause=llm.breaker_pause)


def _within_budget(
    generator: Generator, budget: LlmSettings | LlmFallback, max_tokens: int, ledger: Ledger | None
) -> Generator:
    allowance = Allowance(daily_cost=budget.daily_cost, daily_tokens=budget.daily_tokens)
    if ledger is None or allowance == Allowance():
        return generator
    return BudgetedGenerator(generator, ledger, allowance, max_tokens)


def _fallback(llm: LlmSettings, fallback: LlmFallback, client: ClientSession) -> Generator:
    own = {
        name: value
        for name in ("first_token_timeout", "idle_timeout", "retries")
        if (value := getattr(fallback, name)) is not None
    }
    return _generator(
        llm.model_copy(update=own), fallback.provider, fallback.model, client, fallback.base_url, fallback.api_key
    )


def _generator(
    llm: LlmSettings,
    provider: str,
    model: str | None,
    client: ClientSession,
    base_url: str | None = None,
    api_key: SecretStr | None = None,
) -> Generator:
    if provider == "langchain":
        return LangChainGenerator.open(
            required(model, "LLM_MODEL", "a model as `provider:model`"), temperature=llm.temperature,
            max_tokens=llm.max_tokens, timeout=llm.first_token_timeout,
        )  # fmt: skip
    return OpenAIGenerator(
        client,
        endpoint_of(llm, provider, LLM, base_url, api_key),
        model or required(_DEFAULT_MODELS.get(provider), "LLM_MODEL", "the name of a model"),
        max_tokens=llm.max_tokens,
        temperature=llm.temperature,
        first_token_timeout=llm.first_token_timeout,
        idle_timeout=llm.idle_timeout,
        retry=RetryPolicy(llm.retries),
    )


async def open_embedder(settings: Settings, client: ClientSession) -> Embedder:
    """The embedder that the settings name; the local one where they name none.

    Raises `ConfigurationError`, and `ModelUnavailable` or `ModelError` where a server must be asked for the vectors' length.
    """
    embedding, llm = settings.embedding, settings.llm
    provider = _embedding_provider(embedding, llm)
    if provider == "local":
        return await open_local_embedder(
            _local_model(embedding),
            settings.data.dir / "models",
            precision=embedding.precision,
            threads=embedding.threads,
        )
    model = required(embedding.model, "EMBEDDING_MODEL", "the name of an embedding model")
    if provider == "langchain":
        return await LangChainEmbedder.open(
            model, dimension=embedding.dimension, max_tokens=embedding.max_tokens, batch_size=embedding.batch_size,
            timeout=embedding.timeout,
        )  # fmt: skip
    options = {
        "max_tokens": embedding.max_tokens,
        "batch_size": embedding.batch_size,
        "timeout": embedding.timeout,
        "query_timeout": embedding.query_timeout,
        "query_wait": embedding.query_wait,
        "retry": RetryPolicy(embedding.retries, longest_wait=embedding.longest_wait),
    }
    key = embedding.api_key or (llm.api_key if embedding.base_url else None)
    endpoint = endpoint_of(llm, provider, EMBEDDING, embedding.base_url, key)
    first = await OpenAIEmbedder.create(client, endpoint, model, dimension=embedding.dimension, **options)  # type: ignore[arg-type]
    failures, pause = llm.breaker_failures, llm.breaker_pause
    if not embedding.fallbacks:
        return BreakerEmbedder(first, failures=failures, pause=pause)
    endpoints = [endpoint_of(llm, "compatible", EMBEDDING, item.base_url, item.api_key) for item in embedding.fallbacks]
    others = [
        await OpenAIEmbedder.create(client, endpoint, model, dimension=first.dimension, **options)  # type: ignore[arg-type]
        for endpoint in endpoints
    ]
    chain = FallbackEmbedder([first, *others], failures=failures, pause=pause)
    return BreakerEmbedder(chain, failures=failures, pause=pause)


def shorten_timeout(settings: Settings, embedder: Embedder) -> tuple[Embedder, float]:
    """An embedder for sentences of an answer, which somebody waits for, and the seconds after which it is given up, fallbacks and all."""
    each = settings.embedding.query_timeout
    if not isinstance(embedder, BreakerEmbedder):
        return embedder, each
    return embedder.with_query_timeout(), each * (1 + len(settings.embedding.fallbacks)) + 1


def _local_model(embedding: EmbeddingSettings) -> LocalModel:
    if embedding.model is None:
        return choose_default_model()
    if embedding.model not in LOCAL_MODELS:
        raise ConfigurationError(
            f"EMBEDDING_MODEL is {embedding.model!r}, which does not run here. Local ones are {', '.join(LOCAL_MODELS)}; for a "
            "server's, set ANCHORAGE_EMBEDDING__PROVIDER to its kind."
        )
    return LOCAL_MODELS[embedding.model]


def _embedding_provider(embedding: EmbeddingSettings, llm: LlmSettings) -> str:
    if embedding.provider is not None:
        return embedding.provider
    if embedding.model is None or embedding.model in LOCAL_MODELS:
        return "local"
    if embedding.base_url:
        return "compatible"
    found = configured_provider(llm)
    if found in ("none", "langchain"):  # the generator's choice, which is not one for embeddings
        found = first_configured(llm)
    return "openai" if found == "none" else found


async def open_reranking(settings: Settings, client: ClientSession) -> Reranking | None:
    """The reranker that the settings name, with its bounds; None where they name none. Raises `ConfigurationError`."""
    rerank = settings.rerank
    if not rerank.model:
        return None
    folder = Path(rerank.model).expanduser()
    provider = rerank.provider or _rerank_provider(rerank, settings.llm, folder)
    reranker: Reranker
    if provider == "local":
        reranker = await open_onnx_reranker(folder, max_tokens=rerank.max_tokens, threads=rerank.threads)
    else:
        endpoint = endpoint_of(settings.llm, provider, RERANK, rerank.base_url, rerank.api_key)
        reranker = HttpReranker(
            client, endpoint, rerank.model, rerank.shape, timeout=rerank.deadline, retry=RetryPolicy(rerank.retries)
        )
    return Reranking(reranker, rerank.candidates, rerank.deadline)


def _rerank_provider(rerank: RerankSettings, llm: LlmSettings, folder: Path) -> str:
    if rerank.base_url:
        return "compatible"
    if folder.is_dir():
        return "local"
    if llm.fpt_api_key:
        return "fpt"
    raise ConfigurationError(
        f"RERANK_MODEL is {rerank.model!r}, which is no folder, and no server is named to ask for it. Set "
        "ANCHORAGE_RERANK__BASE_URL, or ANCHORAGE_RERANK__PROVIDER to cohere, jina or fpt."
    )
