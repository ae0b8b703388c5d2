"""Prints the reference page of the settings."""

from anchorage.settings.reference import settings_reference

print(settings_reference(), end="")  # noqa: T201
