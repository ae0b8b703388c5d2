"""Prints the reference page of the settings."""

from anchorage.settings.reference import build_reference

print(build_reference(), end="")  # noqa: T201
