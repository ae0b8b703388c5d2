"""The ledger in Postgres. Turns only add to numbers in memory; a task writes them, a few seconds' worth at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import structlog

from anchorage.adapters.postgres.pool import Pool, connection_for
from anchorage.cancellation import raise_if_cancelled
from anchorage.errors import AnchorageError, BudgetExceeded, ModelBudgetSpent
from anchorage.model import Principal, Usage
from anchorage.ports.usage import Allowance, UsageRow
from anchorage.telemetry import record_degradation

_log = structlog.get_logger(__name__)
_SUMS_TTL = 10.0  # seconds for which sums read from the database are trusted; other processes add to them too
_MAX_SUMS = 10_000
_TOKENS_PER_PRICE = 1_000_000  # tokens that a price is for
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
    "FROM anchorage.usage WHERE {column} = %(name)s AND day BETWEEN %(first)s AND %(day)s"
)
_Account = tuple[Literal["principal", "model"], str]
"""Whose budget, as the table's columns have it."""


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

    def negate(self) -> _Counts:
        return _Counts(-self.requests, -self.prompt_tokens, -self.completion_tokens, -self.cost)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


_NOTHING = _Counts()


@dataclass(slots=True)
class _Sums:
    """What an account has used on `day` and in its month: read at `read_at`, and added to since."""

    day: date
    read_at: float
    day_cost: float
    month_cost: float
    day_tokens: float
    month_tokens: float

    def add(self, counts: _Counts) -> None:
        self.day_cost += counts.cost
        self.month_cost += counts.cost
        self.day_tokens += counts.tokens
        self.month_tokens += counts.tokens


def _read_today() -> date:
    return datetime.now(UTC).date()


