"""Raises cancellations that were lost."""

from __future__ import annotations

import asyncio


def raise_if_cancelled() -> None:
    """Raise `CancelledError` in a task that was cancelled and still runs.

    `asyncio.wait_for` of Python 3.11 (bpo-37658), which the database's driver waits with, returns its result where a cancellation comes at
    the same moment; and a connection that breaks by a cancellation raises its own error. An endless loop that calls this ends all the same.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
