"""The only reader of the environment: typed, nested, frozen settings.

`environment` reads it into plain values; `loading` makes `Settings` of them, and loads when it is first asked for: what only wants to know
where the data is does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anchorage.settings.environment import WELL_KNOWN, build_child_environment

if TYPE_CHECKING:
    from anchorage.settings.loading import Settings, describe_settings, find_near_misses, load_settings

__all__ = [
    "WELL_KNOWN",
    "Settings",
    "build_child_environment",
    "describe_settings",
    "find_near_misses",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from anchorage.settings import loading

    return getattr(loading, name)
