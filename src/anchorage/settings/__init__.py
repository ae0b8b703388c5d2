"""The only reader of the environment: typed, nested, frozen settings.

Every setting is `ANCHORAGE_<SECTION>__<NAME>`; the well-known names of other projects (OPENAI_API_KEY, VECTOR_DB_URL ...)
are taken as they are and yield to the Anchorage name where both are set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from anchorage.errors import ConfigurationError
from anchorage.settings.conversations import ConversationSettings, StreamSettings
from anchorage.settings.model_sections import (
    CacheSettings,
    GuardSettings,
    RedisSettings,
    RerankSettings,
    UsageSettings,
)
from anchorage.settings.roles import RoleSettings
from anchorage.settings.sections import (
    AnswerSettings,
    BlobSettings,
    ChunkSettings,
    DatabaseSettings,
    DataSettings,
    EmbeddingSettings,
    FeedbackSettings,
    HttpSettings,
    IngestSettings,
    LlmSettings,
    LogSettings,
    McpSettings,
    OpenAISettings,
    RetrievalSettings,
    S3Settings,
)
from anchorage.settings.sources import ConfluenceSettings, WebSettings

WELL_KNOWN: Mapping[str, tuple[str, str]] = {
    "ANCHORAGE_DATA": ("data", "dir"),
    "VECTOR_DB_URL": ("database", "vector_url"),
    "STATE_DB_URL": ("database", "state_url"),
    "OPENAI_API_KEY": ("llm", "api_key"),
    "OPENAI_BASE_URL": ("llm", "base_url"),
    "LLM_MODEL": ("llm", "model"),
    "OLLAMA_HOST": ("llm", "ollama_host"),
    "FPT_API_KEY": ("llm", "fpt_api_key"),
    "FPT_BASE_URL": ("llm", "fpt_base_url"),
    "EMBEDDING_MODEL": ("embedding", "model"),
    "RERANK_MODEL": ("rerank", "model"),
    "GUARD_MODEL": ("guard", "model"),
    "CONFLUENCE_BASE_URL": ("confluence", "base_url"),
    "CONFLUENCE_USERNAME": ("confluence", "username"),
    "CONFLUENCE_PASSWORD": ("confluence", "password"),
    "APP_HOST": ("http", "host"),
    "APP_PORT": ("http", "port"),
    "RETRIEVAL_URL": ("roles", "retrieval_url"),
    "INGEST_URL": ("roles", "ingest_url"),
    "REDIS_URL": ("redis", "url"),
    "REDIS_HOST": ("redis", "host"),
    "REDIS_PORT": ("redis", "port"),
    "CORS_ORIGINS": ("http", "cors_origins"),
    "LOG_LEVEL": ("log", "level"),
    "TESSDATA_PREFIX": ("ingest", "ocr_data"),
    # Of several names for one setting the first that is set counts.
    "LINODE_OBJECT_STORAGE_ACCESS_KEY": ("s3", "access_key"),
    "LINODE_OBJECT_STORAGE_SECRET_KEY": ("s3", "secret_key"),
    "LINODE_OBJECT_STORAGE_ENDPOINT": ("s3", "endpoint"),
    "LINODE_OBJECT_STORAGE_BUCKET": ("s3", "bucket"),
    "AWS_ACCESS_KEY_ID": ("s3", "access_key"),
    "AWS_SECRET_ACCESS_KEY": ("s3", "secret_key"),
    "AWS_SESSION_TOKEN": ("s3", "session_token"),
    "AWS_REGION": ("s3", "region"),
    "AWS_DEFAULT_REGION": ("s3", "region"),
    "AWS_ENDPOINT_URL_S3": ("s3", "endpoint"),
    "AWS_ENDPOINT_URL": ("s3", "endpoint"),
}


_INHERITED = ("PATH", "LANG", "TMPDIR", "TZ", "PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV")
_USERINFO = re.compile(r"//\S*@")  # to the last @: a password may hold any character


class _WellKnownNames(PydanticBaseSettingsSource):
    """Maps the well-known environment names to their settings; empty values count as not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        linode = any(os.environ.get(name, "").strip() for name in WELL_KNOWN if name.startswith("LINODE_"))
        for name, (section, key) in WELL_KNOWN.items():
            if linode and name.startswith("AWS_"):
                continue  # one store's key must not go to the other
            if value := os.environ.get(name, "").strip():
                found.setdefault(section, {}).setdefault(key, value)
        return found


