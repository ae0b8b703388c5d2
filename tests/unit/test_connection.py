"""Streams that keep their connection, and work that ends with its client."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.requests import ClientDisconnect

from anchorage.faces.http.connection import batch_events, run_while_connected


async def numbers(until: int, closed: list[bool], *, pause_at: int = -1) -> AsyncGenerator[int, None]:
    try:
        for number in range(until):
            if number == pause_at:
                await asyncio.Event().wait()
            yield number
        raise LookupError("over")
    finally:
        closed.append(True)


async def test_all_events_come_in_order_then_what_went_wrong() -> None:
    closed: list[bool] = []
    found: list[int] = []
    with pytest.raises(LookupError):
        async for batch in batch_events(numbers(1000, closed), 10):
            assert batch
            found += batch
            await asyncio.sleep(0)
    assert found == list(range(1000)) and closed == [True]


async def test_silence_is_told_and_closing_closes_the_source() -> None:
    closed: list[bool] = []
    source = batch_events(numbers(9, closed, pause_at=3), 0.01)
    assert [list(await anext(source)) for _ in range(3)] == [[0, 1, 2], [], []]
    await source.aclose()
    assert closed == [True]


async def test_a_slow_reader_is_waited_for() -> None:
    closed: list[bool] = []
    source = batch_events(numbers(10_000, closed), 10)
    assert len(await anext(source)) <= 256
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(await anext(source)) <= 256
    await source.aclose()
    assert closed == [True]


async def test_work_ends_with_its_client() -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def work() -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return 1

    asyncio.get_running_loop().call_soon(gone.set)
    with pytest.raises(ClientDisconnect):
        await run_while_connected(receive, work())  # type: ignore[arg-type]
    assert ended.is_set()

    async def quick() -> int:
        return 7

    assert await run_while_connected(lambda: asyncio.Future(), quick()) == 7
