"""What every `Memory` must do. Subclass with a fixture `memory`."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from anchorage.errors import NotFound
from anchorage.model import Citation, Principal, Turn
from anchorage.ports.memory import Memory

ANNA, BEN = Principal("anna"), Principal("ben")
_CITATION = Citation(1, "claim", "d", "v", "file:///x", "X", 0, 5, "quote", "pre", "suf", 2)


def turn(question: str) -> Turn:
    """A turn that is not numbered yet."""
    return Turn(
        0, str(uuid4()), question, f"answer to {question}", citations=(_CITATION,), standalone_question=question,
        trace={"hits": [["d", "1.1", 0.5]], "usage": {"model": None}},
    )  # fmt: skip


class MemoryConformance:
    """Numbering, windows, idempotence, and ownership."""

    async def test_turns_are_numbered_and_come_back_whole(self, memory: Memory) -> None:
        thread = str(uuid4())
        written = [await memory.append(ANNA, thread, turn(f"question {number}")) for number in range(1, 4)]
        assert [item.number for item in written] == [1, 2, 3]
        assert list(await memory.window(ANNA, thread, 2)) == written[1:]
        assert written[0].citations == (_CITATION,) and written[0].trace["hits"] == [["d", "1.1", 0.5]]

    async def test_a_new_conversation_is_empty(self, memory: Memory) -> None:
        assert list(await memory.window(ANNA, str(uuid4()), 5)) == []

    async def test_a_message_is_remembered_once(self, memory: Memory) -> None:
        thread, item = str(uuid4()), turn("once")
        first = await memory.append(ANNA, thread, item)
        assert await memory.append(ANNA, thread, replace(item, answer="another")) == first
        assert await memory.find(ANNA, thread, item.message_id) == first
        assert len(await memory.window(ANNA, thread, 5)) == 1

    async def test_nobody_else_sees_a_conversation(self, memory: Memory) -> None:
        thread = str(uuid4())
        await memory.append(ANNA, thread, turn("secret"))
        for forbidden in (
            memory.window(BEN, thread, 5), memory.append(BEN, thread, turn("mine")), memory.delete(BEN, thread),
            memory.find(BEN, thread, "x"),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await forbidden
        assert thread not in {item.id for item in await memory.conversations(BEN)}

    async def test_conversations_are_listed_and_deleted(self, memory: Memory) -> None:
        threads = [str(uuid4()) for _ in range(2)]
        for thread in threads:
            await memory.append(ANNA, thread, turn(f"about {thread}"))
        assert [item.id for item in await memory.conversations(ANNA, limit=2)] == threads[::-1]
        await memory.delete(ANNA, threads[0])
        assert threads[0] not in {item.id for item in await memory.conversations(ANNA)}
        with pytest.raises(NotFound):
            await memory.delete(ANNA, threads[0])
