"""`anchorage jobs watch`: when it ends, and when it goes on."""

import asyncio
from typing import Any

import pytest

from anchorage.faces.cli import jobs


class Queue:
    """Tells one state after another, and then that somebody pressed Ctrl+C."""

    def __init__(self, *left: int) -> None:
        self.left = list(left)

    async def counts(self) -> dict[str, int]:
        if not self.left:
            raise asyncio.CancelledError
        return {"queued": self.left.pop(0), "running": 0, "failed": 0}


async def watched(queue: Queue, *, follow: bool) -> int:
    api: Any = queue
    return await jobs._watch(api, follow=follow)


async def test_it_ends_with_the_last_job_or_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_PAUSE", 0)
    assert await watched(Queue(0), follow=False) == 0
    queue = Queue(3, 1, 0, 5)
    assert await watched(queue, follow=False) == 3 and queue.left == [5]
    queue = Queue(0, 0, 2, 0, 1)
    with pytest.raises(asyncio.CancelledError):
        await watched(queue, follow=True)
    assert not queue.left
