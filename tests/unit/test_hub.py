"""Readers of streams: order, gaps, repetitions."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from anchorage.chat.streaming.hub import Hub, Reader, Signal
from anchorage.model import Principal
from anchorage.ports.streams import Line, Progress, StreamLog


def lines(*numbers: int) -> list[Line]:
    return [(number, f"token {number}") for number in numbers]


@pytest.mark.parametrize(
    ("pushed", "given", "behind"),
    [
        ([lines(4), lines(5, 6)], lines(4, 5, 6), False),
        ([lines(2, 3, 4), lines(4, 5)], lines(4, 5), False),  # what a poll and the writer both bring
        ([lines(4, 5), lines(4, 5)], lines(4, 5), False),
        ([lines(4), lines(6)], lines(4), True),
        ([lines(5)], [], True),
    ],
)
async def test_each_event_comes_once_and_in_order(pushed: list[list[Line]], given: list[Line], behind: bool) -> None:
    reader = Reader("owner", 3, quiet=0.01)
    for batch in pushed:
        reader.push_lines(batch)
    if given:
        assert await reader.read_next() == given
        reader.position = given[-1][0]
    assert await reader.read_next() is (Signal.BEHIND if behind else Signal.QUIET)


async def test_a_reader_that_falls_behind_reads_the_log() -> None:
    reader = Reader("owner", 0, quiet=0.01)
    reader.push_lines(lines(*range(1, 150)))
    reader.push_lines(lines(*range(150, 300)))
    assert await reader.read_next() is Signal.BEHIND


class SlowLog:
    """A log that answers a poll when it is told to."""

    def __init__(self, answer: Mapping[str, Progress]) -> None:
        self.answer, self.asked, self.go_on = answer, asyncio.Event(), asyncio.Event()

    async def note_followed(self, conversation_ids: Sequence[str], seconds: float | None = None) -> Sequence[str]:
        return []

    async def poll(self, positions: Mapping[str, int]) -> Mapping[str, Progress]:
        self.asked.set()
        await self.go_on.wait()
        return self.answer


@pytest.mark.parametrize(
    "answer", [{}, {"c": Progress("other", datetime(2026, 1, 2, tzinfo=UTC), (), 0, ended=False, held=True)}]
)
async def test_what_was_asked_before_a_reader_came_is_not_for_it(answer: Mapping[str, Progress]) -> None:
    """The conversation of the first one was deleted, and the second one reads another by the same id."""
    log = SlowLog(answer)
    hub = Hub(cast(StreamLog, log), lambda _: False, poll=10, quiet=0.05, note=10)
    with hub.open_reader(Principal("owner"), "c", 2) as first:
        await log.asked.wait()
        with hub.open_reader(Principal("other"), "c", 0) as second:
            log.go_on.set()
            assert await first.read_next() in (Signal.DELETED, Signal.GONE)
            assert await second.read_next() is Signal.QUIET
    hub.close()