@dataclass(slots=True)
class PostgresLedger:
    """Implements the `Ledger` port. Open it with `open_ledger`, which also writes the counts."""

    pool: Pool
    prices: Mapping[str, tuple[float, float]]
    """By model: the cost of a million tokens read and of a million written; `*` is every other model."""
    default: Allowance
    allowances: Mapping[str, Allowance]
    """Allowances of single principals, by id."""
    today: Callable[[], date] = _read_today
    _pending: dict[tuple[str, date, str], _Counts] = field(default_factory=dict)
    _sums: dict[_Account, _Sums] = field(default_factory=dict)
    _held: dict[_Account, _Counts] = field(default_factory=dict)
    """What is reserved for answers under way."""
    _has_pending: asyncio.Event = field(default_factory=asyncio.Event)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add(self, principal: Principal, usage: Usage) -> None:
        counts, model, day = self._price_usage(usage), usage.model or "unknown", self.today()
        self._pending.setdefault((principal.id, day, model), _Counts()).add(counts)
        accounts: tuple[_Account, ...] = (("principal", principal.id), ("model", model))
        for account in accounts:
            if (sums := self._sums.get(account)) and sums.day == day:
                sums.add(counts)
        self._has_pending.set()

    def _price_usage(self, usage: Usage) -> _Counts:
        read, written = self.prices.get(usage.model or "unknown") or self.prices.get("*") or (0.0, 0.0)
        cost = (usage.prompt_tokens * read + usage.completion_tokens * written) / _TOKENS_PER_PRICE
        return _Counts(1, usage.prompt_tokens, usage.completion_tokens, cost)

    def allowance(self, principal: Principal) -> Allowance:
        return self.allowances.get(principal.id, self.default)

    async def check(self, principal: Principal) -> None:
        spent = await self._describe_spent_budget(("principal", principal.id), self.allowance(principal))
        if spent:
            raise BudgetExceeded(f"Your budget {spent}; whoever runs this server can raise it (ANCHORAGE_USAGE__*).")

    @asynccontextmanager
    async def hold(self, principal: Principal, most: Usage) -> AsyncIterator[None]:
        await self.check(principal)
        with self._reserve(("principal", principal.id), most):
            yield

    @asynccontextmanager
    async def hold_model(self, allowance: Allowance, most: Usage) -> AsyncIterator[None]:
        account: _Account = ("model", most.model or "unknown")
        if spent := await self._describe_spent_budget(account, allowance):
            raise ModelBudgetSpent(
                f"The budget of the model {most.model!r} {spent}; whoever runs this server can raise it, or name another model to go on "
                "with (ANCHORAGE_LLM__DAILY_TOKENS, ANCHORAGE_LLM__DAILY_COST, ANCHORAGE_LLM__FALLBACKS)."
            )
        with self._reserve(account, most):
            yield

    @contextmanager
    def _reserve(self, account: _Account, most: Usage) -> Iterator[None]:
        counts = self._price_usage(most)
        held = self._held.setdefault(account, _Counts())
        held.add(counts)
        try:
            yield
        finally:
            held.add(counts.negate())
            if not held.requests:
                self._held.pop(account, None)

    async def _describe_spent_budget(self, account: _Account, allowed: Allowance) -> str:
        """Describe a budget that leaves nothing for another question; empty when there is room."""
        if allowed == Allowance():
            return ""
        day = self.today()
        sums = self._sums.get(account)
        if sums is None or sums.day != day or time.monotonic() - sums.read_at > _SUMS_TTL:
            sums = await self._read_sums(account, day)
        held = self._held.get(account, _NOTHING)
        tomorrow = day + timedelta(days=1)
        next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        for used, aside, limit, what, period, anew in (
            (sums.day_cost, held.cost, allowed.daily_cost, "cost", "day", tomorrow),
            (sums.month_cost, held.cost, allowed.monthly_cost, "cost", "month", next_month),
            (sums.day_tokens, held.tokens, allowed.daily_tokens, "tokens", "day", tomorrow),
            (sums.month_tokens, held.tokens, allowed.monthly_tokens, "tokens", "month", next_month),
        ):
            if limit is None or used + aside < limit:
                continue
            if used >= limit:
                return (
                    f"of {limit:g} {what} a {period} is spent ({used:.6g} used). It begins anew on {anew} at 00:00 UTC"
                )
            return (
                f"of {limit:g} {what} a {period} is nearly spent: {used:.6g} used, and {aside:.6g} set aside for questions under way. "
                "Ask again when they are answered"
            )
        return ""

    async def _read_sums(self, account: _Account, day: date) -> _Sums:
        column, name = account
        async with self._writing:  # no count is half written: it is either in the table or still pending
            async with connection_for(self.pool, "reading what was used") as connection:
                values = {"name": name, "day": day, "first": day.replace(day=1)}
                row = await (await connection.execute(_SUMS.format(column=column), values)).fetchone()
            assert row is not None
            sums = _Sums(day, time.monotonic(), *row)
            for (who, when, model), counts in self._pending.items():
                if when == day and name == (who if column == "principal" else model):
                    sums.add(counts)
            if len(self._sums) >= _MAX_SUMS:
                self._sums.clear()
            self._sums[account] = sums
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

    async def write_periodically(self, interval: float) -> None:
        """Write the pending counts every `interval` seconds, until cancelled. Waits while nothing is pending."""
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            await asyncio.sleep(interval)
            try:
                await self.flush()
            except AnchorageError as error:
                record_degradation("usage_not_written", error.message)
                self._has_pending.set()
            raise_if_cancelled()


@asynccontextmanager
async def open_ledger(
    pool: Pool,
    *,
    prices: Mapping[str, tuple[float, float]],
    default: Allowance,
    allowances: Mapping[str, Allowance],
    interval: float,
) -> AsyncIterator[PostgresLedger]:
    """Open a ledger that writes every `interval` seconds, and once more at the end."""
    ledger = PostgresLedger(pool, prices, default, allowances)
    task = asyncio.create_task(ledger.write_periodically(interval))
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
