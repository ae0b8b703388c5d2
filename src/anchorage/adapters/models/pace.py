"""Keeps calls within a provider's rate limits, by the headers `x-ratelimit-*` that OpenAI and others send.

    x-ratelimit-limit-requests, x-ratelimit-limit-tokens            the limit
    x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens    how much is left now
    x-ratelimit-reset-requests, x-ratelimit-reset-tokens            time until the whole limit is free again: "1s", "6m0s", "12ms", seconds

Limits refill steadily, so a call waits only until there is room for it. Servers without these headers are not slowed.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

_log = structlog.get_logger(__name__)
_KINDS = ("requests", "tokens")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_EPOCH = 10**9
_LOGGED_WAIT = 1.0  # shorter waits are not logged


def parse_reset(value: str) -> float | None:
    """Seconds until a limit is free again, from the forms that providers write; None for any other text."""
    text = value.strip().lower()
    try:
        number = float(text)
    except ValueError:
        parts = _PART.findall(text)
        if not parts or "".join(amount + unit for amount, unit in parts) != text:
            return None
        return sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
    if not math.isfinite(number) or number < 0:
        return None
    return max(0.0, number - time.time()) if number > _EPOCH else number


@dataclass(frozen=True, slots=True)
class _Bucket:
    """One limit, as an answer reported it: `left` of `limit` at the time `at`, all of it at `full_at` (monotonic seconds)."""

    left: float
    limit: float | None
    at: float
    full_at: float

    def compute_wait(self, needed: float, now: float) -> float:
        """Seconds until there is room for `needed`."""
        if now >= self.full_at:
            return 0.0
        if self.limit is None or self.limit <= self.left:
            return 0.0 if self.left >= needed else self.full_at - now
        # What is larger than the limit is sent when all of the limit is free: the server decides.
        share = (min(needed, self.limit) - self.left) / (self.limit - self.left)
        return max(0.0, self.at + share * (self.full_at - self.at) - now)


class NoRoom(Exception):
    """The caller has waited as long as it may, and the provider still has no room."""


@dataclass(slots=True)
class RateLimiter:
    """Holds calls back until the provider has room for them. One for each endpoint and model, for any number of callers."""

    longest_wait: float = 60.0
    """Seconds. A call that would wait longer is sent at once, and the caller gets the server's refusal."""
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    _under_way: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0.0))

    @asynccontextmanager
    async def reserve(self, tokens: int, longest: float | None = None) -> AsyncIterator[None]:
        """Wait until there is room for one request of about so many tokens, and reserve it while the request is under way.

        Raises `NoRoom` after `longest` seconds, whether others wait before it or not.
        """
        needed = {"requests": 1.0, "tokens": float(tokens)}
        try:
            async with asyncio.timeout(longest), self._gate:  # one after the other: nobody overtakes a caller who waits
                await self._wait_for_room(needed, self.longest_wait if longest is None else longest)
                for kind in _KINDS:
                    self._under_way[kind] += needed[kind]
        except TimeoutError as error:
            raise NoRoom from error
        try:
            yield
        finally:
            for kind in _KINDS:
                self._under_way[kind] -= needed[kind]

    async def _wait_for_room(self, needed: Mapping[str, float], longest: float) -> None:
        now = time.monotonic()
        waits = [
            bucket.compute_wait(needed[kind] + self._under_way[kind], now) for kind, bucket in self._buckets.items()
        ]
        wait = max(waits, default=0.0)
        if longest < wait <= self.longest_wait:
            raise NoRoom  # the wait would be too long, so raise now
        if 0 < wait <= self.longest_wait:
            if wait >= _LOGGED_WAIT:
                _log.info("waiting_for_rate_limit", seconds=round(wait, 1))
            await asyncio.sleep(wait)

    def learn_limits(self, headers: Mapping[str, str]) -> None:
        """Record the limits that an answer's headers report."""
        now = time.monotonic()
        for kind in _KINDS:
            left, reset = headers.get(f"x-ratelimit-remaining-{kind}"), headers.get(f"x-ratelimit-reset-{kind}")
            if left is None or reset is None:
                continue
            seconds = parse_reset(reset)
            amount = _parse_amount(left)
            if seconds is None or amount is None:
                self._buckets.pop(kind, None)
                continue
            limit = _parse_amount(headers.get(f"x-ratelimit-limit-{kind}", ""))
            self._buckets[kind] = _Bucket(amount, limit, now, now + seconds)


def _parse_amount(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None  # Azure writes -1 where it does not know
