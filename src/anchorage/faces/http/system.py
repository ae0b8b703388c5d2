"""GET /api/system: what is running, for the page that shows it; and a check of the way that streams take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any, Protocol

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.probes import collect_health
from anchorage.faces.http.shapes import System
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices, CurrentState

router = APIRouter(prefix="/api")
_PAUSE = 0.4  # seconds between the two events of the check


class _Model(Protocol):
    @property
    def model(self) -> str: ...

    async def ping(self) -> str: ...


@router.get("/system", summary="What is running", **describe_answer(System))
async def system(state: CurrentState, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """Databases, models, queue and limits. No model that charges for it is asked anything."""
    health, counts = await asyncio.gather(collect_health(state), services.storage.queue.counts(principal))
    models, settings = services.models, services.settings
    asked = (models.generator, models.reranker, models.judge)
    generating, reranking, guarding = await asyncio.gather(*map(_describe_model, asked))
    return {
        "version": version("anchorage"),
        "status": health["status"],
        "databases": {"vector": health["vector_db"], "state": health["state_db"]},
        "models": {
            "generator": generating,
            "embedder": {"model": models.embedder.spec.name, "state": health["embedder"]},
            "reranker": reranking,
            "guard": guarding,
        },
        "queue": dict(counts),
        "limits": {
            "max_upload_bytes": settings.http.max_upload_bytes,
            "max_file_bytes": settings.ingest.max_file_bytes,
            "question_length": services.chat.limits.question_limit,
            "comment_length": settings.feedback.comment_limit,
        },
    }


@router.get("/stream-check", summary="Check the way of streams", response_model=None,
            responses={200: {"content": {"text/event-stream": {}}}})  # fmt: skip
async def stream_check() -> StreamingResponse:
    """Two events, 0.4 seconds apart. Where both come at once, a proxy on the way holds streams back until they end."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream_beats(), media_type="text/event-stream", headers=headers)


async def _stream_beats() -> AsyncIterator[bytes]:
    yield format_sse_event(event="first", data_str="{}")
    await asyncio.sleep(_PAUSE)
    yield format_sse_event(event="second", data_str="{}")


async def _describe_model(model: _Model | None) -> dict[str, str | None]:
    if model is None:
        return {"model": None, "state": "not_configured"}
    return {"model": model.model, "state": await model.ping()}
