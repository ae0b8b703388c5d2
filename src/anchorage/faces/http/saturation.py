"""Whether this process has as much to do as it can do well."""

from __future__ import annotations

from dataclasses import dataclass

from anchorage.telemetry import count_inflight_streams

_RECOVERED = 0.8  # of the limit, so that the state does not change with every stream


@dataclass(slots=True)
class Saturation:
    """More streams than the limit make it saturated, until there are a fifth fewer than that. No limit: never."""

    limit: int | None = None
    saturated: bool = False

    def check(self) -> str:
        """Check the number of streams; returns why there is no room, or an empty text."""
        if self.limit is None:
            return ""
        streams = count_inflight_streams()
        self.saturated = streams > self.limit * (_RECOVERED if self.saturated else 1)
        if not self.saturated:
            return ""
        return f"saturated: {streams} streams, of at most {self.limit} (ANCHORAGE_HTTP__MAX_STREAMS)"
