"""Models: which embedder and which generator the settings name."""

from __future__ import annotations

import httpx

from anchorage.adapters.models.http import OPENAI_URL, Endpoint, RetryPolicy, model_client
from anchorage.adapters.models.langchain_models import LangChainEmbedder, LangChainGenerator
from anchorage.adapters.models.minilm import MODEL as LOCAL_MODEL
from anchorage.adapters.models.minilm import open_minilm
from anchorage.adapters.models.openai_client import OpenAIGenerator
from anchorage.adapters.models.openai_embedder import OpenAIEmbedder
from anchorage.errors import ConfigurationError
from anchorage.ports.embedder import Embedder
from anchorage.ports.llm import Generator
from anchorage.settings import Settings
from anchorage.settings.sections import LlmSettings

_DEFAULT_MODELS = {"openai": "gpt-4o-mini", "ollama": "llama3.2"}


def open_client(settings: Settings) -> httpx.AsyncClient:
    """The pooled client that all model servers share."""
    return model_client(settings.llm.connect_timeout)


def open_generator(llm: LlmSettings, client: httpx.AsyncClient) -> Generator | None:
    """The generator that the settings name; None where they name none. Raises `ConfigurationError`."""
    provider = _llm_provider(llm)
    if provider == "none":
        return None
    if provider == "langchain":
        return LangChainGenerator.open(
            required(llm.model, "LLM_MODEL", "a model as `provider:model`"), temperature=llm.temperature,
            max_tokens=llm.max_tokens, timeout=llm.first_token_timeout,
        )  # fmt: skip
    return OpenAIGenerator(
        client,
        _endpoint(llm, provider, "LLM_MODEL"),
        llm.model or required(_DEFAULT_MODELS.get(provider), "LLM_MODEL", "the name of a model"),
        max_tokens=llm.max_tokens,
        temperature=llm.temperature,
        first_token_timeout=llm.first_token_timeout,
        idle_timeout=llm.idle_timeout,
        retry=RetryPolicy(llm.retries),
    )


def _llm_provider(llm: LlmSettings) -> str:
    if llm.provider != "auto":
        return llm.provider
    if llm.api_key or llm.base_url:
        return "openai"
    if llm.ollama_host:
        return "ollama"
    return "fpt" if llm.fpt_api_key or llm.fpt_base_url else "none"


def _endpoint(llm: LlmSettings, provider: str, model_setting: str) -> Endpoint:
    """Where a provider's server is. Raises `ConfigurationError`."""
    if provider == "ollama":
        return Endpoint.ollama(llm.ollama_host or "localhost", model_setting=model_setting)
    if provider == "fpt":
        url = required(llm.fpt_base_url, "FPT_BASE_URL", "the address of FPT Cloud's OpenAI-compatible API")
        key = llm.fpt_api_key.get_secret_value() if llm.fpt_api_key else None
        return Endpoint(url, key, "FPT_BASE_URL", "FPT_API_KEY", model_setting)
    key = llm.api_key.get_secret_value() if llm.api_key else None
    if not key and not llm.base_url:
        raise ConfigurationError(
            "OpenAI is asked for, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set. Set one of them."
        )
    return Endpoint(llm.base_url or OPENAI_URL, key, model_setting=model_setting)


def required(value: str | None, setting: str, what: str) -> str:
    if not value:
        raise ConfigurationError(f"{setting} is not set. Set it to {what}.")
    return value


async def open_embedder(settings: Settings, client: httpx.AsyncClient) -> Embedder:
    """The embedder that the settings name; the local one where they name none.

    Raises `ConfigurationError`, and `ModelUnavailable` or `ModelError` where a server must be asked for the vectors' length.
    """
    embedding, llm = settings.embedding, settings.llm
    provider = embedding.provider
    if provider is None and embedding.model not in (None, LOCAL_MODEL):
        provider = (
            "openai" if embedding.base_url or llm.api_key or llm.base_url else "ollama" if llm.ollama_host else "openai"
        )
    if provider in (None, "local"):
        return await open_minilm(settings.data.dir / "models", precision=embedding.precision, threads=embedding.threads)
    model = required(embedding.model, "EMBEDDING_MODEL", "the name of an embedding model")
    if provider == "langchain":
        return await LangChainEmbedder.open(
            model, dimension=embedding.dimension, max_tokens=embedding.max_tokens, batch_size=embedding.batch_size,
            timeout=embedding.timeout,
        )  # fmt: skip
    if embedding.base_url:
        key = embedding.api_key or llm.api_key
        endpoint = Endpoint(
            embedding.base_url, key.get_secret_value() if key else None, "ANCHORAGE_EMBEDDING__BASE_URL",
            "ANCHORAGE_EMBEDDING__API_KEY", "EMBEDDING_MODEL",
        )  # fmt: skip
    else:
        endpoint = _endpoint(llm, provider, "EMBEDDING_MODEL")
    return await OpenAIEmbedder.create(
        client, endpoint, model, dimension=embedding.dimension, max_tokens=embedding.max_tokens,
        batch_size=embedding.batch_size, timeout=embedding.timeout,
    )  # fmt: skip
