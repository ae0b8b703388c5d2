"""GET /api/usage: what the caller's questions cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from anchorage.errors import NotAllowed
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.faces.shapes import usage_json

router = APIRouter(prefix="/api")


@router.get("/usage", summary="Tokens and cost")
async def usage(
    services: CurrentServices,
    principal: CurrentPrincipal,
    days: Annotated[int, Query(ge=1, le=3660, description="how many days back, today included")] = 30,
    everyone: Annotated[bool, Query(description="of all principals; for owners only")] = False,
) -> dict[str, Any]:
    """What you used, by day and model, with your sums of today and of this month, and your budgets."""
    if everyone and "owner" not in principal.roles:
        raise NotAllowed("Only an owner sees what others used. Leave `everyone` out to see what you used.")
    ledger = services.storage.ledger
    today = datetime.now(UTC).date()
    since = min(today - timedelta(days=days - 1), today.replace(day=1))
    rows = await ledger.rows(since, None if everyone else principal)
    return usage_json(rows, ledger.allowance(principal), principal, today, days)
