"""trace: records how an answer was made, with its turn, so that a later rating can be understood."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from structlog.contextvars import get_contextvars

from anchorage.chat.state import ChatLimits, TurnState
from anchorage.errors import NotFound
from anchorage.model import EmbedderSpec, Hit, Principal
from anchorage.model.search import Span
from anchorage.ports.catalog import Catalog


@dataclass(frozen=True, slots=True)
class SettingsFingerprint:
    """The settings that decide answers. Its hash changes whenever the embedder, the limits or the generator change."""

    spec: EmbedderSpec
    limits: ChatLimits
    language: str
    model: str | None

    def compute(self, max_tokens: int | None = None) -> str:
        """Compute the twelve hex digits for answers of at most so many tokens."""
        most = self.limits.max_tokens
        return _hash_settings(self, most if max_tokens is None else min(most, max_tokens))


@lru_cache(maxsize=16)  # the same for every turn
def _hash_settings(decisive: SettingsFingerprint, max_tokens: int) -> str:
    return hashlib.sha256(f"{decisive!r} {max_tokens}".encode()).hexdigest()[:12]


def trace_turn(state: TurnState, settings: str) -> dict[str, Any]:
    """Return the hits with their scores, versions and offsets, the usage, the fingerprint of the settings, and the request's id."""
    return {
        "hits": [[hit.document_id, hit.chunk_id, round(hit.score, 4)] for hit in state["hits"]],
        "passages": [
            [hit.version, hit.start, hit.end, _round_score(hit.dense_score), _round_score(hit.lexical_score)]
            for hit in state["hits"]
        ],
        "usage": asdict(state["usage"]),
        "settings": settings,
        "request_id": get_contextvars().get("request_id"),
    }


async def read_traced_hits(catalog: Catalog, principal: Principal, traced: Mapping[str, Any]) -> list[Hit]:
    """Return the hits of a trace whose text the catalog still has."""
    kept = [(*hit, *place) for hit, place in zip(traced.get("hits", []), traced.get("passages", []), strict=False)]
    spans = [Span(row[0], *row[3:6]) for row in kept]
    texts = await catalog.excerpts(principal, spans, 0) if spans else []
    names = {}
    for key in {row[0] for row, text in zip(kept, texts, strict=True) if text}:
        with suppress(NotFound):  # deleted since
            names[key] = await catalog.document(principal, key)
    return [
        Hit(
            chunk_id=row[1], document_id=row[0], version=row[3], collection=names[row[0]].collection, uri=names[row[0]].uri,
            title=names[row[0]].title, start=row[4], end=row[5], score=row[2], text=text.quote, page=text.page,
            dense_score=row[6], lexical_score=row[7],
        )
        for row, text in zip(kept, texts, strict=True)
        if text and row[0] in names
    ]  # fmt: skip


def _round_score(score: float | None) -> float | None:
    return None if score is None else round(score, 4)
