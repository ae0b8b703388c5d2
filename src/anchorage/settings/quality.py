"""Settings of the quality gate."""

from __future__ import annotations

from pydantic import Field

from anchorage.settings.sections import Section


class GateSettings(Section):
    """The golden set that a change must pass: `anchorage gate`."""

    golden: str = Field("", description="folder of the golden set; empty: ours, about the documentation, for a look")
    max_loss: float = Field(
        0.02, ge=0, le=1, description="share of the golden questions that a change may lose, less those that it wins"
    )
    at_once: int = Field(4, ge=1, le=64, description="golden questions that are asked at the same time")
