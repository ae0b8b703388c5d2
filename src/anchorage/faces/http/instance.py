"""GET /api/instance: proves to commands on the same data directory that this server is the one that runs there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from anchorage.errors import NotFound
from anchorage.faces.http.state import CurrentState

router = APIRouter(prefix="/api")


@router.get("/instance", include_in_schema=False)
async def instance(state: CurrentState, challenge: Annotated[str, Query(max_length=128)]) -> dict[str, str]:
    """What this server's secret, which is in its data directory, makes of a challenge."""
    if state.running is None:
        raise NotFound("This server has left no word in a data directory.")
    return {"proof": state.running.proof(challenge)}
