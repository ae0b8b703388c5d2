"""doctor: shows every setting with where it came from, tries every part, and says how to mend what fails."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape

from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, print_json
from anchorage.settings import Settings, describe_settings

if TYPE_CHECKING:
    from anchorage.diagnosis import Check

_STYLE = {"ok": "green", "off": "dim", "failed": "red", "warning": "yellow"}


def doctor(data: Data = None, json: Json = False) -> int:
    """Show the settings, try every part, and say how to mend what fails."""
    from anchorage.diagnosis import diagnose

    settings = settings_for(data)
    checks = [*asyncio.run(diagnose(settings)), _host_names(settings)]
    rows = describe_settings(settings)
    if json:
        print_json({"settings": rows, "checks": [asdict(check) for check in checks]})
    else:
        out = console()
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            changed = row["origin"] != "default"
            line = f"{row['name']:<{width}}  {row['value'] or '-'}  ({row['origin']})"
            out.print(f"[bold]{escape(line)}[/bold]" if changed else escape(line))
        out.print()
        for check in checks:
            style = _STYLE[check.status]
            out.print(f"[{style}]{check.status:<8}[/{style}] [bold]{check.name}[/bold]  {escape(check.detail)}")
    return 1 if any(check.status == "failed" for check in checks) else 0


def _host_names(settings: Settings) -> Check:
    from anchorage.diagnosis import Check
    from anchorage.faces.http.browser import describe_rebinding_risk

    http = settings.http
    if risk := describe_rebinding_risk(http.host, http.allowed_hosts):
        return Check("host names", "warning", risk)
    return Check("host names", "ok", http.allowed_hosts or f"this machine's alone: the server listens on {http.host}")
