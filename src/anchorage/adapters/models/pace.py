"""Keeping to a provider's rate limits before it refuses: the headers `x-ratelimit-*` that OpenAI and others send.

    x-ratelimit-limit-requests, x-ratelimit-limit-tokens            how much fits
    x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens    how much is left now
    x-ratelimit-reset-requests, x-ratelimit-reset-tokens            until all of it is there again: "1s", "6m0s", "12ms", seconds

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
_TOLD = 1.0  # a shorter wait is nothing to tell


def reset_seconds(value: str) -> float | None:
    """Seconds until a limit is whole again, from what providers write; None for what nobody can read."""
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
    """One limit as an answer told it: `left` of `limit` at `at`, all of it at `full_at` (monotonic seconds)."""

    left: float
    limit: float | None
    at: float
    full_at: float

    def wait(self, needed: float, now: float) -> float:
        """Seconds until `needed` fits."""
        if now >= self.full_at:
            return 0.0
        if self.limit is None or self.limit <= self.left:
            return 0.0 if self.left >= needed else self.full_at - now
        # What does not fit at all is sent when everything is there, for the server to judge.
        share = (min(needed, self.limit) - self.left) / (self.limit - self.left)
        return max(0.0, self.at + share * (self.full_at - self.at) - now)


class NoRoom(Exception):
    """A caller's patience is over, and the provider still has no room."""


@dataclass(slots=True)
class Pace:
    """Lets a call through when the provider has room for it. One for each endpoint and model; for any number of callers."""

    longest_wait: float = 60.0
    """Seconds; a call that would wait for longer is sent, and the server's refusal tells the caller why."""
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    _flying: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0.0))

    @asynccontextmanager
    async def turn(self, tokens: int, longest: float | None = None) -> AsyncIterator[None]:
        """Wait until one request of about so many tokens fits, and hold its place while it is under way.

        Raises `NoRoom` after `longest` seconds, behind others who wait or not.
        """
        needed = {"requests": 1.0, "tokens": float(tokens)}
        try:
            async with asyncio.timeout(longest), self._gate:  # in turn: whoever waits must not be overtaken
                await self._room(needed, self.longest_wait if longest is None else longest)
                for kind in _KINDS:
                    self._flying[kind] += needed[kind]
        except TimeoutError as error:
            raise NoRoom from error
        try:
            yield
        finally:
            for kind in _KINDS:
                self._flying[kind] -= needed[kind]

    async def _room(self, needed: Mapping[str, float], longest: float) -> None:
        now = time.monotonic()
        waits = [bucket.wait(needed[kind] + self._flying[kind], now) for kind, bucket in self._buckets.items()]
        wait = max(waits, default=0.0)
        if longest < wait <= self.longest_wait:
            raise NoRoom  # whoever waits longest knows it now
        if 0 < wait <= self.longest_wait:
            if wait >= _TOLD:
                _log.info("waiting_for_rate_limit", seconds=round(wait, 1))
            await asyncio.sleep(wait)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take what an answer's headers say."""
        now = time.monotonic()
        for kind in _KINDS:
            left, reset = headers.get(f"x-ratelimit-remaining-{kind}"), headers.get(f"x-ratelimit-reset-{kind}")
            if left is None or reset is None:
                continue
            seconds = reset_seconds(reset)
            amount = _amount(left)
            if seconds is None or amount is None:
                self._buckets.pop(kind, None)
                continue
            limit = _amount(headers.get(f"x-ratelimit-limit-{kind}", ""))
            self._buckets[kind] = _Bucket(amount, limit, now, now + seconds)


def _amount(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None  # Azure writes -1 where it does not know
