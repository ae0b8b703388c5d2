"""All settings, built from the environment and from what a caller says on top, and described."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from anchorage.errors import ConfigurationError
from anchorage.settings.conversations import ConversationSettings, StreamSettings
from anchorage.settings.environment import (
    WELL_KNOWN,
    Place,
    section_values,
    variable,
    variable_names,
    well_known_values,
)
from anchorage.settings.model_sections import (
    CacheSettings,
    GuardSettings,
    RedisSettings,
    RerankSettings,
    UsageSettings,
)
from anchorage.settings.quality import GateSettings
from anchorage.settings.retrieval import RetrievalSettings, VectorsSettings
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
    S3Settings,
)
from anchorage.settings.sources import ConfluenceSettings, WebSettings

_USERINFO = re.compile(r"//\S*@")  # to the last @: a password may hold any character


class _WellKnownNames(PydanticBaseSettingsSource):
    """The settings that well-known names of the environment give."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return _nested(well_known_values())


class _SectionNames(PydanticBaseSettingsSource):
    """The settings that our own names of the environment give."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return _nested(section_values())


def _nested(values: Mapping[Place, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (section, key), value in values.items():
        found.setdefault(section, {})[key] = value
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
    gate: GateSettings = GateSettings()
    vectors: VectorsSettings = VectorsSettings()
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
        problems = "; ".join(_problem(item) for item in error.errors(include_input=False, include_url=False))
        raise ConfigurationError(
            f"Wrong settings: {problems.rstrip('.?')}. docs/reference/settings.md lists them all."
        ) from None
    settings._overridden = frozenset((name, key) for name, values in overrides.items() for key in values)
    return settings


def _problem(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    name = "ANCHORAGE_" + "__".join(part.upper() for part in path)
    known = next((well for well, place in WELL_KNOWN.items() if list(place) == path and variable(well)), None)
    if item["type"] == "extra_forbidden":
        near = get_close_matches(name, list(_names()), n=1)
        return f"{name}: there is no such setting{f'; did you mean {near[0]}?' if near else ''}"
    return f"{known or name}: {item['msg']}"


def _names() -> Iterator[str]:
    """The names of all settings in the environment."""
    for section, field in Settings.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            yield f"ANCHORAGE_{section}__{key}".upper()


def find_near_misses() -> dict[str, str]:
    """Variables of the environment that are no setting and look like a well-known name that is not set, with that name."""
    unset = [name for name in WELL_KNOWN if not variable(name)]
    others = (name for name in variable_names() if name not in WELL_KNOWN and not name.startswith("ANCHORAGE_"))
    return {name: near[0] for name in others if (near := get_close_matches(name, unset, n=1, cutoff=0.9))}


def describe_settings(settings: Settings) -> list[dict[str, str]]:
    """Every setting as {name, value, origin}, with secrets masked."""
    rows = []
    for section in Settings.model_fields:
        values: BaseModel = getattr(settings, section)
        for key in type(values).model_fields:
            value = getattr(values, key)
            name = f"ANCHORAGE_{section.upper()}__{key.upper()}"
            known = [well for well, place in WELL_KNOWN.items() if place == (section, key)]
            set_names = [candidate for candidate in (name, *known) if variable(candidate)]
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
