"""What every `Memory` must do. Subclass with a fixture `memory`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import uuid4

import pytest

from anchorage.errors import NotFound
from anchorage.model import Citation, Principal, Turn
from anchorage.ports.memory import Memory, Place, Summary, Thread

ANNA, BEN = Principal("anna"), Principal("ben")
_CITATION = Citation(1, "claim", "d", "v", "file:///x", "X", 0, 5, "quote", "pre", "suf", 2)


def make_turn(question: str) -> Turn:
    """A turn that is not numbered yet."""
    return Turn(
        0, str(uuid4()), question, f"answer to {question}", citations=(_CITATION,), standalone_question=question,
        trace={"hits": [["d", "1.1", 0.5]], "usage": {"model": None}},
    )  # fmt: skip


def drop_traces(turns: Iterable[Turn]) -> list[Turn]:
    return [replace(turn, trace={}) for turn in turns]


class MemoryConformance:
    """Numbering, windows, idempotence, and ownership."""

    async def test_turns_are_numbered_and_come_back_whole(self, memory: Memory) -> None:
        thread = str(uuid4())
        written = [await memory.append(ANNA, thread, make_turn(f"question {number}")) for number in range(1, 4)]
        assert [item.number for item in written] == [1, 2, 3]
        assert list(await memory.window(ANNA, thread, 2)) == written[1:]
        assert written[0].citations == (_CITATION,) and written[0].trace["hits"] == [["d", "1.1", 0.5]]

    async def test_a_new_conversation_is_empty(self, memory: Memory) -> None:
        assert list(await memory.window(ANNA, str(uuid4()), 5)) == []

    async def test_a_message_is_remembered_once(self, memory: Memory) -> None:
        thread, item = str(uuid4()), make_turn("once")
        first = await memory.append(ANNA, thread, item)
        assert await memory.append(ANNA, thread, replace(item, answer="another")) == first
        assert await memory.find(ANNA, thread, item.message_id) == first
        assert len(await memory.window(ANNA, thread, 5)) == 1

    async def test_nobody_else_sees_a_conversation(self, memory: Memory) -> None:
        thread = str(uuid4())
        await memory.append(ANNA, thread, make_turn("secret"))
        for forbidden in (
            memory.window(BEN, thread, 5), memory.append(BEN, thread, make_turn("mine")), memory.delete(BEN, thread),
            memory.find(BEN, thread, "x"),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await forbidden
        assert thread not in {item.id for item in await memory.conversations(BEN)}

    async def test_conversations_are_listed_and_deleted(self, memory: Memory) -> None:
        threads = [str(uuid4()) for _ in range(2)]
        for thread in threads:
            await memory.append(ANNA, thread, make_turn(f"about {thread}"))
        assert [item.id for item in await memory.conversations(ANNA, limit=2)] == threads[::-1]
        newest = (await memory.conversations(ANNA, limit=1))[0]
        behind = await memory.conversations(ANNA, limit=1, after=(newest.updated_at, newest.id))
        assert [item.id for item in behind] == threads[:1]
        assert [item.id for item in await memory.conversations(ANNA, matching=f"ABOUT {threads[0]}")] == threads[:1]
        assert not await memory.conversations(ANNA, matching="%")
        await memory.delete(ANNA, threads[0])
        assert threads[0] not in {item.id for item in await memory.conversations(ANNA)}
        with pytest.raises(NotFound):
            await memory.delete(ANNA, threads[0])
        kept = str(uuid4())
        await memory.append(BEN, kept, make_turn("mine"))
        assert set(await memory.delete_all(ANNA)) >= {threads[1]} and not await memory.delete_all(ANNA)
        assert not await memory.conversations(ANNA) and kept in {item.id for item in await memory.conversations(BEN)}

    async def test_a_thread_is_read_at_once(self, memory: Memory) -> None:
        key = str(uuid4())
        assert await memory.thread(ANNA, key, "m", place=Place(), limit=5) == Thread()
        written = [await memory.append(ANNA, key, make_turn(f"question {number}")) for number in range(1, 5)]
        last = written[1].message_id
        await memory.summarise(BEN, key, last, Summary(2, "somebody else's of that name"))
        await memory.summarise(ANNA, key, written[2].message_id, Summary(2, "of another turn by that number"))
        await memory.summarise(ANNA, key, last, Summary(2, "about the first two"))
        await memory.summarise(ANNA, key, last, Summary(2, "another for the same turn is not kept"))
        found = await memory.thread(ANNA, key, written[0].message_id, place=Place(), limit=3)
        assert found.exists and (found.turns, found.parent) == (4, 4)
        assert drop_traces(found.history) == drop_traces(written[1:]) and found.earlier == written[0]
        assert found.summary == Summary(2, "about the first two")
        assert not (await memory.thread(ANNA, key, "new", place=Place(), limit=0)).history
        with pytest.raises(NotFound):
            await memory.thread(BEN, key, "m", place=Place(), limit=5)

    async def test_branches(self, memory: Memory) -> None:
        key = str(uuid4())
        first, second, third = [
            await memory.append(ANNA, key, make_turn(f"question {number}")) for number in range(1, 4)
        ]
        assert [item.parent for item in (first, second, third)] == [0, 1, 2]
        edited = await memory.thread(ANNA, key, "m", place=Place(instead_of=second.message_id), limit=5)
        assert (edited.parent, edited.replaced, drop_traces(edited.history)) == (1, "question 2", drop_traces([first]))
        other = await memory.append(ANNA, key, replace(make_turn("question 2, edited"), parent=edited.parent))
        assert list(await memory.window(ANNA, key, 9)) == [first, other]
        assert dict(await memory.branches(ANNA, key)) == {1: [second.message_id, other.message_id]}
        assert list(await memory.turns(ANNA, key, after=1, limit=2)) == [second, third]
        changed = await memory.change(ANNA, key, title="Renamed", branch=second.message_id)
        assert (changed.title, changed.head, changed.turns) == ("Renamed", 3, 4)
        assert await memory.conversation(ANNA, key) == changed
        assert list(await memory.window(ANNA, key, 9)) == [first, second, third]
        after = await memory.thread(ANNA, key, "m", place=Place(after=other.message_id), limit=5)
        assert drop_traces(after.history) == drop_traces([first, other]) and after.parent == other.number
        beginning = await memory.thread(ANNA, key, "m", place=Place(number=0), limit=5)
        assert not beginning.history and beginning.exists
        for nowhere in (Place(after="nosuch"), Place(instead_of="nosuch")):
            with pytest.raises(NotFound, match="nosuch"):
                await memory.thread(ANNA, key, "m", place=nowhere, limit=5)
            with pytest.raises(NotFound):
                await memory.thread(ANNA, str(uuid4()), "m", place=nowhere, limit=5)
        with pytest.raises(NotFound, match="nosuch"):
            await memory.change(ANNA, key, branch="nosuch")

    async def test_a_conversation_deleted_meanwhile_stays_deleted(self, memory: Memory) -> None:
        key = str(uuid4())
        first = await memory.append(ANNA, key, make_turn("first"))
        await memory.delete(ANNA, key)
        with pytest.raises(NotFound):
            await memory.append(ANNA, key, make_turn("second"), begun=True)
        await memory.summarise(ANNA, key, first.message_id, Summary(1, "nothing"))
        assert (await memory.thread(ANNA, key, "m", place=Place(), limit=5)) == Thread()
        await memory.append(BEN, key, make_turn("another one by that name"))
        await memory.summarise(ANNA, key, first.message_id, Summary(1, "what was deleted"))
        assert (await memory.thread(BEN, key, "m", place=Place(), limit=5)).summary is None

    async def test_conversations_in_which_nothing_was_said_for_long_are_forgotten(self, memory: Memory) -> None:
        key = str(uuid4())
        await memory.append(ANNA, key, make_turn("first"))
        assert not await memory.forget(3600) and await memory.window(ANNA, key, 1)
        assert key in await memory.forget(0)
        with pytest.raises(NotFound):
            await memory.conversation(ANNA, key)
