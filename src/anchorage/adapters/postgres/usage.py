"""The ledger in Postgres. Turns only add to numbers in memory; a task writes them, a few seconds' worth at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import structlog

from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.errors import AnchorageError, BudgetExceeded
from anchorage.model import Principal, Usage, UsageRow
from anchorage.ports.usage import Allowance
from anchorage.telemetry import degraded

_log = structlog.get_logger(__name__)
_FRESH = 10.0  # seconds for which sums read from the database are trusted; other processes add to them too
_MOST_SUMS = 10_000
_PRICED = 1_000_000  # tokens that a price is for
_ADD = (
    "INSERT INTO anchorage.usage AS u (principal, day, model, requests, prompt_tokens, completion_tokens, cost) "
    "SELECT * FROM unnest(%s::text[], %s::date[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::float8[]) "
    "ON CONFLICT (principal, day, model) DO UPDATE SET requests = u.requests + excluded.requests, "
    "prompt_tokens = u.prompt_tokens + excluded.prompt_tokens, "
    "completion_tokens = u.completion_tokens + excluded.completion_tokens, cost = u.cost + excluded.cost"
)
_SUMS = (
    "SELECT coalesce(sum(cost) FILTER (WHERE day = %(day)s), 0), coalesce(sum(cost), 0), "
    "coalesce(sum(prompt_tokens + completion_tokens) FILTER (WHERE day = %(day)s), 0)::float8, "
    "coalesce(sum(prompt_tokens + completion_tokens), 0)::float8 "
    "FROM anchorage.usage WHERE principal = %(principal)s AND day BETWEEN %(first)s AND %(day)s"
)


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def add(self, other: _Counts) -> None:
        self.requests += other.requests
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.cost += other.cost


@dataclass(slots=True)
class _Sums:
    """What a principal has used on `day` and in its month, as of `read_at` and counted on since."""

    day: date
    read_at: float
    day_cost: float
    month_cost: float
    day_tokens: float
    month_tokens: float

    def add(self, counts: _Counts) -> None:
        tokens = counts.prompt_tokens + counts.completion_tokens
        self.day_cost += counts.cost
        self.month_cost += counts.cost
        self.day_tokens += tokens
        self.month_tokens += tokens


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(slots=True)
class PostgresLedger:
    """Implements the `Ledger` port. Open it with `open_ledger`, which writes what is counted."""

    pool: Pool
    prices: Mapping[str, tuple[float, float]]
    """By model: the cost of a million tokens read and of a million written; `*` is every other model."""
    default: Allowance
    allowances: Mapping[str, Allowance]
    """Of single principals, by id."""
    today: Callable[[], date] = _today
    _pending: dict[tuple[str, date, str], _Counts] = field(default_factory=dict)
    _sums: dict[str, _Sums] = field(default_factory=dict)
    _something: asyncio.Event = field(default_factory=asyncio.Event)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add(self, principal: Principal, usage: Usage) -> None:
        model = usage.model or "unknown"
        read, written = self.prices.get(model) or self.prices.get("*") or (0.0, 0.0)
        cost = (usage.prompt_tokens * read + usage.completion_tokens * written) / _PRICED
        counts = _Counts(1, usage.prompt_tokens, usage.completion_tokens, cost)
        day = self.today()
        self._pending.setdefault((principal.id, day, model), _Counts()).add(counts)
        if (sums := self._sums.get(principal.id)) and sums.day == day:
            sums.add(counts)
        self._something.set()

    def allowance(self, principal: Principal) -> Allowance:
        return self.allowances.get(principal.id, self.default)

    async def check(self, principal: Principal) -> None:
        allowed = self.allowance(principal)
        if allowed == Allowance():
            return
        day = self.today()
        sums = self._sums.get(principal.id)
        if sums is None or sums.day != day or time.monotonic() - sums.read_at > _FRESH:
            sums = await self._read_sums(principal.id, day)
        tomorrow = day + timedelta(days=1)
        next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        for used, limit, what, period, anew in (
            (sums.day_cost, allowed.daily_cost, "cost", "day", tomorrow),
            (sums.month_cost, allowed.monthly_cost, "cost", "month", next_month),
            (sums.day_tokens, allowed.daily_tokens, "tokens", "day", tomorrow),
            (sums.month_tokens, allowed.monthly_tokens, "tokens", "month", next_month),
        ):
            if limit is not None and used >= limit:
                raise BudgetExceeded(
                    f"Your budget of {limit:g} {what} a {period} is spent ({used:.6g} used). It begins anew on {anew} at 00:00 UTC; "
                    "whoever runs this server can raise it (ANCHORAGE_USAGE__*)."
                )

    async def _read_sums(self, principal: str, day: date) -> _Sums:
        async with self._writing:  # so that nothing is half written: it is either in the table or still pending
            async with connection_for(self.pool, "reading what was used") as connection:
                values = {"principal": principal, "day": day, "first": day.replace(day=1)}
                row = await (await connection.execute(_SUMS, values)).fetchone()
            assert row is not None
            sums = _Sums(day, time.monotonic(), *row)
            for (who, when, _), counts in self._pending.items():
                if who == principal and when == day:
                    sums.add(counts)
            if len(self._sums) >= _MOST_SUMS:
                self._sums.clear()
            self._sums[principal] = sums
            return sums

    async def rows(self, since: date, principal: Principal | None = None) -> Sequence[UsageRow]:
        await self.flush()
        async with connection_for(self.pool, "reading what was used") as connection:
            cursor = await connection.execute(
                "SELECT day, principal, model, requests, prompt_tokens, completion_tokens, cost FROM anchorage.usage "
                "WHERE day >= %(since)s AND (%(who)s::text IS NULL OR principal = %(who)s) ORDER BY day DESC, principal, model",
                {"since": since, "who": principal.id if principal else None},
            )
            return [UsageRow(*row) for row in await cursor.fetchall()]

    async def flush(self) -> None:
        """Write what is pending. Raises what the database raises; what could not be written stays pending."""
        async with self._writing:
            taken, self._pending = self._pending, {}
            if not taken:
                return
            # In one order everywhere, or two processes that add to the same rows would wait for each other.
            lines = [
                (*key, counts.requests, counts.prompt_tokens, counts.completion_tokens, counts.cost)
                for key, counts in sorted(taken.items())
            ]
            try:
                async with connection_for(self.pool, "writing what was used") as connection:
                    await connection.execute(_ADD, [list(column) for column in zip(*lines, strict=True)])
            except BaseException:  # also when it is cancelled
                for key, counts in taken.items():
                    self._pending.setdefault(key, _Counts()).add(counts)
                raise

    async def keep_writing(self, interval: float) -> None:
        """Write every so many seconds in which there is something to write, until it is cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            await asyncio.sleep(interval)
            try:
                await self.flush()
            except AnchorageError as error:
                degraded("usage_not_written", error.message)
                self._something.set()


@asynccontextmanager
async def open_ledger(
    pool: Pool,
    *,
    prices: Mapping[str, tuple[float, float]],
    default: Allowance,
    allowances: Mapping[str, Allowance],
    interval: float,
) -> AsyncIterator[PostgresLedger]:
    """A ledger that writes every `interval` seconds, and what is left at the end."""
    ledger = PostgresLedger(pool, prices, default, allowances)
    task = asyncio.create_task(ledger.keep_writing(interval))
    try:
        yield ledger
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        try:
            await ledger.flush()
        except AnchorageError as error:
            _log.error("usage_lost", reason=error.message)
