"""The answer cache that the settings describe."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from importlib.resources import files

from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.pool import Pool
from anchorage.chat.cache import Caching
from anchorage.settings import Settings

_DECIDING = ("llm", "embedding", "rerank", "guard", "retrieval", "answer")


def open_caching(settings: Settings, pool: Pool) -> Caching | None:
    """The cache, keyed by this release, its prompts, and all settings that an answer depends on; None where it is off."""
    cache = settings.cache
    if cache.backend == "off":
        return None
    parts = [version("anchorage"), *(getattr(settings, name).model_dump_json() for name in _DECIDING)]
    prompts = files("anchorage.chat.prompts").iterdir()
    parts += sorted(item.read_text("utf-8") for item in prompts if item.name.endswith(".md"))
    fingerprint = hashlib.sha256("\x00".join(parts).encode()).hexdigest()
    return Caching(
        PostgresAnswerCache(pool, ttl=cache.ttl, max_entries=cache.max_entries), fingerprint, cache.similarity
    )
