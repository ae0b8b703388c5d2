"""Services whose embedder takes no time, so that everything else can be measured."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anchorage.adapters.models.vectors import estimate_token_starts
from anchorage.ingest.worker import Worker
from anchorage.model import EmbedderSpec
from anchorage.testing.fakes import FixedEmbedders
from anchorage.wiring.ingest import Ingestion
from anchorage.wiring.services import Services, build_worker


class InstantEmbedder:
    """Gives ready-made vectors of 384 dimensions."""

    spec = EmbedderSpec("instant", "1", 384)
    max_tokens = 256

    def __init__(self) -> None:
        self._vectors = np.random.default_rng(1).normal(size=(4096, 384)).astype(np.float32)
        self._vectors /= np.linalg.norm(self._vectors, axis=1, keepdims=True)
        self._at = 0

    def token_starts(self, text: str) -> Any:
        return estimate_token_starts(text)

    async def embed_passages(self, texts: Sequence[str]) -> Any:
        at = (np.arange(len(texts)) + self._at) % len(self._vectors)
        self._at += len(texts)
        return self._vectors[at]

    async def embed_query(self, text: str) -> Any:
        return self._vectors[0]

    async def ping(self) -> str:
        return "available"


async def until_idle(services: Services) -> None:
    """Wait until no job waits or runs."""
    while (counts := await services.storage.queue.counts(services.principal))["queued"] or counts["running"]:
        await asyncio.sleep(0.1)


def instant_ingest(services: Services, **changes: Any) -> Ingestion:
    """Ingestion with that embedder, and with `changes`."""
    embedder = InstantEmbedder()
    index = replace(services.ingest.index, embedder=embedder.spec)
    return replace(services.ingest, embedders=FixedEmbedders([embedder]), index=index, **changes)


def instant_worker(services: Services, **changes: Any) -> Worker:
    """A worker with that embedder, and with `changes`."""
    return build_worker(services.storage, instant_ingest(services, **changes))
