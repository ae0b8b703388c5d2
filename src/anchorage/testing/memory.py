"""A `Memory` without a database: for tests, and to learn the port from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from anchorage.errors import NotFound
from anchorage.model import Conversation, Principal, Turn
from anchorage.ports.memory import Place, Summary, Thread


@dataclass(slots=True)
class _StoredThread:
    owner: str
    title: str
    turns: list[Turn] = field(default_factory=list)
    head: int = 0
    summaries: dict[int, Summary] = field(default_factory=dict)
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def find_number(self, message_id: str | None) -> int:
        found = next((turn.number for turn in self.turns if turn.message_id == message_id), None)
        if found is None:
            raise NotFound(f"No message {message_id!r} in this conversation.")
        return found

    def holds(self, words: str) -> bool:
        texts = [self.title, *(text for turn in self.turns for text in (turn.question, turn.answer))]
        return any(words.lower() in text.lower() for text in texts)

    def read_branch(self, end: int, limit: int) -> tuple[Turn, ...]:
        found: list[Turn] = []
        while end and len(found) < limit:
            found.append(self.turns[end - 1])
            end = found[-1].parent or 0
        return tuple(reversed(found))


def _newest_first(item: Conversation) -> tuple[float, str]:
    return -item.updated_at.timestamp(), item.id


@dataclass(slots=True)
class InMemoryMemory:
    """Lasts as long as its process."""

    _threads: dict[str, _StoredThread] = field(default_factory=dict)

    def _get_thread(self, principal: Principal, conversation_id: str) -> _StoredThread:
        kept = self._threads.get(conversation_id)
        if kept is None or kept.owner != principal.id:
            raise NotFound(f"No conversation {conversation_id!r} of yours.")
        return kept

    def _find_thread(self, principal: Principal, conversation_id: str) -> _StoredThread | None:
        return self._get_thread(principal, conversation_id) if conversation_id in self._threads else None

    async def thread(
        self, principal: Principal, conversation_id: str, message_id: str, *, place: Place, limit: int
    ) -> Thread:
        kept = self._find_thread(principal, conversation_id)
        if kept is None:
            if place.after is not None or place.instead_of is not None:
                raise NotFound(f"No conversation {conversation_id!r} of yours.")
            return Thread()
        parent, replaced = kept.head if place.number is None else place.number, None
        if place.after is not None:
            parent = kept.find_number(place.after)
        elif place.instead_of is not None:
            beside = kept.turns[kept.find_number(place.instead_of) - 1]
            parent, replaced = beside.parent or 0, beside.question
        history = kept.read_branch(parent, limit)
        summary = next(
            (kept.summaries[item.number] for item in reversed(history) if item.number in kept.summaries), None
        )
        earlier = next((turn for turn in kept.turns if turn.message_id == message_id), None)
        return Thread(True, len(kept.turns), parent, history, summary, earlier, replaced)

    async def append(self, principal: Principal, conversation_id: str, turn: Turn, *, begun: bool = False) -> Turn:
        kept = self._find_thread(principal, conversation_id)
        if kept is None:
            if begun:
                raise NotFound(f"No conversation {conversation_id!r} of yours.")
            kept = self._threads[conversation_id] = _StoredThread(principal.id, turn.question[:80])
        known = next((item for item in kept.turns if item.message_id == turn.message_id), None)
        if known:
            return known
        parent = kept.head if turn.parent is None else turn.parent
        kept.head, kept.updated_at = len(kept.turns) + 1, datetime.now(UTC)
        kept.turns.append(replace(turn, number=kept.head, parent=parent, created_at=kept.updated_at))
        return kept.turns[-1]

    async def window(self, principal: Principal, conversation_id: str, limit: int) -> Sequence[Turn]:
        kept = self._find_thread(principal, conversation_id)
        return kept.read_branch(kept.head, limit) if kept else ()

    async def turns(self, principal: Principal, conversation_id: str, *, after: int, limit: int) -> Sequence[Turn]:
        kept = self._find_thread(principal, conversation_id)
        return kept.turns[after : after + limit] if kept else []

    async def branches(self, principal: Principal, conversation_id: str) -> Mapping[int, Sequence[str]]:
        kept = self._find_thread(principal, conversation_id)
        found: dict[int, list[str]] = {}
        for turn in kept.turns if kept else ():
            found.setdefault(turn.parent or 0, []).append(turn.message_id)
        return {parent: messages for parent, messages in found.items() if len(messages) > 1}

    async def find(self, principal: Principal, conversation_id: str, message_id: str) -> Turn | None:
        kept = self._find_thread(principal, conversation_id)
        return next((turn for turn in kept.turns if turn.message_id == message_id), None) if kept else None

    async def summarise(self, principal: Principal, conversation_id: str, message_id: str, summary: Summary) -> None:
        kept = self._threads.get(conversation_id)
        if kept is None or kept.owner != principal.id:
            return
        if any((turn.message_id, turn.number) == (message_id, summary.number) for turn in kept.turns):
            kept.summaries.setdefault(summary.number, summary)

    async def conversation(self, principal: Principal, conversation_id: str) -> Conversation:
        kept = self._get_thread(principal, conversation_id)
        first = kept.turns[0].created_at or kept.updated_at
        return Conversation(conversation_id, kept.title, len(kept.turns), first, kept.updated_at, kept.head)

    async def conversations(
        self, principal: Principal, *, limit: int = 100, after: tuple[datetime, str] | None = None, matching: str = ""
    ) -> Sequence[Conversation]:
        own = [key for key, kept in self._threads.items() if kept.owner == principal.id and kept.holds(matching)]
        found = [await self.conversation(principal, key) for key in own]
        place = (-after[0].timestamp(), after[1]) if after else None
        return sorted((item for item in found if place is None or _newest_first(item) > place), key=_newest_first)[
            :limit
        ]

    async def change(
        self, principal: Principal, conversation_id: str, *, title: str | None = None, branch: str | None = None
    ) -> Conversation:
        kept = self._get_thread(principal, conversation_id)
        kept.title = kept.title if title is None else title
        if branch is not None:
            kept.head = kept.find_number(branch)
            newest = {turn.parent: turn.number for turn in kept.turns}
            while kept.head in newest:
                kept.head = newest[kept.head]
        return await self.conversation(principal, conversation_id)

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        self._get_thread(principal, conversation_id)
        del self._threads[conversation_id]

    async def delete_all(self, principal: Principal) -> Sequence[str]:
        return self._delete_threads([key for key, kept in self._threads.items() if kept.owner == principal.id])

    async def forget(self, seconds: float) -> Sequence[str]:
        old = datetime.now(UTC) - timedelta(seconds=seconds)
        return self._delete_threads([key for key, kept in self._threads.items() if kept.updated_at < old])

    def _delete_threads(self, gone: Sequence[str]) -> Sequence[str]:
        for key in gone:
            del self._threads[key]
        return gone

    async def ping(self) -> None:
        return None
