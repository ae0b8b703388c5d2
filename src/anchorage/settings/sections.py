"""The sections of the settings: every value with its default, its bounds and its meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from anchorage.settings.environment import default_data_dir


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(Section):
    """Where everything embedded lives on disk."""

    dir: Path = Field(default_factory=default_data_dir, description="data directory of everything embedded")

    @field_validator("dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        """Make `~/data` what a shell would make of it, which does not see it in a file of settings."""
        return value.expanduser()


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


def parse_json_list(value: object) -> object:
    """Parse a setting that holds a list from the JSON text of the environment."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ValueError('write it as a JSON list, such as ["ollama:llama3.2"]')
    return found


class EmbeddingFallback(Section):
    """Another server of the same embedding model."""

    base_url: str
    api_key: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse_text(cls, value: object) -> object:
        return {"base_url": value} if isinstance(value, str) else value


class LlmFallback(Section):
    """A model to take when another fails. What is not said here is as in the section `llm`."""

    provider: Literal["openai", "compatible", "ollama", "fpt", "langchain"]
    model: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    first_token_timeout: float | None = Field(None, gt=0)
    idle_timeout: float | None = Field(None, gt=0)
    retries: int | None = Field(None, ge=0, le=10)
    daily_tokens: int | None = Field(None, ge=0)
    daily_cost: float | None = Field(None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _parse_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        provider, _, model = value.partition(":")
        return {"provider": provider, "model": model or None}


class EmbeddingSettings(Section):
    """Which model turns passages into vectors."""

    provider: Literal["local", "openai", "compatible", "ollama", "fpt", "langchain"] | None = Field(
        None, description="local without a model name; else that of the generator where it has embeddings"
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
    query_timeout: float = Field(
        15, gt=0, description="seconds for the call of a question, or of an answer's sentences"
    )
    retries: int = Field(2, ge=0, le=10, description="attempts after the first")
    longest_wait: float = Field(
        60, ge=0, description="longest wait that a server's rate limit or Retry-After may ask for, in seconds"
    )
    query_wait: float = Field(10, ge=0, description="longest such wait of a question; then it is told to ask again")
    concurrency: int = Field(4, ge=1, le=64, description="calls to a remote model at once")
    fallbacks: tuple[EmbeddingFallback, ...] = Field(
        (),
        description="other servers of the same model, as JSON, asked in turn while the first is down: "
        '`["http://two:8080/v1", {"base_url": "...", "api_key": "..."}]`',
    )

    _parse_fallbacks = field_validator("fallbacks", mode="before")(parse_json_list)


class LlmSettings(Section):
    """Which model writes answers; without one, answers are quotations."""

    provider: Literal["auto", "none", "openai", "compatible", "ollama", "fpt", "langchain"] = Field(
        "auto", description="auto: the first of OpenAI, Ollama and FPT that is configured"
    )
    model: str | None = Field(None, description="the provider's name of the model")
    api_key: SecretStr | None = Field(None, description="key of OpenAI or a compatible server")
    base_url: str | None = Field(None, description="OpenAI-compatible server, for example http://localhost:8080/v1")
    ollama_host: str | None = Field(None, description="Ollama server, for example http://localhost:11434")
    fpt_api_key: SecretStr | None = Field(None, description="key of FPT Cloud")
    fpt_base_url: str | None = Field(None, description="FPT Cloud's endpoint, when not its public one")
    max_tokens: int = Field(1024, ge=1, description="length limit of an answer")
    temperature: float = Field(0.0, ge=0, le=2)
    connect_timeout: float = Field(5, gt=0, description="seconds to reach the server")
    first_token_timeout: float = Field(60, gt=0, description="seconds until the first piece of an answer")
    idle_timeout: float = Field(30, gt=0, description="seconds between two pieces of an answer")
    retries: int = Field(2, ge=0, le=10, description="attempts after the first, before anything was streamed")
    daily_tokens: int | None = Field(
        None,
        ge=0,
        description="of this model on one day (UTC), by all principals; then the next of the fallbacks is taken",
    )
    daily_cost: float | None = Field(
        None, ge=0, description="likewise, in the currency of the prices; a fallback has a budget where it names one"
    )
    connections: int = Field(
        1000, ge=1, description="to model servers at once; an answer holds one while it is written"
    )
    fallbacks: tuple[LlmFallback, ...] = Field(
        (),
        description="models to take, in this order, while those before fail, as JSON: "
        '`["ollama:llama3.2", {"provider": "compatible", "model": "...", "base_url": "...", "api_key": "...", "retries": 0, '
        '"daily_tokens": 1000000}]`',
    )
    breaker_failures: int = Field(
        3,
        ge=1,
        description="failures in a row after which a model with fallbacks, or an embedder of questions, is left alone for a while",
    )
    breaker_pause: float = Field(30, gt=0, description="for so many seconds")

    _parse_fallbacks = field_validator("fallbacks", mode="before")(parse_json_list)


class ChunkSettings(Section):
    """How documents are cut into passages."""

    max_tokens: int = Field(0, ge=0, description="tokens of a passage; 0: what the embedder reads")
    overlap_tokens: int = Field(32, ge=0, description="tokens repeated from the passage before")


class AnswerSettings(Section):
    """How answers are made."""

    max_sentences: int = Field(
        3, ge=1, le=10, description="of an extractive answer, where several things are asked for"
    )
    abstain: bool = Field(True, description="say so when the documents do not hold the answer")
    history_turns: int = Field(8, ge=0, le=100, description="turns of a conversation that a question is read against")
    history_tokens: int = Field(
        2000,
        ge=0,
        description="and about how many tokens of them; with a generator, a summary stands for what came before",
    )
    passages: int = Field(6, ge=1, le=50, description="passages that a generator is shown")
    question_limit: int = Field(8_000, ge=100, description="characters of a question")
    unsupported: Literal["mark", "withhold"] = Field(
        "mark",
        description="what becomes of a generated sentence that no passage supports; `withhold` leaves it out, and shows the answer "
        "when it is verified, not as it comes",
    )
    links: Literal["cited", "none", "all"] = Field(
        "cited",
        description="links that an answer may hold: to the documents that it cites, none, or whatever was written (unsafe); images "
        "are shown by `all` only",
    )
    align_meaning: bool = Field(
        True, description="compare a generated sentence with the passages by meaning where words do not decide"
    )
    likeness: float = Field(0.8, gt=0, le=1, description="least cosine at which a passage's sentence then supports it")


class IngestSettings(Section):
    """Limits on what is read."""

    max_file_bytes: int = Field(200 * 1024**2, ge=1, description="largest file that is read")
    file_timeout: float = Field(60, gt=0, description="seconds that a file system may take to open a file of a source")
    max_text_chars: int = Field(20_000_000, ge=1, description="longest text taken from one file")
    parse_timeout: float = Field(60, gt=0, description="seconds that parsing one file may take")
    ocr_language: str = Field(
        "eng", description="languages that text recognition looks for, as Tesseract names them: eng+deu"
    )
    ocr_data: str | None = Field(
        None, description="folder of Tesseract's language data; else the usual places are searched"
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
    passwords: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='passwords of protected documents, as JSON: `{"reports": "..."}`; all are tried, or the one that a source '
        "names with `--option password=reports`",
    )
    concurrency: int = Field(32, ge=1, le=64, description="jobs that one worker runs at once")
    parsers: int = Field(0, ge=0, le=64, description="files that are parsed at once; 0: one per core")
    job_timeout: float = Field(
        1800, gt=0, description="seconds that a job may go without progress before it is tried again"
    )
    job_retention_days: float = Field(7, gt=0, description="days that ended jobs are shown")
    hold_share: float = Field(
        0.5, gt=0, le=1, description="a sync that would delete more than this share of a source's documents is held"
    )
    hold_least: int = Field(10, ge=0, description="and more than so many of them")

    @field_validator("passwords", mode="before")
    @classmethod
    def _parse_json(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError('write it as a JSON object: {"name": "password"}') from None


class S3Settings(Section):
    """S3 and what speaks its protocol. Without keys, AWS's own chain finds them: a profile, a web identity, a machine's role."""

    endpoint: str | None = Field(None, description="address of the server; AWS without it")
    region: str | None = Field(None, description="its region; needed by AWS only")
    access_key: SecretStr | None = Field(None, description="name of the key")
    secret_key: SecretStr | None = Field(None, description="the key; needed where the access key is set")
    session_token: SecretStr | None = Field(None, description="of temporary keys")
    anonymous: bool = Field(False, description="ask without keys, for public buckets")
    bucket: str | None = Field(None, description="the bucket of locations that name none, such as `s3:///reports/`")
    addressing: Literal["auto", "path", "virtual"] = Field(
        "auto", description="where the bucket's name goes; auto: into the host name at AWS, else into the path"
    )
    concurrency: int = Field(16, ge=1, le=256, description="transfers at once")
    connect_timeout: float = Field(5, gt=0, description="seconds to reach the server")
    read_timeout: float = Field(30, gt=0, description="seconds of silence in an answer")
    request_timeout: float = Field(60, gt=0, description="seconds for one question, with its retries")
    transfer_timeout: float = Field(600, gt=0, description="seconds for one object's bytes, with their retries")
    retries: int = Field(4, ge=0, le=10, description="attempts after the first")


class BlobSettings(Section):
    """Where the original bytes of documents are kept."""

    url: str | None = Field(
        None,
        pattern="^s3://",
        description="`s3://BUCKET/PREFIX`, needed where workers run on other machines; else the data directory",
    )


class HttpSettings(Section):
    """The HTTP face."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535)
    root_path: str = Field("", description="path prefix that an ingress strips")
    cors_origins: str = Field("", description="origins allowed to call from a browser, separated by commas")
    allowed_hosts: str = Field(
        "",
        description="host names under which this server answers, separated by commas; `*.example.org` for all below, `*` for any. "
        "Addresses and localhost always work. Empty: these alone when listening on this machine only, else any",
    )
    max_head_bytes: int = Field(
        64 * 1024, ge=8192, description="longest address and header fields of a request, together"
    )
    head_timeout: float = Field(30, gt=0, description="seconds in which they must have come")
    max_body_bytes: int = Field(1024**2, ge=1024, description="largest JSON body")
    max_upload_bytes: int = Field(1024**3, ge=1024, description="largest upload, all its files together")
    max_upload_files: int = Field(100, ge=1, description="files in one upload")
    add_text_concurrency: int = Field(4, ge=1, le=64, description="texts of POST /add_text that are ingested at once")
    sse_heartbeat: float = Field(15, gt=0, description="seconds of silence before a stream sends a comment")
    max_streams: int | None = Field(
        None,
        ge=1,
        description="answer streams at once, above which /readyz says no until a fifth of them is over, so that new ones go to other processes; "
        "no limit by default, as where there is no other",
    )
    linger: float = Field(
        0,
        ge=0,
        description="seconds after the request to end in which it serves on, not ready and closing connections, while load balancers forget it",
    )
    shutdown_timeout: float = Field(25, gt=0, description="seconds that open requests get at shutdown")
    drain_timeout: float = Field(
        20, ge=0, description="seconds that streams get to end at shutdown before other processes take them over"
    )
    reuse_port: bool = Field(False, description="let several processes of one machine listen on the same port")


class OpenAISettings(Section):
    """The OpenAI-compatible face."""

    stream: Literal["live", "verified"] = Field(
        "live",
        description="live: text as it is written; verified: nothing before its citations are checked, for clients that show no more "
        "than the text",
    )


class McpSettings(Section):
    """The MCP face. Nothing of it is loaded before it is used."""

    enabled: bool = Field(True, description="serve MCP at /mcp")
    text_limit: int = Field(100_000, ge=1000, description="characters of a document that one reading gives")


class FeedbackSettings(Section):
    """What people think of answers."""

    comment_limit: int = Field(4_000, ge=0, description="characters of a comment")


class LogSettings(Section):
    """Logs go to stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")
