"""The reference page of the settings: python -m anchorage.settings > docs/reference/settings.md."""

from __future__ import annotations

from anchorage.settings import WELL_KNOWN, Settings
from anchorage.settings.sections import Section


def build_reference() -> str:
    """Build the reference page of all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable `ANCHORAGE_<SECTION>__<NAME>`. Well-known names are taken as they are, and yield to ours where",
        "both are set; empty values count as not set. `anchorage doctor` shows the values in force and where they came from.",
    ]
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        assert isinstance(kind, type) and issubclass(kind, Section)
        lines += [
            "",
            f"## {section}",
            "",
            (kind.__doc__ or "").strip(),
            "",
            "| setting | default | meaning |",
            "| --- | --- | --- |",
        ]
        for key, item in kind.model_fields.items():
            names = [f"`ANCHORAGE_{section.upper()}__{key.upper()}`"]
            names += [f"`{well}`" for well, place in WELL_KNOWN.items() if place == (section, key)]
            default = "by user" if item.default_factory else "" if item.default is None else str(item.default)
            lines.append(f"| {', '.join(names)} | {default} | {item.description or ''} |")
    return "\n".join(lines) + "\n"
