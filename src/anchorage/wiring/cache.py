"""The answer cache that the settings describe."""

from __future__ import annotations

import hashlib
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib.metadata import version
from importlib.resources import files

from anchorage.adapters.postgres.answer_cache import PostgresAnswerCache
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.redis.answer_cache import RedisAnswerCache, open_redis_answer_cache
from anchorage.chat.memory.recall import Caching
from anchorage.errors import ConfigurationError
from anchorage.ports.cache import AnswerCache
from anchorage.settings import Settings

_DECIDING = ("llm", "embedding", "rerank", "guard", "retrieval", "answer")


async def open_caching(settings: Settings, pool: Pool, stack: AsyncExitStack) -> Caching | None:
    """The cache, keyed by this release, its prompts, and all settings that an answer depends on; None where it is off.

    Raises `ConfigurationError`. A Redis that is away is found out by the first question, and costs the cache only.
    """
    cache = settings.cache
    if cache.backend == "off":
        return None
    opened: AnswerCache
    if cache.backend == "redis":
        opened = await stack.enter_async_context(redis_cache(settings))
    else:
        opened = PostgresAnswerCache(pool, ttl=cache.ttl, max_entries=cache.max_entries)
    parts = [version("anchorage"), *(getattr(settings, name).model_dump_json() for name in _DECIDING)]
    prompts = files("anchorage.chat.generation.prompts").iterdir()
    parts += sorted(item.read_text("utf-8") for item in prompts if item.name.endswith(".md"))
    fingerprint = hashlib.sha256("\x00".join(parts).encode()).hexdigest()
    return Caching(opened, fingerprint, cache.similarity)


def redis_cache(settings: Settings) -> AbstractAsyncContextManager[RedisAnswerCache]:
    """The cache in Redis. Raises `ConfigurationError`."""
    address = settings.redis.address
    if address is None:
        raise ConfigurationError(
            "ANCHORAGE_CACHE__BACKEND is redis, but no server is named: set REDIS_URL, such as redis://localhost:6379/0, or REDIS_HOST."
        )
    cache = settings.cache
    return open_redis_answer_cache(
        address, timeout=settings.redis.timeout, ttl=cache.ttl, max_entries=cache.max_entries
    )
