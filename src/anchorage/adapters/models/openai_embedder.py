"""Embeddings of an OpenAI-compatible server."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from aiohttp import ClientSession
from numpy.typing import NDArray

from anchorage.adapters.models.calls import JsonCall
from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import CallFailed, RetryPolicy, make_format_error, ping_server
from anchorage.adapters.models.pace import NoRoom, RateLimiter
from anchorage.adapters.models.vectors import (
    KnownModel,
    estimate_token_starts,
    find_known_model,
    make_unit_vectors,
    truncate_to_tokens,
)
from anchorage.errors import ConfigurationError, ModelUnavailable
from anchorage.model import EmbedderSpec
from anchorage.ports.embedder import Vectors
from anchorage.text.tokens import CHARACTERS_PER_TOKEN

_EMBEDDINGS_PATH = "embeddings"
DIMENSION_SETTING = "ANCHORAGE_EMBEDDING__DIMENSION"
PATIENT_RETRY = RetryPolicy(longest_wait=60.0)
"""For indexing, where nobody waits for the answer."""


@dataclass(frozen=True)
class OpenAIEmbedder:
    """An `Embedder` over `POST /embeddings`. Build it with `create`, which finds its dimension.

    Texts longer than `max_tokens` (estimated) are cut, as most models do themselves; batches go one after another.
    """

    client: ClientSession = field(repr=False)
    endpoint: Endpoint
    model: str
    dimension: int
    known: KnownModel | None = None
    max_tokens: int = 512
    batch_size: int = 32
    timeout: float = 60.0
    retry: RetryPolicy = field(default_factory=lambda: PATIENT_RETRY)
    ping_timeout: float = 2.0
    timeout_setting: str = "ANCHORAGE_EMBEDDING__TIMEOUT"
    query_timeout: float = 15.0
    query_wait: float = 10.0
    """Seconds that a question may wait for a rate limit. Short, since somebody waits for its answer."""
    _refused_parameters: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    _pace: RateLimiter = field(default_factory=RateLimiter, init=False, repr=False, compare=False)

    @classmethod
    async def create(
        cls,
        client: ClientSession,
        endpoint: Endpoint,
        model: str,
        *,
        dimension: int | None = None,
        max_tokens: int = 512,
        batch_size: int = 32,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        query_timeout: float = 15.0,
        query_wait: float = 10.0,
    ) -> OpenAIEmbedder:
        """Create an embedder. Its dimension is the one given, else that of the known model, else that of a first embedding.

        Raises `ConfigurationError` without a model, `ModelUnavailable` or `ModelError` if the server must be asked and
        does not answer.
        """
        if not model.strip():
            raise ConfigurationError(
                f"No embedding model is named for the model server at {endpoint.shown}. Set {endpoint.model_setting}."
            )
        known = find_known_model(model)
        retry = retry or PATIENT_RETRY
        found = dimension or (known.dimension if known else 0)
        embedder = cls(
            client, endpoint, model, found, known, max_tokens, batch_size, timeout, retry, query_timeout=query_timeout,
            query_wait=query_wait,
        )  # fmt: skip
        if found:
            return embedder
        probe = await embedder._request_vectors(["dimension"], None)
        return replace(embedder, dimension=int(probe.shape[1]))

    @cached_property
    def spec(self) -> EmbedderSpec:
        """The server is no part of the spec: the same model makes the same vectors anywhere."""
        prefixed = self.known is not None and (self.known.passage_prefix or self.known.query_prefix)
        return EmbedderSpec(self.model, "prefixed" if prefixed else "plain", self.dimension)

    def token_starts(self, text: str) -> NDArray[np.int64]:
        """An estimate: see `estimate_token_starts`."""
        return estimate_token_starts(text)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed in batches of `batch_size`. The order of the texts is kept."""
        prefix = self.known.passage_prefix if self.known else ""
        prepared = [prefix + truncate_to_tokens(text, self.max_tokens) for text in texts]
        vectors = np.empty((len(prepared), self.dimension), dtype=np.float32)
        for start in range(0, len(prepared), self.batch_size):
            batch = prepared[start : start + self.batch_size]
            vectors[start : start + len(batch)] = await self._request_vectors(batch, self.dimension)
        return vectors

    async def embed_query(self, text: str) -> NDArray[Any]:
        """Embed a question, with the prefix that the model expects."""
        prefix = self.known.query_prefix if self.known else ""
        try:
            vectors = await self._request_vectors(
                [prefix + truncate_to_tokens(text, self.max_tokens)], self.dimension, self._question_call
            )
        except NoRoom as error:
            raise ModelUnavailable(
                f"The embedding server at {self.endpoint.shown} is at its rate limit, and had no room for a question within "
                f"{self.query_wait:g} s; documents may be being indexed. Ask again in a moment, or raise ANCHORAGE_EMBEDDING__QUERY_WAIT."
            ) from error
        return vectors[0]  # type: ignore[no-any-return]

    def with_query_timeout(self) -> OpenAIEmbedder:
        """A copy for passages that somebody waits for: it times out as early as for a question."""
        if self.query_timeout >= self.timeout:
            return self
        other = copy(self)  # with the same rate limiter
        for name, value in (("timeout", self.query_timeout), ("timeout_setting", "ANCHORAGE_EMBEDDING__QUERY_TIMEOUT")):
            object.__setattr__(other, name, value)
        return other

    async def ping(self) -> str:
        """See `http.ping_server`: no paid call."""
        return await ping_server(self.client, self.endpoint, self.ping_timeout)

    async def _request_vectors(self, texts: list[str], dimension: int | None, call: JsonCall | None = None) -> Vectors:
        attempt, call = 0, call or self._passage_call
        tokens = sum(len(text) for text in texts) // CHARACTERS_PER_TOKEN  # an estimate is enough for a rate limit
        while True:
            try:
                rows = _parse_vectors(
                    self.endpoint,
                    await call.request_once(
                        self._build_payload(texts), f"vectors for {len(texts)} texts", tokens=tokens
                    ),
                )
                break
            except CallFailed as failed:
                refused = "encoding_format"
                if failed.status in (400, 422) and refused in failed.text and refused not in self._refused_parameters:
                    self._refused_parameters.add(refused)
                    continue
                await call.back_off(failed, attempt)
                attempt += 1
        hint = f"Set {DIMENSION_SETTING} to the model's length, or remove it."
        return make_unit_vectors(rows, len(texts), dimension, self.model, hint)

    @property
    def _passage_call(self) -> JsonCall:
        return JsonCall(
            self.client,
            self.endpoint,
            _EMBEDDINGS_PATH,
            self.model,
            self.timeout,
            self.timeout_setting,
            self.retry,
            self._pace,
        )

    @cached_property
    def _question_call(self) -> JsonCall:
        retry = replace(self.retry, longest_wait=min(self.retry.longest_wait, self.query_wait))
        return replace(self.with_query_timeout()._passage_call, longest_wait=self.query_wait, retry=retry)

    def _build_payload(self, texts: list[str]) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": self.model, "input": texts}
        if "encoding_format" not in self._refused_parameters:
            payload["encoding_format"] = "base64"  # a quarter of the bytes, and no numbers to parse
        if self.known and self.known.shortens and 0 < self.dimension < self.known.dimension:
            payload["dimensions"] = self.dimension
        return payload


def _parse_vectors(endpoint: Endpoint, reply: Any) -> list[Any]:
    """The vectors in the order of the texts, whichever order and encoding the server chose. Raises `CallFailed`."""
    try:
        items = reply["data"]
        if all(isinstance(item.get("index"), int) for item in items):
            ordered = sorted(items, key=lambda item: item["index"])
            if [item["index"] for item in ordered] == list(range(len(items))):
                items = ordered
            elif any(item["index"] != items[0]["index"] for item in items):
                raise ValueError("the indices of the vectors are not those of the texts")
            # All equal: the server does not number its vectors, and sends them in order.
        return [_decode_vector(item["embedding"]) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise make_format_error(endpoint, b"") from error


def _decode_vector(embedding: Any) -> Any:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return embedding
