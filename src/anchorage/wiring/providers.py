"""Providers: where each one's server is, for whichever role its model plays."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from anchorage.adapters.models.endpoint import OPENAI_URL, Endpoint
from anchorage.errors import ConfigurationError
from anchorage.settings.sections import LlmSettings

FPT_URL = "https://mkp-api.fptcloud.com/v1"
RERANK_URLS = {"cohere": "https://api.cohere.com/v2", "jina": "https://api.jina.ai/v1"}


@dataclass(frozen=True, slots=True)
class Role:
    """What a model is for: the settings that an error about its server should name."""

    section: str
    model_setting: str


LLM, EMBEDDING = Role("LLM", "LLM_MODEL"), Role("EMBEDDING", "EMBEDDING_MODEL")
RERANK, GUARD = Role("RERANK", "RERANK_MODEL"), Role("GUARD", "GUARD_MODEL")


def endpoint_of(
    llm: LlmSettings, provider: str, role: Role, base_url: str | None = None, api_key: SecretStr | None = None
) -> Endpoint:
    """Where a provider's server is for a role, which may have an address and a key of its own.

    A server at an address of its own gets its own key only: the keys of others are none of its business. Raises
    `ConfigurationError`.
    """
    key = api_key.get_secret_value() if api_key else None
    names = (f"ANCHORAGE_{role.section}__BASE_URL", f"ANCHORAGE_{role.section}__API_KEY")
    if provider == "ollama":
        host = base_url or llm.ollama_host or "localhost"
        return Endpoint.ollama(
            host, url_setting=names[0] if base_url else "OLLAMA_HOST", model_setting=role.model_setting
        )
    if base_url:
        return Endpoint(base_url, key, *names, role.model_setting)
    if provider in RERANK_URLS:
        return Endpoint(
            RERANK_URLS[provider], required(key, names[1], f"a key of {provider}"), *names, role.model_setting
        )
    if provider == "fpt":
        key = key or (llm.fpt_api_key.get_secret_value() if llm.fpt_api_key else None)
        return Endpoint(
            _with_version(llm.fpt_base_url or FPT_URL), key, "FPT_BASE_URL", "FPT_API_KEY", role.model_setting
        )
    key = key or (llm.api_key.get_secret_value() if llm.api_key else None)
    if provider == "compatible":
        address = required(llm.base_url, "OPENAI_BASE_URL", "the address of an OpenAI-compatible server")
        return Endpoint(address, key, model_setting=role.model_setting)
    if not key and not llm.base_url:
        raise ConfigurationError(
            "OpenAI is asked for, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set. Set one of them."
        )
    return Endpoint(llm.base_url or OPENAI_URL, key, model_setting=role.model_setting)


def _with_version(url: str) -> str:
    """FPT's own pages give its address with and without /v1, and only below that are all of its calls."""
    host = url.strip().rstrip("/")
    return f"{host}/v1" if "://" in host and "/" not in host.partition("://")[2] else host


def configured_provider(llm: LlmSettings) -> str:
    """The provider of the generator, as set or as the first that is configured; `none` where none is."""
    return first_configured(llm) if llm.provider == "auto" else llm.provider


def first_configured(llm: LlmSettings) -> str:
    """The first provider that has an address or a key, whichever the generator takes."""
    if llm.api_key or llm.base_url:
        return "openai"
    if llm.ollama_host:
        return "ollama"
    return "fpt" if llm.fpt_api_key or llm.fpt_base_url else "none"


def required(value: str | None, setting: str, what: str) -> str:
    """The value. Raises `ConfigurationError` when there is none."""
    if not value:
        raise ConfigurationError(f"{setting} is not set. Set it to {what}.")
    return value
