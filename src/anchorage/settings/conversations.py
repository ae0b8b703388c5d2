"""The sections about conversations and their streams."""

from __future__ import annotations

from pydantic import Field

from anchorage.settings.sections import Section


class StreamSettings(Section):
    """Streamed answers, which outlive the connection and the process that they were asked through."""

    lease: float = Field(
        4,
        ge=1,
        le=300,
        description="seconds that a silent process keeps its streams before another one takes them over",
    )
    grace: float = Field(30, gt=0, description="seconds that an answer goes on when nobody reads it any more")
    retention: float = Field(3600, ge=60, description="seconds that the events of an ended answer are kept")
    poll: float = Field(
        0.1,
        ge=0.01,
        le=5,
        description="seconds between two looks at streams that another process writes; one query for all of them",
    )
    wait: float = Field(30, ge=0, description="seconds that a question waits for another answer in its conversation")


class ConversationSettings(Section):
    """How long conversations are kept."""

    ttl_days: float | None = Field(
        None, gt=0, description="days after its last turn that a conversation is deleted; kept for ever without it"
    )
