"""What every `Catalog` must do. Subclass with a fixture `world`."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import numpy as np
import pytest

from anchorage.errors import NotAllowed, NotFound, Superseded
from anchorage.model import Block, BlockKind, Failure
from anchorage.model.search import Query, Span
from anchorage.testing.collections import ANNA, BEN, CollectionWorld, document


class CatalogConformance:
    """Documents come, change and go, and nobody sees or changes what is not theirs."""

    async def test_a_failure_keeps_the_version_that_answers(self, world: CollectionWorld) -> None:
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
        await world.catalog.fail(ANNA, "c", "a", "a", Failure("corrupt", "a is damaged."), {})
        assert len((await world.ask("harbour")).hits) == 1
        shown = await world.catalog.document(ANNA, one)
        assert (shown.status.value, shown.error) == ("failed", Failure("corrupt", "a is damaged."))
        await world.catalog.confirm(ANNA, one, "v1", None)
        assert (await world.catalog.document(ANNA, one)).error is None

    async def test_a_deleted_document_answers_no_more(self, world: CollectionWorld) -> None:
        ids = await world.catalog.replace(ANNA, "c", [document("a", "harbour one"), document("b", "harbour two")])
        assert list(await world.catalog.delete(ANNA, ids[:1])) == ids[:1]
        assert [hit.uri for hit in (await world.ask("harbour")).hits] == ["b"]
        assert not await world.catalog.delete(ANNA, ids[:1])
        with pytest.raises(NotFound):
            await world.catalog.document(ANNA, ids[0])

    async def test_a_new_version_replaces_the_old_one_at_once(self, world: CollectionWorld) -> None:
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", "the old harbour", "second old passage")])
        (two,) = await world.catalog.replace(ANNA, "c", [document("a", "the new harbour", version="v2")])
        assert one == two
        assert [hit.text for hit in (await world.ask("harbour")).hits] == ["the new harbour"]
        assert (await world.catalog.text(ANNA, one)).version == "v2"

    async def test_the_text_of_a_cited_version_stays(self, world: CollectionWorld) -> None:
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", "the old harbour of Ghent")])
        assert list(await world.catalog.excerpts(BEN, [Span(one, "v1", 4, 15)], keep=True)) == [None]
        await world.catalog.excerpts(ANNA, [Span(one, "v1", 4, 15)], keep=True)
        await world.catalog.replace(ANNA, "c", [document("a", "new", version="v2")])
        (excerpt,) = await world.catalog.excerpts(ANNA, [Span(one, "v1", 4, 15)], width=4)
        assert excerpt is not None
        assert (excerpt.prefix, excerpt.quote, excerpt.suffix) == ("the ", "old harbour", " of ")

    async def test_the_blocks_of_a_text_are_for_those_who_may_read_it(self, world: CollectionWorld) -> None:
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", "the old harbour", "of Ghent")])
        asked = [(one, "v1"), (one, "v2")]
        found = await world.catalog.structures(ANNA, asked)
        assert {version: list(blocks) for version, blocks in found.items()} == {
            (one, "v1"): [Block(BlockKind.PARAGRAPH, 0, 24)]
        }
        assert not await world.catalog.structures(BEN, asked)
        await world.catalog.delete(ANNA, [one])
        assert not await world.catalog.structures(ANNA, asked)

    async def test_what_the_caller_has_of_a_text_is_not_read_and_the_rest_is(self, world: CollectionWorld) -> None:
        text = "In Ghent the old harbour was dug by hand."
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", text)])
        passage = text[9:30]  # "the old harbour was d"
        for start, end in ((13, 24), (9, 16), (20, 30), (0, 8), (33, 41)):
            (read,) = await world.catalog.excerpts(ANNA, [Span(one, "v1", start, end)], width=4)
            (with_it,) = await world.catalog.excerpts(ANNA, [Span(one, "v1", start, end, passage, 9)], width=4)
            assert read == with_it
            assert read is not None and (read.prefix, read.quote, read.suffix) == (
                text[max(start - 4, 0) : start], text[start:end], text[end : end + 4],
            )  # fmt: skip
        # Seen by a text that is not the kept one: only then can it be told what was read.
        (told,) = await world.catalog.excerpts(ANNA, [Span(one, "v1", 13, 24, passage.upper(), 9)], width=4)
        assert told is not None and told.quote == "OLD HARBOUR"
        (read,) = await world.catalog.excerpts(ANNA, [Span(one, "v1", 9, 16, passage.upper(), 9)], width=4)
        assert read is not None and read.quote == "the old"
        for other, version in ((BEN, "v1"), (ANNA, "v0")):
            assert list(await world.catalog.excerpts(other, [Span(one, version, 13, 24, passage, 9)], keep=True)) == [
                None
            ]

    async def test_a_principal_sees_only_what_it_may(self, world: CollectionWorld) -> None:
        (one,) = await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
        for forbidden in (
            world.catalog.document(BEN, one),
            world.catalog.text(BEN, one),
            world.ask("harbour", principal=BEN),
            world.catalog.drop_collection(BEN, "c"),
            world.catalog.documents(BEN, collection="c"),
            world.catalog.replace(BEN, "c", [document("x", "y")]),
        ):
            with pytest.raises(NotFound):
                await forbidden
        with pytest.raises(NotAllowed):
            await world.catalog.open_collection(BEN, "c", world.spec())
        assert not (await world.ask("harbour", principal=BEN, names=None)).hits
        assert not await world.catalog.delete(BEN, [one])
        assert list(await world.catalog.excerpts(BEN, [Span(one, "v1", 0, 3)])) == [None]
        assert not await world.catalog.documents(BEN)
        assert not await world.catalog.versions(BEN, "c", ["a"])

    async def test_a_collection_keeps_its_index_whatever_the_settings_say(self, world: CollectionWorld) -> None:
        await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
        other = world.spec(16, "other")
        assert (await world.catalog.open_collection(ANNA, "c", other)).index == world.spec()
        found = await world.search.search(ANNA, Query("x", {other.embedder: np.ones(16, dtype=np.float32)}, 5), ["c"])
        assert list(found.needs) == [world.spec().embedder] and not found.hits

    async def test_an_empty_collection_takes_another_embedder(self, world: CollectionWorld) -> None:
        ids = await world.catalog.replace(ANNA, "c", [document("a", "harbour")])
        await world.catalog.delete(ANNA, ids)
        assert (await world.catalog.open_collection(ANNA, "c", world.spec(16, "other"))).index.embedder.name == "other"

    async def test_what_was_read_before_a_change_does_not_undo_it(self, world: CollectionWorld) -> None:
        await world.catalog.replace(ANNA, "c", [replace(document("a", "old bread"), replaces="")])
        await world.catalog.replace(ANNA, "c", [replace(document("a", "new bread", version="v2"), replaces="v1")])
        late = replace(document("a", "late bread", version="v1.5"), replaces="v1")
        with pytest.raises(Superseded, match="since it was read"):
            await world.catalog.replace(ANNA, "c", [document("b", "iron"), late])
        assert [hit.text for hit in (await world.ask("bread iron")).hits] == ["new bread"]
        await world.catalog.replace(ANNA, "c", [replace(document("a", "new bread", version="v2"), replaces="v1")])
        (held,) = await world.catalog.documents(ANNA, collection="c")
        await world.catalog.delete(ANNA, [held.id])
        with pytest.raises(Superseded):
            await world.catalog.replace(ANNA, "c", [replace(late, replaces="v2")])

    async def test_documents_are_listed_in_pages(self, world: CollectionWorld) -> None:
        await world.catalog.replace(ANNA, "c", [document(f"u{number}", "x") for number in range(5)])
        first = await world.catalog.documents(ANNA, limit=3)
        rest = await world.catalog.documents(ANNA, limit=3, after=(first[-1].collection, first[-1].uri))
        assert [item.uri for item in [*first, *rest]] == [f"u{number}" for number in range(5)]

    async def test_concurrent_writers_of_the_same_documents(self, world: CollectionWorld) -> None:
        async def write(version: int) -> None:
            items = [
                document(f"u{number}", f"harbour {number} {version}", version=f"v{version}") for number in range(10)
            ]
            random.Random(version).shuffle(items)
            await world.catalog.replace(ANNA, "c", items)

        await asyncio.gather(*(write(version) for version in range(8)))
        hits = (await world.ask("harbour", k=100)).hits
        assert len(hits) == 10
