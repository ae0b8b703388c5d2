"""The local embedder: a small BERT encoder on ONNX Runtime, without a key, a download or torch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.models.local_embedding.catalogue import LocalModel
from anchorage.adapters.models.local_embedding.files import ModelFiles, find_or_build_files, resolve_precision
from anchorage.adapters.models.local_embedding.tokenizers import SentencePieceTokenizer, Tokenizer, WordPieceTokenizer
from anchorage.adapters.models.onnx_runtime import open_session
from anchorage.model import EmbedderSpec
from anchorage.ports.embedder import Vectors

_SHARE = 4  # texts of a thread before others get their turn


class LocalEmbedder:
    """Implements the `Embedder` port. Build with `open_local_embedder`.

    Each text is a call of its own, on one thread: int8 scales its numbers over all that a call holds, so that in a batch a
    text's vector would depend on its neighbours. It is faster, too: nothing is padded, and no thread waits for another
    within a layer.
    """

    def __init__(self, model: LocalModel, session: Any, tokenizer: Tokenizer, spec: EmbedderSpec, threads: int) -> None:
        self._model, self._session, self._tokenizer, self._spec = model, session, tokenizer, spec
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="embed")
        self._turns = asyncio.Semaphore(1)

    @property
    def spec(self) -> EmbedderSpec:
        return self._spec

    @property
    def max_tokens(self) -> int:
        return self._model.max_tokens

    def token_starts(self, text: str) -> NDArray[np.int64]:
        return self._tokenizer.find_starts(text)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self._model.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))  # threads of a turn get texts of like length
        for first in range(0, len(order), _SHARE * self._threads):
            turn = order[first : first + _SHARE * self._threads]
            shares = [turn[number :: self._threads] for number in range(min(self._threads, len(turn)))]
            # An answer's sentences go between the turns of an ingest.
            async with self._turns:
                loop = asyncio.get_running_loop()
                calls = [loop.run_in_executor(self._pool, self._embed, [texts[at] for at in share]) for share in shares]
                for share, found in zip(shares, await asyncio.gather(*calls), strict=True):
                    vectors[share] = found
        return vectors

    async def embed_query(self, text: str) -> NDArray[Any]:
        # Not by the pool: a question does not wait for an ingest.
        return await asyncio.to_thread(self._embed_one, self._model.question_prefix + text)

    async def ping(self) -> str:
        return "available"

    def _embed(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._embed_one(self._model.passage_prefix + text) for text in texts])

    def _embed_one(self, text: str) -> NDArray[np.float32]:
        tokens = np.array([self._tokenizer.encode(text, self._model.max_tokens)], dtype=np.int64)
        vectors = self._session.run(None, {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})[0]
        vector: NDArray[np.float32] = vectors[0]
        return vector


async def open_local_embedder(
    model: LocalModel, cache: Path, *, precision: str = "auto", threads: int = 0
) -> LocalEmbedder:
    """Load a model, building its graph when neither the installation nor `cache` has it; 0 threads: one per core.

    Raises `ConfigurationError` when the weights are missing or are not the published ones, `ModelError` when the graph cannot be built.
    """
    chosen = resolve_precision(precision)
    files = await find_or_build_files(model, cache, chosen)
    return await asyncio.to_thread(_load, model, files, chosen, threads or len(os.sched_getaffinity(0)))


def _load(model: LocalModel, files: ModelFiles, precision: str, threads: int) -> LocalEmbedder:
    kind = SentencePieceTokenizer if model.weights == "container" else WordPieceTokenizer
    spec = EmbedderSpec(model.name, model.revision, model.dimension, precision)
    return LocalEmbedder(model, open_session(files.graph, 1), kind(files.tokenizer), spec, threads)
