"""Answers from your own documents, every sentence anchored to the passage it came from.

`Anchorage` works in this process, `Client` over HTTP, and `anchorage.sync` has both without `await`. What is named here loads when it is
first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anchorage.client import Client
    from anchorage.faces.python import Anchorage

__all__ = ["Anchorage", "Client"]


def __getattr__(name: str) -> Any:
    if name == "Anchorage":
        from anchorage.faces.python import Anchorage

        return Anchorage
    if name == "Client":
        from anchorage.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
