"""The answer cache in Redis (6 or later) or Valkey. It needs no module: this process compares the newest vectors of a scope."""

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
_MAX_COMPARED = 500  # the newest questions of a scope that are compared with a new one
_MAX_FOUND = 3
_CONNECTIONS = 8  # at once; a caller waits at most `timeout` for a free one
_FORGET_BATCH = 10  # conversations in one script call; Redis serves nobody else meanwhile
_UNDER_WAY_MS = 900_000  # an answer may arrive so long after its conversation was deleted
_VECTOR_HEAD = struct.Struct("<32sd")  # hash of the question, and the Unix time at which it expires


class RedisAnswerCache:
    """Implements the `AnswerCache` port. Open it with `open_redis_answer_cache`."""

    def __init__(self, client: Redis, place: str, *, ttl: float, max_entries: int) -> None:
        self._client, self._address, self._ttl, self._max_entries = client, place, ttl, max_entries

    async def exact(self, slot: Slot) -> Payload | None:
        with self._translate_errors("looking for an earlier answer"):
            found = await self._client.get(_make_answer_key(slot, _hash_question(slot.question)))
        return _parse_payload(found)

    async def near(self, slot: Slot, vector: NDArray[Any], similarity: float) -> Sequence[Payload]:
        with self._translate_errors("looking for an earlier answer"):
            kept = await self._client.lrange(f"{_make_scope_key(slot)}:vectors", 0, _MAX_COMPARED - 1)
            hashes, vectors = _select_vectors(cast(list[bytes], kept), len(vector))
            if not hashes:
                return []
            cosines = vectors @ vector.astype(np.float32)
            best = [hashes[index] for index in np.argsort(-cosines)[:_MAX_FOUND] if cosines[index] >= similarity]
            found = await self._client.mget([_make_answer_key(slot, item) for item in best]) if best else []
        return [payload for item in found if (payload := _parse_payload(item)) is not None]

    async def keep(
        self, slot: Slot, vector: NDArray[Any] | None, payload: Payload, conversation_id: str | None = None
    ) -> None:
        scope, now, question = _make_scope_key(slot), time.time(), _hash_question(slot.question)
        milliseconds = max(1, int(1000 * self._ttl))
        data = b"" if vector is None else _VECTOR_HEAD.pack(question, now + self._ttl) + vector.astype("<f2").tobytes()
        family = f"{_PREFIX}{slot.family}:"
        keys = [
            _make_answer_key(slot, question),
            f"{scope}:vectors",
            f"{scope}:answers",
            f"{family}scopes",
            f"{_PREFIX}all",
        ]
        keys += [] if conversation_id is None else _make_conversation_keys(conversation_id)
        values: list[str | bytes | int] = [
            json.dumps(payload), milliseconds, repr(1000 * now), slot.scope, family, data, _MAX_COMPARED, self._max_entries,
        ]  # fmt: skip
        with self._translate_errors("keeping an answer"):
            await self._client.eval(_read_script("keep"), len(keys), *keys, *values)

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        with self._translate_errors("forgetting the answers of a conversation"):
            failed: Exception | None = None
            for start in range(0, len(conversation_ids), _FORGET_BATCH):
                some = conversation_ids[start : start + _FORGET_BATCH]
                keys = [f"{_PREFIX}all", *(key for item in some for key in _make_conversation_keys(item))]
                try:
                    await self._client.eval(_read_script("forget"), len(keys), *keys, _UNDER_WAY_MS)
                except Exception as error:  # noqa: BLE001  the others are forgotten all the same
                    failed = failed or error
            if failed:
                raise failed

    async def ping(self) -> None:
        """Raises `Unavailable` with what is wrong."""
        with self._translate_errors("asking whether it is there"):
            await self._client.ping()

    @contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        from redis.exceptions import RedisError

        try:
            yield
        except (RedisError, OSError) as error:
            raise Unavailable(
                f"Redis at {self._address} failed while {what}: {error}. Check that it runs, and REDIS_URL with its user, password and "
                "TLS (rediss://)."
            ) from error


@asynccontextmanager
async def open_redis_answer_cache(
    url: str, *, timeout: float, ttl: float, max_entries: int
) -> AsyncIterator[RedisAnswerCache]:
    """Open a cache at a `redis://`, `rediss://` or `unix://` address. It connects at its first use. `timeout` in seconds.

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
        yield RedisAnswerCache(client, _strip_secrets(url), ttl=ttl, max_entries=max_entries)
    finally:
        await client.aclose()
        await pool.aclose()


def _strip_secrets(url: str) -> str:
    """Remove user, password and query from the server's address."""
    return url.partition("?")[0].rpartition("@")[2].rpartition("//")[2]


def _hash_question(question: str) -> bytes:
    return hashlib.sha256(question.encode("utf-8", "replace")).digest()


def _make_scope_key(slot: Slot) -> str:
    return f"{_PREFIX}{slot.family}:{slot.scope}"


def _make_answer_key(slot: Slot, question: bytes) -> str:
    return f"{_make_scope_key(slot)}:{question.hex()}"


def _parse_payload(found: Any) -> Payload | None:
    try:
        payload: Payload | None = None if found is None else json.loads(found)
    except ValueError:  # not written by us: treat it as missing
        return None
    return payload


def _select_vectors(kept: Sequence[bytes], dimension: int) -> tuple[list[bytes], NDArray[np.float32]]:
    """Select the newest vector of each question that has not expired and has the right length."""
    now, newest = time.time(), dict[bytes, bytes]()
    for item in kept:
        if len(item) != _VECTOR_HEAD.size + 2 * dimension:
            continue
        question, until = _VECTOR_HEAD.unpack_from(item)
        if until > now:
            newest.setdefault(question, item[_VECTOR_HEAD.size :])
    vectors = np.frombuffer(b"".join(newest.values()), dtype="<f2").reshape(len(newest), dimension)
    return list(newest), vectors.astype(np.float32)


def _make_conversation_keys(conversation_id: str) -> list[str]:
    """The keys that hold a conversation's answers, and the mark that it was deleted."""
    return [f"{_PREFIX}conversation:{conversation_id}", f"{_PREFIX}deleted:{conversation_id}"]


@lru_cache(maxsize=2)
def _read_script(name: str) -> str:
    return files("anchorage.adapters.redis").joinpath(f"{name}.lua").read_text("utf-8")
