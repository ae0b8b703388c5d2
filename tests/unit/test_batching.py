"""Common batches and shared room."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from anchorage.batching import Batcher
from anchorage.errors import ModelError, ModelUnavailable
from anchorage.ingest.batching import Budget, group_items, run_concurrently


async def test_who_calls_while_a_batch_is_busy_shares_the_next() -> None:
    batches: list[list[int]] = []
    go_on = asyncio.Event()

    async def run(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        await go_on.wait()
        return [item * 10 for item in items]

    double = Batcher(run, limit=4, weight=lambda item: 1)
    first = asyncio.create_task(double(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(double(item)) for item in range(1, 7)]
    await asyncio.sleep(0)
    others[0].cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await first == 0
    assert await asyncio.gather(*others[1:]) == [20, 30, 40, 50, 60]
    assert batches == [[0], [2, 3, 4, 5], [6]]


async def test_one_bad_item_fails_alone_and_what_is_temporary_fails_all() -> None:
    async def run(items: Sequence[str]) -> Sequence[str]:
        if "bad" in items:
            raise ModelError("The model refused a text.")
        if "away" in items:
            raise ModelUnavailable("The model is away.")
        return items

    call = Batcher(run, limit=10, weight=len)
    assert [type(item) for item in await asyncio.gather(call("a"), call("bad"), call("b"), return_exceptions=True)] == [
        str, ModelError, str,
    ]  # fmt: skip
    assert {type(item) for item in await asyncio.gather(call("a"), call("away"), return_exceptions=True)} == {
        ModelUnavailable
    }
    assert await call("a") == "a"


async def test_room_is_given_in_turn_and_none_is_lost() -> None:
    budget = Budget(10)
    assert await budget.take(50) == 10
    large, small = asyncio.create_task(budget.take(8)), asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    budget.give(5)
    await asyncio.sleep(0)
    assert not large.done() and not small.done()  # the small one does not overtake
    large.cancel()
    await asyncio.gather(large, return_exceptions=True)
    assert await small == 1
    budget.give(5)
    granted = asyncio.create_task(budget.take(9))
    await asyncio.sleep(0)
    assert granted.done()
    late = asyncio.create_task(budget.take(5))
    await asyncio.sleep(0)
    budget.give(9)
    late.cancel()  # granted and cancelled in one moment
    await asyncio.gather(late, return_exceptions=True)
    budget.give(1)
    assert await asyncio.wait_for(budget.take(10), 1) == 10


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_groups_and_concurrent_work() -> None:
    assert [group async for group in group_items(numbers(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [group async for group in group_items(numbers(3), 2, 0.0)] == [[0], [1], [2]]  # they come slower than that
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if number == 20:
            raise ModelError("broken")
        return number

    assert sorted([result async for result in run_concurrently(numbers(12), work, 3)]) == list(range(12))
    assert most == 3
    before = asyncio.all_tasks()
    with pytest.raises(ModelError):
        async for _ in run_concurrently(numbers(40), work, 3):
            pass
    assert asyncio.all_tasks() == before