class _SectionNames(PydanticBaseSettingsSource):
    """Maps ANCHORAGE_<SECTION>__<NAME> to its setting; empty values count as not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in os.environ.items():
            section, separator, key = name.upper().removeprefix("ANCHORAGE_").partition("__")
            if name.upper().startswith("ANCHORAGE_") and separator and value.strip():
                found.setdefault(section.lower(), {})[key.lower()] = value.strip()
        return found


class Settings(BaseSettings):
    """All settings. Build with `load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    data: DataSettings = DataSettings()
    database: DatabaseSettings = DatabaseSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    llm: LlmSettings = LlmSettings()
    rerank: RerankSettings = RerankSettings()
    guard: GuardSettings = GuardSettings()
    usage: UsageSettings = UsageSettings()
    cache: CacheSettings = CacheSettings()
    redis: RedisSettings = RedisSettings()
    chunk: ChunkSettings = ChunkSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    ingest: IngestSettings = IngestSettings()
    s3: S3Settings = S3Settings()
    blobs: BlobSettings = BlobSettings()
    web: WebSettings = WebSettings()
    confluence: ConfluenceSettings = ConfluenceSettings()
    http: HttpSettings = HttpSettings()
    roles: RoleSettings = RoleSettings()
    openai: OpenAISettings = OpenAISettings()
    mcp: McpSettings = McpSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    stream: StreamSettings = StreamSettings()
    conversation: ConversationSettings = ConversationSettings()
    log: LogSettings = LogSettings()
    _overridden: frozenset[tuple[str, str]] = PrivateAttr(frozenset())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _SectionNames(settings_cls), _WellKnownNames(settings_cls)


def load_settings(**overrides: Mapping[str, Any]) -> Settings:
    """Read the environment; `overrides` are sections with values that win over it.

    Raises `ConfigurationError` naming every wrong setting.
    """
    try:
        settings = Settings(**{name: dict(values) for name, values in overrides.items()})  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(_describe_problem(item) for item in error.errors(include_input=False, include_url=False))
        raise ConfigurationError(
            f"Wrong settings: {problems.rstrip('.?')}. docs/reference/settings.md lists them all."
        ) from None
    settings._overridden = frozenset((name, key) for name, values in overrides.items() for key in values)
    return settings


def build_child_environment() -> dict[str, str]:
    """Build the environment of child processes: no secrets, and nothing that configures libraries."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def _describe_problem(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    name = "ANCHORAGE_" + "__".join(part.upper() for part in path)
    known = next((well for well, place in WELL_KNOWN.items() if list(place) == path and os.environ.get(well)), None)
    if item["type"] == "extra_forbidden":
        near = get_close_matches(name, list(_list_names()), n=1)
        return f"{name}: there is no such setting{f'; did you mean {near[0]}?' if near else ''}"
    return f"{known or name}: {item['msg']}"


def _list_names() -> Iterator[str]:
    """List the environment names of all settings."""
    for section, field in Settings.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            yield f"ANCHORAGE_{section}__{key}".upper()


def find_near_misses() -> dict[str, str]:
    """Find environment variables that are no setting but look like a well-known name that is not set; returns both names."""
    unset = [name for name in WELL_KNOWN if not os.environ.get(name, "").strip()]
    others = (name for name in os.environ if name not in WELL_KNOWN and not name.startswith("ANCHORAGE_"))
    return {name: near[0] for name in others if (near := get_close_matches(name, unset, n=1, cutoff=0.9))}


def describe_settings(settings: Settings) -> list[dict[str, str]]:
    """Describe every setting as {name, value, origin}, with secrets masked."""
    rows = []
    for section in Settings.model_fields:
        values: BaseModel = getattr(settings, section)
        for key in type(values).model_fields:
            value = getattr(values, key)
            name = f"ANCHORAGE_{section.upper()}__{key.upper()}"
            known = [well for well, place in WELL_KNOWN.items() if place == (section, key)]
            set_names = [candidate for candidate in (name, *known) if os.environ.get(candidate, "").strip()]
            named = "command line" if (section, key) in settings._overridden else (*set_names, "default")[0]
            origin = named if key in values.model_fields_set else "default"
            shown = (
                ""
                if value is None
                else "********"
                if isinstance(value, SecretStr)
                else _USERINFO.sub("//********@", str(value))
            )
            rows.append({"name": name, "value": shown, "origin": origin})
    return rows
