"""trace: how an answer came about, kept with its turn so that a rating of it can be understood later."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from structlog.contextvars import get_contextvars

from anchorage.chat.state import ChatServices, TurnState
from anchorage.model import Usage


def trace(services: ChatServices, state: TurnState) -> dict[str, Any]:
    """The ids and scores of the hits, what the model charged, a fingerprint of the settings, and the request's id."""
    return {
        "hits": [[hit.document_id, hit.chunk_id, round(hit.score, 4)] for hit in state["hits"]],
        "usage": asdict(state.get("usage", Usage())),
        "settings": fingerprint(services),
        "request_id": get_contextvars().get("request_id"),
    }


def fingerprint(services: ChatServices) -> str:
    """Twelve hex digits that change whenever the embedder, the limits or the generator do."""
    model = services.generator.model if services.generator else None
    decisive = (services.embedder.spec, services.limits, services.language, model)
    return hashlib.sha256(repr(decisive).encode()).hexdigest()[:12]
