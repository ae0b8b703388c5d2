"""endings: the last events of a stream without a complete answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anchorage.chat.streaming.events import format_event, read_event_type
from anchorage.chat.streaming.live import EndReason
from anchorage.fastjson import loads
from anchorage.ports.streams import Line, StreamState

ENDINGS: Mapping[EndReason | None, Mapping[str, Any]] = {
    EndReason.STOPPED: {
        "code": "stopped", "message": "The answer was stopped before anything of it was written.", "temporary": False,
    },
    EndReason.ABANDONED: {
        "code": "abandoned", "temporary": True,
        "message": "Nobody read the answer any more, so it was not finished. Ask again, with the same message_id.",
    },
}  # fmt: skip
_DELETED = {
    "code": "deleted", "message": "The conversation was deleted, and its answer with it. Ask in another one.", "temporary": False,
}  # fmt: skip


def build_deleted_ending(state: StreamState, position: int, last: str | None) -> Sequence[Line]:
    """Return the last events for the reader of a deleted conversation, whose log is deleted too.

    `state` is the state at its beginning; `last` is the event at `position`, if the reader got one: it has the attempt.
    """
    place = {"turn": state.turn, "attempt": state.attempt} | (loads(last.partition(" ")[2]) if last else {})
    turn, attempt = place["turn"], place["attempt"]
    ending = (format_event("error", turn, attempt, _DELETED), format_event("done", turn, attempt, {}))
    return list(enumerate(ending, position + 1))


def take_until_done(lines: Sequence[Line]) -> tuple[Sequence[Line], bool]:
    """Return the lines up to the first `done`, and whether there is one."""
    for index, (_, logged) in enumerate(lines):
        if read_event_type(logged) == "done":
            return lines[: index + 1], True
    return lines, False
