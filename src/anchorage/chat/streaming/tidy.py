"""tidy: deletes old events and old conversations."""

from __future__ import annotations

import asyncio

import structlog

from anchorage.cancellation import raise_if_cancelled
from anchorage.chat.memory.recall import Caching, forget_answers
from anchorage.errors import AnchorageError
from anchorage.ports.memory import Memory
from anchorage.ports.streams import StreamLog

_log = structlog.get_logger(__name__)
_SWEEP_INTERVAL = 60.0  # seconds


async def sweep_forever(
    log: StreamLog, memory: Memory, caching: Caching | None, *, retention: float, ttl: float | None
) -> None:
    """Delete the events of answers that ended `retention` seconds ago, and conversations `ttl` seconds after their last turn."""
    while True:
        try:
            while await log.sweep(retention):
                pass
            while ttl is not None and (forgotten := await memory.forget(ttl)):
                await forget_answers(caching, forgotten)
        except AnchorageError as error:  # Postgres is away: try again at the next round
            _log.warning("tidying_failed", reason=error.message)
        raise_if_cancelled()
        await asyncio.sleep(_SWEEP_INTERVAL)
