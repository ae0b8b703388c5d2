"""Probes for machines, health for people, metrics. None of them costs anything or calls a paid service."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from anchorage.errors import AnchorageError
from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.shapes import Health
from anchorage.faces.http.state import CurrentState, ProcessState
from anchorage.telemetry import QUEUE_OLDEST, REGISTRY

router = APIRouter()
_CONNECTED = ("connected", "connected")
_PING = 2.0  # seconds that a database gets to answer a probe


@router.get("/livez", response_class=PlainTextResponse)
async def livez() -> str:
    """The process and its event loop are alive; says nothing of what it depends on."""
    return "ok"


@router.get("/startupz", response_class=PlainTextResponse)
async def startupz(state: CurrentState, response: Response) -> str:
    """The services are open."""
    if state.services is None:
        response.status_code = 503
        return f"waiting for {state.waiting_for}"
    return "ok"


@router.get("/readyz", response_class=PlainTextResponse)
async def readyz(state: CurrentState, response: Response) -> str:
    """Requests can be answered now: everything is loaded, what is needed answers, there is room, and nobody is shutting down."""
    reason = "draining" if state.draining else f"waiting for {state.waiting_for}" if state.waiting_for else ""
    reason = reason or state.saturation.check()
    if not reason:
        vector, memory, retrieval = await _ping_needed(state)
        if (vector, memory) != _CONNECTED:
            reason = f"vector_db {vector}, state_db {memory}"
        elif retrieval == "disconnected":
            reason = "retrieval disconnected"
    if reason:
        response.status_code = 503
    return reason or "ok"


async def _ping_needed(state: ProcessState) -> tuple[str, str, str | None]:
    """Ping each database and the retrieval role, and describe each in a word (None where this process retrieves itself)."""
    if state.services is None:
        return "starting", "starting", None
    storage, role = state.services.storage, state.services.role

    async def describe_ping(ping: Any) -> str:
        try:
            async with asyncio.timeout(_PING):
                await ping()
        except (AnchorageError, TimeoutError):
            return "disconnected"
        return "connected"

    pings = [storage.catalog.ping, storage.memory.ping, *([role.ping] if role else [])]
    vector, memory, *rest = await asyncio.gather(*map(describe_ping, pings))
    return vector, memory, rest[0] if rest else None


async def _measure_queue_age(state: ProcessState) -> float:
    """Measure with one query for each scrape. A database that is down must not take the other metrics with it."""
    if state.services is None:
        return math.nan
    try:
        async with asyncio.timeout(_PING):
            return await state.services.storage.queue.oldest()
    except (AnchorageError, TimeoutError):
        return math.nan


@router.get("/api/health", **describe_answer(Health))
@router.get("/health", **describe_answer(Health))
async def health(state: CurrentState) -> JSONResponse:
    """The state of each part, for people and for older probes; 503 when a database is down."""
    body = await collect_health(state)
    return JSONResponse(body, 503 if body["status"] == "unhealthy" else 200)


async def collect_health(state: ProcessState) -> dict[str, str]:
    """Collect the state of each part, in a word."""
    vector, memory, retrieval = await _ping_needed(state)
    generator = state.services.models.generator if state.services else None
    model = await generator.ping() if generator else "not_configured"
    embedder = await state.services.models.embedder.ping() if state.services else "starting"
    down = (vector, memory) != _CONNECTED or retrieval == "disconnected"
    fine = model in ("available", "not_configured") and embedder == "available" and not state.waiting_for
    return {
        "status": "unhealthy" if down else "healthy" if fine else "degraded",
        "vector_db": vector,
        "state_db": memory,
        "openai_api": model,
        "embedder": embedder,
        **({"retrieval": retrieval} if retrieval else {}),
        "timestamp": datetime.now(UTC).isoformat(),
    }


@router.get("/metrics", include_in_schema=False)
async def metrics(state: CurrentState) -> Response:
    """Prometheus metrics."""
    QUEUE_OLDEST.set(await _measure_queue_age(state))
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
