"""The one file that reads the environment, into plain values; nothing here takes long to load.

Every setting is `ANCHORAGE_<SECTION>__<NAME>`; the well-known names of other projects (OPENAI_API_KEY, VECTOR_DB_URL ...)
are taken as they are and yield to the Anchorage name where both are set. Empty values count as not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import platformdirs

Place = tuple[str, str]
"""Section and name of a setting."""

WELL_KNOWN: Mapping[str, Place] = {
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


def variable(name: str) -> str:
    """The value of a variable; empty where it is not set."""
    return os.environ.get(name, "").strip()


def variable_names() -> Sequence[str]:
    """The names of all variables."""
    return list(os.environ)


def well_known_values() -> dict[Place, str]:
    """The settings that well-known names give; of several names for one setting the first that is set counts."""
    found: dict[Place, str] = {}
    linode = any(variable(name) for name in WELL_KNOWN if name.startswith("LINODE_"))
    for name, place in WELL_KNOWN.items():
        if linode and name.startswith("AWS_"):
            continue  # one store's key must not go to the other
        if value := variable(name):
            found.setdefault(place, value)
    return found


def section_values() -> dict[Place, str]:
    """The settings that `ANCHORAGE_<SECTION>__<NAME>` gives."""
    found: dict[Place, str] = {}
    for name, value in os.environ.items():
        section, separator, key = name.upper().removeprefix("ANCHORAGE_").partition("__")
        if name.upper().startswith("ANCHORAGE_") and separator and value.strip():
            found[section.lower(), key.lower()] = value.strip()
    return found


def environment_values() -> dict[Place, str]:
    """All settings that the environment gives, as they are written there."""
    return {**well_known_values(), **section_values()}


def default_data_dir() -> Path:
    """Where data goes when nothing else is said."""
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/anchorage")  # root's home is closed to the unprivileged user that runs Postgres
    return Path(platformdirs.user_data_dir("anchorage", appauthor=False))


def data_dir(given: Path | None = None) -> Path:
    """The data directory: the given one, else that of the environment, else the user's."""
    if given is not None:
        return given.expanduser().absolute()
    named = environment_values().get(("data", "dir"))
    return Path(named).expanduser().absolute() if named else default_data_dir()


def build_child_environment() -> dict[str, str]:
    """What the programs that we start get of our environment: no secrets, and nothing by which it configures libraries."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}
