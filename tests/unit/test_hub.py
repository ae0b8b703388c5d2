"""Readers of streams: order, gaps, repetitions."""

import pytest

from anchorage.chat.hub import Reader, Sign
from anchorage.ports.streams import Line


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
        reader.push(batch)
    if given:
        assert await reader.next() == given
        reader.position = given[-1][0]
    assert await reader.next() is (Sign.BEHIND if behind else Sign.QUIET)


async def test_a_reader_that_falls_behind_reads_the_log() -> None:
    reader = Reader("owner", 0, quiet=0.01)
    reader.push(lines(*range(1, 150)))
    reader.push(lines(*range(150, 300)))
    assert await reader.next() is Sign.BEHIND
