"""The sections of the settings for what surrounds the models: reranker, guards, usage, cache."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from anchorage.settings.sections import Section

Action = Literal["off", "flag", "redact", "block"]


class RerankSettings(Section):
    """Which model puts the passages found into their final order; off without a model."""

    model: str | None = Field(
        None, description="the provider's name of the model, or a folder with model.onnx and tokenizer.json"
    )
    provider: Literal["local", "compatible", "fpt", "cohere", "jina"] | None = Field(
        None, description="local for a folder; else compatible where a base_url is set, or fpt where its key is"
    )
    base_url: str | None = Field(
        None, description="server whose `/rerank` is asked, for example http://localhost:8080/v1"
    )
    api_key: SecretStr | None = Field(None, description="its key")
    shape: Literal["documents", "texts"] | None = Field(
        None,
        description="documents: Cohere, Jina, FPT, vLLM, llama.cpp; texts: text-embeddings-inference; learned by default",
    )
    candidates: int = Field(50, ge=2, le=1000, description="passages that are read with the question")
    deadline: float = Field(5, gt=0, description="seconds; after them the passages stay in the order of retrieval")
    retries: int = Field(1, ge=0, le=10, description="attempts after the first, within the deadline")
    max_tokens: int = Field(512, ge=16, description="tokens of question and passage together that a local model reads")
    threads: int = Field(0, ge=0, description="of a local model; 0: one per core")


class GuardSettings(Section):
    """What is checked in questions and answers, and what follows: off, flag (count and log it), redact (replace it), block."""

    question_length: Literal["off", "flag", "block"] = Field("block", description="more than max_question_chars")
    question_secrets: Action = Field("redact", description="keys, tokens and passwords in known forms")
    question_pii: Action = Field("flag", description="e-mail addresses, telephone, card, bank and identity numbers")
    question_injection: Action = Field("block", description="orders to drop or reveal the instructions")
    answer_length: Literal["off", "flag", "block"] = Field("block", description="more than max_answer_chars")
    answer_secrets: Action = "flag"
    answer_pii: Action = "flag"
    answer_injection: Action = Field("flag", description="images and active markup, by which data could leave")
    max_question_chars: int = Field(8000, ge=1)
    max_answer_chars: int = Field(100_000, ge=1)
    hold: Literal["auto", "never"] = Field(
        "auto", description="auto: where a check may redact or block an answer, none of it is sent before it has passed"
    )
    model: str | None = Field(
        None, description="a model that classifies, such as Llama-Guard, or one of the moderation endpoint"
    )
    provider: Literal["openai", "compatible", "ollama", "fpt"] | None = Field(
        None, description="that of the generator by default"
    )
    base_url: str | None = Field(None, description="its server, when not that of the provider")
    api_key: SecretStr | None = Field(None, description="its key, when not that of the provider")
    api: Literal["auto", "chat", "moderation"] = Field(
        "auto", description="auto: `/moderations` for a model with moderation in its name, else `/chat/completions`"
    )
    question_model: Literal["off", "flag", "block"] = Field(
        "block", description="what the model finds unsafe in a question"
    )
    answer_model: Literal["off", "flag", "block"] = Field("block", description="and in an answer")
    timeout: float = Field(5, gt=0, description="seconds for one call")
    retries: int = Field(1, ge=0, le=10, description="attempts after the first")
    on_failure: Literal["open", "closed"] = Field(
        "closed", description="when the model does not answer: closed refuses the question, open lets it pass"
    )


class CacheSettings(Section):
    """Answers that were given before, while neither documents nor settings have changed since."""

    backend: Literal["off", "postgres", "redis"] = Field(
        "off", description="postgres: in the state database; redis: at REDIS_URL"
    )
    similarity: float | None = Field(
        None,
        gt=0,
        le=1,
        description="cosine from which two questions are one, such as 0.97; without it they must be the same",
    )
    ttl: float = Field(86_400, gt=0, description="seconds for which an answer is kept")
    max_entries: int = Field(10_000, ge=1, description="answers kept, about")


class RedisSettings(Section):
    """A Redis (6 or later) or Valkey server; the answer cache is kept there where its backend is `redis`."""

    url: SecretStr | None = Field(
        None, description="`redis://HOST:PORT/0`, or `rediss://USER:PASSWORD@HOST:PORT/0` for TLS"
    )
    host: str | None = Field(None, description="its host, in place of a URL")
    port: int = Field(6379, ge=1, le=65535, description="its port, beside the host")
    timeout: float = Field(1, gt=0, description="seconds for a connection, and for one command")

    @field_validator("port", mode="before")
    @classmethod
    def _strip_service_address(cls, value: object) -> object:
        """Kubernetes sets REDIS_PORT=tcp://ADDRESS:PORT in pods beside a service named redis."""
        return value.rpartition(":")[2] if isinstance(value, str) and value.startswith("tcp://") else value

    @property
    def address(self) -> str | None:
        """The URL, made of host and port where there is none."""
        if self.url:
            return self.url.get_secret_value()
        return f"redis://{self.host}:{self.port}/0" if self.host else None


class Price(Section):
    """Of one model, for a million tokens."""

    input: float = Field(0, ge=0)
    output: float = Field(0, ge=0)


class Budget(Section):
    """What one principal may use; None: any amount."""

    daily_cost: float | None = Field(None, ge=0)
    monthly_cost: float | None = Field(None, ge=0)
    daily_tokens: int | None = Field(None, ge=0)
    monthly_tokens: int | None = Field(None, ge=0)


class UsageSettings(Budget):
    """Tokens and cost by principal and model. The budgets are those of each principal; days and months are UTC's."""

    daily_cost: float | None = Field(None, ge=0, description="of a principal, in the currency of the prices")
    monthly_cost: float | None = Field(None, ge=0, description="likewise")
    daily_tokens: int | None = Field(None, ge=0, description="tokens of a principal, read and written together")
    monthly_tokens: int | None = Field(None, ge=0, description="likewise")
    prices: dict[str, Price] = Field(
        default_factory=dict,
        description='for a million tokens, as JSON: `{"gpt-4o-mini": {"input": 0.15, "output": 0.6}}`; the name `*` is every other model',
    )
    budgets: dict[str, Budget] = Field(
        default_factory=dict,
        description='of single principals, as JSON: `{"alice": {"daily_cost": 5}}`; in place of the above',
    )
    flush_interval: float = Field(
        2, gt=0, description="seconds until counts are written; a killed process loses so much"
    )

    @field_validator("prices", "budgets", mode="before")
    @classmethod
    def _parse_json(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError("write it as a JSON object") from None
