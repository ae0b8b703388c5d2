"""The only reader of the environment: typed, nested, frozen settings.

Every setting is `ANCHORAGE_<SECTION>__<NAME>`; the well-known names of other projects (OPENAI_API_KEY, VECTOR_DB_URL ...)
are taken as they are and yield to the Anchorage name where both are set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from anchorage.errors import ConfigurationError

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
    "APP_HOST": ("http", "host"),
    "APP_PORT": ("http", "port"),
    "CORS_ORIGINS": ("http", "cors_origins"),
    "LOG_LEVEL": ("log", "level"),
}


_USERINFO = re.compile(r"//\S*@")  # to the last @: a password may hold any character


def default_data_dir() -> Path:
    """Where data goes when nothing else is said."""
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/anchorage")  # root's home is closed to the unprivileged user that runs Postgres
    return Path(platformdirs.user_data_dir("anchorage", appauthor=False))


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(Section):
    """Where everything embedded lives on disk."""

    dir: Path = Field(default_factory=default_data_dir, description="data directory of everything embedded")


class DatabaseSettings(Section):
    """The two databases; an embedded Postgres serves where a URL is missing."""

    vector_url: SecretStr | None = Field(None, description="Postgres URL for documents and their index")
    state_url: SecretStr | None = Field(None, description="Postgres URL for conversations and jobs")
    pool_size: int = Field(8, ge=2, le=200, description="connections per process and database")
    connect_timeout: float = Field(10, gt=0, description="seconds to wait for a connection")
    statement_timeout: float = Field(60, gt=0, description="seconds that one statement may take")
    embedded_port: int | None = Field(
        None, ge=1, le=65535, description="TCP port on 127.0.0.1 of the embedded Postgres"
    )
    embedded_start_timeout: float = Field(
        300, gt=0, description="seconds for the embedded Postgres to recover and start"
    )


class EmbeddingSettings(Section):
    """Which model turns passages into vectors."""

    provider: Literal["local", "openai", "ollama", "langchain"] | None = Field(
        None, description="local without a model name; else openai (any OpenAI-compatible server), ollama or langchain"
    )
    model: str | None = Field(None, description="the provider's name of the model")
    base_url: str | None = Field(None, description="server of the embeddings, when not that of the generator")
    api_key: SecretStr | None = Field(None, description="its key, when not that of the generator")
    dimension: int | None = Field(None, ge=1, le=4000, description="vector length, for a model whose length is unknown")
    max_tokens: int = Field(512, ge=32, description="tokens that a remote model reads of a passage")
    precision: Literal["auto", "float32", "int8"] = Field(
        "auto", description="of the local model: int8 where the CPU has VNNI"
    )
    threads: int = Field(0, ge=0, description="of the local model; 0: one per core")
    batch_size: int = Field(32, ge=1, le=2048, description="passages per call")
    timeout: float = Field(60, gt=0, description="seconds for one call")


class LlmSettings(Section):
    """Which model writes answers; without one, answers are quotations."""

    provider: Literal["auto", "none", "openai", "ollama", "fpt", "langchain"] = Field(
        "auto", description="auto: the first of OpenAI, Ollama and FPT that is configured"
    )
    model: str | None = Field(None, description="the provider's name of the model")
    api_key: SecretStr | None = Field(None, description="key of OpenAI or a compatible server")
    base_url: str | None = Field(None, description="OpenAI-compatible server, for example http://localhost:8080/v1")
    ollama_host: str | None = Field(None, description="Ollama server, for example http://localhost:11434")
    fpt_api_key: SecretStr | None = Field(None, description="key of FPT Cloud")
    fpt_base_url: str | None = Field(None, description="FPT Cloud's OpenAI-compatible endpoint")
    max_tokens: int = Field(1024, ge=1, description="length limit of an answer")
    temperature: float = Field(0.0, ge=0, le=2)
    connect_timeout: float = Field(5, gt=0, description="seconds to reach the server")
    first_token_timeout: float = Field(60, gt=0, description="seconds until the first piece of an answer")
    idle_timeout: float = Field(30, gt=0, description="seconds between two pieces of an answer")
    retries: int = Field(2, ge=0, le=10, description="attempts after the first, before anything was streamed")


class ChunkSettings(Section):
    """How documents are cut into passages."""

    max_tokens: int = Field(0, ge=0, description="tokens of a passage; 0: what the embedder reads")
    overlap_tokens: int = Field(32, ge=0, description="tokens repeated from the passage before")


class RetrievalSettings(Section):
    """How passages are found."""

    k: int = Field(10, ge=1, le=100, description="passages per question")
    depth: int = Field(100, ge=10, le=1000, description="length of each ranking before fusion")
    dense_weight: float = Field(0.5, ge=0, le=1, description="share of the dense score in the fused one")
    ef_search: int = Field(120, ge=10, le=1000, description="pgvector's hnsw.ef_search")
    max_postings: int = Field(
        1_000_000, ge=10_000, description="index entries read per question; common words give way first"
    )
    language: str = Field(
        "english", description="Snowball stemmer and stop words for new collections; `none` for neither"
    )


class AnswerSettings(Section):
    """How answers are made."""

    max_sentences: int = Field(3, ge=1, le=10, description="of an extractive answer")
    abstain: bool = Field(True, description="say so when the documents do not hold the answer")
    history_turns: int = Field(8, ge=0, le=100, description="turns of a conversation that a question is read against")
    passages: int = Field(6, ge=1, le=50, description="passages that a generator is shown")
    question_limit: int = Field(8_000, ge=100, description="characters of a question")


class IngestSettings(Section):
    """Limits on what is read."""

    max_file_bytes: int = Field(200 * 1024**2, ge=1, description="largest file that is read")
    max_text_chars: int = Field(20_000_000, ge=1, description="longest text taken from one file")
    parse_timeout: float = Field(60, gt=0, description="seconds that parsing one file may take")
    ocr_language: str = Field(
        "eng", description="languages that text recognition looks for, as Tesseract names them: eng+deu"
    )
    ocr_timeout: float = Field(
        1800, gt=0, description="seconds for one file in which text is recognised, all its pages together"
    )
    ocr_page_timeout: float = Field(
        60, gt=0, description="seconds for recognising one page; a slower one stays without text"
    )
    parse_memory_bytes: int = Field(1024**3, ge=256 * 1024**2, description="memory that parsing one file may take")
    batch_chunks: int = Field(
        256, ge=1, description="passages gathered, across documents, before they are embedded and stored"
    )
    concurrency: int = Field(2, ge=1, le=64, description="jobs that one worker runs at once")


class HttpSettings(Section):
    """The HTTP face."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535)
    root_path: str = Field("", description="path prefix that an ingress strips")
    cors_origins: str = Field("", description="origins allowed to call from a browser, separated by commas")
    max_body_bytes: int = Field(1024**2, ge=1024, description="largest JSON body")
    max_upload_bytes: int = Field(1024**3, ge=1024, description="largest upload, all its files together")
    max_upload_files: int = Field(100, ge=1, description="files in one upload")
    sse_heartbeat: float = Field(15, gt=0, description="seconds of silence before a stream sends a comment")
    shutdown_timeout: float = Field(25, gt=0, description="seconds that open requests get at shutdown")


