"""The answer cache in Redis (6 or later) or Valkey. No module is needed: vectors are compared here, the newest of a scope."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from anchorage.errors import ConfigurationError, Unavailable
from anchorage.ports.cache import Payload, Slot

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PREFIX = "{anchorage}:answers:"
_COMPARED = 500  # the newest questions of a scope that are compared with a new one
_FOUND = 3
_CONNECTIONS = 8  # at once; whoever finds none free waits for the timeout at most
_FORGOTTEN_AT_ONCE = 10  # conversations, for which nobody else is served
_UNDER_WAY = 900_000  # milliseconds in which an answer may be under way still when its conversation is deleted
_HEAD = struct.Struct("<32sd")  # of a vector: the question's hash, and the second (Unix time) until which it counts


class RedisAnswerCache:
    """Implements the `AnswerCache` port. Open it with `open_redis_answer_cache`."""

    def __init__(self, client: Redis, place: str, *, ttl: float, max_entries: int) -> None:
        self._client, self._place, self._ttl, self._max_entries = client, place, ttl, max_entries

    async def exact(self, slot: Slot) -> Payload | None:
        with self._translated("looking for an earlier answer"):
            found = await self._client.get(_answer(slot, _hash(slot.question)))
        return _read(found)

    async def near(self, slot: Slot, vector: NDArray[Any], similarity: float) -> Sequence[Payload]:
        with self._translated("looking for an earlier answer"):
            kept = await self._client.lrange(f"{_scope(slot)}:vectors", 0, _COMPARED - 1)
            hashes, vectors = _comparable(cast(list[bytes], kept), len(vector))
            if not hashes:
                return []
            cosines = vectors @ vector.astype(np.float32)
            best = [hashes[index] for index in np.argsort(-cosines)[:_FOUND] if cosines[index] >= similarity]
            found = await self._client.mget([_answer(slot, item) for item in best]) if best else []
        return [payload for item in found if (payload := _read(item)) is not None]

    async def keep(
        self, slot: Slot, vector: NDArray[Any] | None, payload: Payload, conversation_id: str | None = None
    ) -> None:
        scope, now, question = _scope(slot), time.time(), _hash(slot.question)
        milliseconds = max(1, int(1000 * self._ttl))
        data = b"" if vector is None else _HEAD.pack(question, now + self._ttl) + vector.astype("<f2").tobytes()
        family = f"{_PREFIX}{slot.family}:"
        keys = [_answer(slot, question), f"{scope}:vectors", f"{scope}:answers", f"{family}scopes", f"{_PREFIX}all"]
        keys += [] if conversation_id is None else _of_conversation(conversation_id)
        values: list[str | bytes | int] = [
            json.dumps(payload), milliseconds, repr(1000 * now), slot.scope, family, data, _COMPARED, self._max_entries,
        ]  # fmt: skip
        with self._translated("keeping an answer"):
            await self._client.eval(_script("keep"), len(keys), *keys, *values)

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        with self._translated("forgetting the answers of a conversation"):
            failed: Exception | None = None
            for start in range(0, len(conversation_ids), _FORGOTTEN_AT_ONCE):
                some = conversation_ids[start : start + _FORGOTTEN_AT_ONCE]
                keys = [f"{_PREFIX}all", *(key for item in some for key in _of_conversation(item))]
                try:
                    await self._client.eval(_script("forget"), len(keys), *keys, _UNDER_WAY)
                except Exception as error:  # noqa: BLE001  the others are forgotten all the same
                    failed = failed or error
            if failed:
                raise failed

    async def ping(self) -> None:
        """Raises `Unavailable` with what is wrong."""
        with self._translated("asking whether it is there"):
            await self._client.ping()

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        from redis.exceptions import RedisError

        try:
            yield
        except (RedisError, OSError) as error:
            raise Unavailable(
                f"Redis at {self._place} failed while {what}: {error}. Check that it runs, and REDIS_URL with its user, password and "
                "TLS (rediss://)."
            ) from error


@asynccontextmanager
async def open_redis_answer_cache(
    url: str, *, timeout: float, ttl: float, max_entries: int
) -> AsyncIterator[RedisAnswerCache]:
    """A cache at a `redis://`, `rediss://` or `unix://` address; it is connected to when it is asked first. `timeout` in seconds.

    Raises `ConfigurationError`.
    """
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as Broken
    except ImportError as error:
        raise ConfigurationError(
            "Redis needs a package that is not installed: pip install 'anchorage[redis]'. Or set ANCHORAGE_CACHE__BACKEND=postgres."
        ) from error
    try:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=timeout, socket_timeout=timeout, socket_connect_timeout=timeout, protocol=2,
            retry=Retry(NoBackoff(), 1, (Broken,)),  # a connection that Redis closed meanwhile is made anew
        )  # fmt: skip
    except ValueError as error:
        raise ConfigurationError(
            "REDIS_URL is no address of a Redis: write redis://HOST:PORT/0, rediss://USER:PASSWORD@HOST:PORT/0 for TLS, or unix:///PATH."
        ) from error
    client = Redis(connection_pool=pool)
    try:
        yield RedisAnswerCache(client, _place(url), ttl=ttl, max_entries=max_entries)
    finally:
        await client.aclose()
        await pool.aclose()


def _place(url: str) -> str:
    """Where the server is, without what is secret in its address."""
    return url.partition("?")[0].rpartition("@")[2].rpartition("//")[2]


def _hash(question: str) -> bytes:
    return hashlib.sha256(question.encode("utf-8", "replace")).digest()


def _scope(slot: Slot) -> str:
    return f"{_PREFIX}{slot.family}:{slot.scope}"


def _answer(slot: Slot, question: bytes) -> str:
    return f"{_scope(slot)}:{question.hex()}"


def _read(found: Any) -> Payload | None:
    try:
        payload: Payload | None = None if found is None else json.loads(found)
    except ValueError:  # not what we wrote: nothing is known
        return None
    return payload


def _comparable(kept: Sequence[bytes], dimension: int) -> tuple[list[bytes], NDArray[np.float32]]:
    """Of each question the newest vector that still counts and has the right length."""
    now, newest = time.time(), dict[bytes, bytes]()
    for item in kept:
        if len(item) != _HEAD.size + 2 * dimension:
            continue
        question, until = _HEAD.unpack_from(item)
        if until > now:
            newest.setdefault(question, item[_HEAD.size :])
    vectors = np.frombuffer(b"".join(newest.values()), dtype="<f2").reshape(len(newest), dimension)
    return list(newest), vectors.astype(np.float32)


def _of_conversation(conversation_id: str) -> list[str]:
    """Which answers are kept for a conversation, and whether it was deleted."""
    return [f"{_PREFIX}conversation:{conversation_id}", f"{_PREFIX}deleted:{conversation_id}"]


@lru_cache(maxsize=2)
def _script(name: str) -> str:
    return files("anchorage.adapters.redis").joinpath(f"{name}.lua").read_text("utf-8")
