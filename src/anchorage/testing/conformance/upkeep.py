"""What every `Upkeep` must do. Subclass with a fixture `world`."""

from __future__ import annotations

import asyncio
import random

from anchorage.testing.collections import ANNA, WORDS, CollectionWorld, document


async def _changed_often(world: CollectionWorld) -> None:
    chance = random.Random(11)
    for step in range(40):
        items = [document(f"u{n}", " ".join(chance.choices(WORDS, k=12)), version=f"v{step}") for n in range(3)]
        ids = await world.catalog.replace(ANNA, "c", items)
        if step % 4 == 0:
            await world.catalog.delete(ANNA, ids[:1])


class UpkeepConformance:
    """It comes to an end, changes no answer, and is done by one at a time."""

    async def test_it_comes_to_an_end_and_changes_no_answer(self, world: CollectionWorld) -> None:
        await _changed_often(world)
        before = await world.ask("word1 word2 word3")
        assert before.hits
        assert await world.upkeep.maintain() > 0
        await world.tidy()
        assert await world.upkeep.maintain(settled=True) == 0
        assert await world.ask("word1 word2 word3") == before

    async def test_two_at_once_do_not_disturb_one_another(self, world: CollectionWorld) -> None:
        await _changed_often(world)
        before = await world.ask("word4 word5")
        await asyncio.gather(*(world.upkeep.maintain(settled=True) for _ in range(3)))
        await asyncio.gather(*(world.upkeep.maintain(settled=True, wait=True) for _ in range(3)))
        await world.tidy()
        assert await world.ask("word4 word5") == before

    async def test_documents_come_and_go_meanwhile(self, world: CollectionWorld) -> None:
        writing = asyncio.create_task(_changed_often(world))
        while not writing.done():
            await world.upkeep.maintain(settled=True)
            await asyncio.sleep(0)
        await writing
        await world.tidy()
        held = await world.catalog.documents(ANNA, collection="c")
        found = await world.ask(" ".join(WORDS), k=100)
        assert {hit.uri for hit in found.hits} == {item.uri for item in held}

    async def test_a_collection_that_is_dropped_meanwhile(self, world: CollectionWorld) -> None:
        for name in ("d", "e", "f"):
            await world.open(name)
            for number in range(20):
                await world.catalog.replace(ANNA, name, [document(f"u{number}", f"harbour {number}")])

        async def drop() -> None:
            for name in ("d", "e", "f"):
                await world.catalog.drop_collection(ANNA, name)

        await asyncio.gather(drop(), *(world.upkeep.maintain(settled=True, wait=True) for _ in range(4)))
        await world.tidy()
        assert {item.name for item in await world.catalog.collections(ANNA)} == {"c"}