class LogSettings(Section):
    """Logs go to stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")


class _WellKnownNames(PydanticBaseSettingsSource):
    """Maps the well-known environment names to their settings; empty values count as not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (section, key) in WELL_KNOWN.items():
            if value := os.environ.get(name, "").strip():
                found.setdefault(section, {})[key] = value
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
    chunk: ChunkSettings = ChunkSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    ingest: IngestSettings = IngestSettings()
    http: HttpSettings = HttpSettings()
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
        raise ConfigurationError(f"Wrong settings: {problems}. `anchorage doctor` lists all settings.") from None
    settings._overridden = frozenset((name, key) for name, values in overrides.items() for key in values)
    return settings


def _problem(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    name = "ANCHORAGE_" + "__".join(part.upper() for part in path)
    known = next((well for well, place in WELL_KNOWN.items() if list(place) == path and os.environ.get(well)), None)
    return f"{known or name}: {item['msg']}"


def describe_settings(settings: Settings) -> list[dict[str, str]]:
    """Every setting as {name, value, origin}, with secrets masked."""
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


def settings_reference() -> str:
    """The reference page of all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable `ANCHORAGE_<SECTION>__<NAME>`. Well-known names are taken as they are, and yield to ours where",
        "both are set; empty values count as not set. `anchorage doctor` shows the values in force and where they came from.",
    ]
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        assert isinstance(kind, type) and issubclass(kind, Section)
        lines += [
            "",
            f"## {section}",
            "",
            (kind.__doc__ or "").strip(),
            "",
            "| setting | default | meaning |",
            "| --- | --- | --- |",
        ]
        for key, item in kind.model_fields.items():
            names = [f"`ANCHORAGE_{section.upper()}__{key.upper()}`"]
            names += [f"`{well}`" for well, place in WELL_KNOWN.items() if place == (section, key)]
            default = "by user" if item.default_factory else "" if item.default is None else str(item.default)
            lines.append(f"| {', '.join(names)} | {default} | {item.description or ''} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(settings_reference(), end="")  # noqa: T201
