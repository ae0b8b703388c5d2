"""usage: tokens and cost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import usage_json
from anchorage.settings import Settings


def usage(
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How many days back, today included.")] = 30,
    data: Data = None,
    json: Json = False,
) -> None:
    """Tokens and cost of everybody, by day, principal and model."""
    from anchorage.wiring.services import open_storage

    async def run(settings: Settings) -> dict[str, Any]:
        async with open_storage(settings) as storage:
            today = datetime.now(UTC).date()
            since = min(today - timedelta(days=days - 1), today.replace(day=1))
            rows = await storage.ledger.rows(since)
            return usage_json(rows, storage.ledger.allowance(storage.principal), storage.principal, today, days)

    found = asyncio.run(run(settings_for(data)))
    if json:
        print_json(found)
    elif not found["usage"]:
        console().print("No model was asked in this time.")
    else:
        columns = ("DAY", "PRINCIPAL", "MODEL", "CALLS", "TOKENS READ", "TOKENS WRITTEN", "COST")
        keys = ("day", "principal", "model", "requests", "prompt_tokens", "completion_tokens", "cost")
        print_table(columns, [[row[key] for key in keys] for row in found["usage"]])
