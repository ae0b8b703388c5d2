"""The embedders of index versions: each is opened once, by the settings in force with the model that the index was made with."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession

from anchorage.adapters.models.local_embedding.catalogue import LOCAL_MODELS
from anchorage.errors import ConfigurationError, IndexMismatch
from anchorage.model import EmbedderSpec
from anchorage.ports.embedder import Embedder
from anchorage.settings import Settings
from anchorage.wiring.models import open_embedder


class ConfiguredEmbedders:
    """Implements the `Embedders` port."""

    def __init__(self, settings: Settings, client: ClientSession, default: Embedder) -> None:
        self._settings, self._client = settings, client
        self._opened = {default.spec: default}
        self._default = default
        self._opening = asyncio.Lock()

    @property
    def default(self) -> Embedder:
        return self._default

    async def of(self, spec: EmbedderSpec) -> Embedder:
        if spec in self._opened:
            return self._opened[spec]
        async with self._opening:
            if spec not in self._opened:
                found = await self._open(spec)
                if found.spec != spec:
                    raise _unreachable(
                        spec, f"they lead to revision {found.spec.revision}, {found.spec.dimension} dimensions"
                    )
                self._opened[spec] = found
        return self._opened[spec]

    async def named(self, model: str, dimension: int | None = None) -> Embedder:
        """The embedder of another model, `local` or as EMBEDDING_MODEL has it. Raises what `open_embedder` raises."""
        local = model == "local" or model in LOCAL_MODELS
        change = {
            "model": None if model == "local" else model,
            "dimension": dimension or self._settings.embedding.dimension,
        }
        provider = "local" if local else self._settings.embedding.provider
        change["provider"] = None if provider == "local" and not local else provider
        found = await self._with(**change)
        return self._opened.setdefault(found.spec, found)

    async def _open(self, spec: EmbedderSpec) -> Embedder:
        local = spec.name in LOCAL_MODELS
        try:
            if local:
                return await self._with(provider="local", model=spec.name, precision=spec.precision)
            provider = self._settings.embedding.provider
            if spec.revision == "langchain":
                provider = "langchain"
            elif provider in ("local", "langchain"):
                provider = None
            return await self._with(provider=provider, model=spec.name, dimension=spec.dimension)
        except ConfigurationError as error:
            raise _unreachable(spec, error.message) from error

    async def _with(self, **change: object) -> Embedder:
        embedding = self._settings.embedding.model_copy(update=change)
        return await open_embedder(self._settings.model_copy(update={"embedding": embedding}), self._client)


def _unreachable(spec: EmbedderSpec, why: str) -> IndexMismatch:
    return IndexMismatch(
        f"A collection was indexed with the embedder {spec.name} (revision {spec.revision}, {spec.dimension} dimensions, "
        f"{spec.precision}), and the settings do not lead to it: {why.rstrip('.')}. Set them back (`anchorage doctor` shows them), "
        "or index the collection anew with the embedder in force: `anchorage reindex NAME`."
    )
