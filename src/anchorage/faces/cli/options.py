"""Options that the commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anchorage.errors import ConfigurationError

if TYPE_CHECKING:  # a client of a running server needs none
    from anchorage.settings import Settings

Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data directory of everything embedded (ANCHORAGE_DATA).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Collection = Annotated[str | None, typer.Option("--collection", metavar="NAME", help="Every collection by default.")]


def settings_for(data: Path | None, *, quiet: bool = True, **sections: Mapping[str, Any]) -> Settings:
    """The settings, with what the command line says on top; sets up logging. Commands that end by themselves only warn."""
    import structlog

    from anchorage.settings import find_near_misses, load_settings
    from anchorage.settings.environment import data_dir
    from anchorage.telemetry import configure_logging

    overrides: dict[str, dict[str, Any]] = {name: dict(values) for name, values in sections.items()}
    if data is not None:
        overrides["data"] = {"dir": data_dir(data)}
    settings = load_settings(**overrides)
    level = settings.log.level
    if quiet and "level" not in settings.log.model_fields_set:
        level = "WARNING"
    configure_logging(level, settings.log.format)
    if not quiet:
        for name, meant in find_near_misses().items():
            structlog.get_logger(__name__).warning("misspelt_setting", name=name, did_you_mean=meant)
    return settings


def debugging() -> bool:
    """Whether the user wants to see everything; never fails itself."""
    from anchorage.settings import load_settings

    try:
        return load_settings().log.level == "DEBUG"
    except ConfigurationError:
        return False
