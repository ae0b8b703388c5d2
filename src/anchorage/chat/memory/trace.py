"""trace: how an answer came about, kept with its turn so that a rating of it can be understood later."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from structlog.contextvars import get_contextvars

from anchorage.chat.state import ChatServices, TurnState
from anchorage.errors import NotFound
from anchorage.model import Hit, Principal, Usage
from anchorage.model.search import Span
from anchorage.ports.catalog import Catalog


def trace(services: ChatServices, state: TurnState) -> dict[str, Any]:
    """The ids and scores of the hits, and where they stand in which versions; what the model charged, a fingerprint of the settings, and
    the request's id.
    """
    return {
        "hits": [[hit.document_id, hit.chunk_id, round(hit.score, 4)] for hit in state["hits"]],
        "passages": [
            [hit.version, hit.start, hit.end, _rounded(hit.dense_score), _rounded(hit.lexical_score)]
            for hit in state["hits"]
        ],
        "usage": asdict(state.get("usage", Usage())),
        "settings": fingerprint(services),
        "request_id": get_contextvars().get("request_id"),
    }


async def traced_hits(store: Catalog, principal: Principal, traced: Mapping[str, Any]) -> list[Hit]:
    """The hits of a trace, with their text where the store has it still."""
    kept = [(*hit, *place) for hit, place in zip(traced.get("hits", []), traced.get("passages", []), strict=False)]
    spans = [Span(row[0], *row[3:6]) for row in kept]
    texts = await store.excerpts(principal, spans, 0) if spans else []
    names = {}
    for key in {row[0] for row, text in zip(kept, texts, strict=True) if text}:
        with suppress(NotFound):  # deleted since
            names[key] = await store.document(principal, key)
    return [
        Hit(
            chunk_id=row[1], document_id=row[0], version=row[3], collection=names[row[0]].collection, uri=names[row[0]].uri,
            title=names[row[0]].title, start=row[4], end=row[5], score=row[2], text=text.quote, page=text.page,
            dense_score=row[6], lexical_score=row[7],
        )
        for row, text in zip(kept, texts, strict=True)
        if text and row[0] in names
    ]  # fmt: skip


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def fingerprint(services: ChatServices) -> str:
    """Twelve hex digits that change whenever the embedder, the limits or the generator do."""
    model = services.generator.model if services.generator else None
    return _hashed(services.embedder.spec, services.limits, services.language, model)


@lru_cache(maxsize=16)  # the same for every turn
def _hashed(*decisive: Hashable) -> str:
    return hashlib.sha256(repr(decisive).encode()).hexdigest()[:12]
