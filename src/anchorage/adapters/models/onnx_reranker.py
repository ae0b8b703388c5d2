"""A local cross-encoder on ONNX Runtime, from a model folder as Hugging Face's exporters write it.

tokenizer.json                     the fast tokenizer
model.onnx or onnx/model.onnx      inputs input_ids, attention_mask and maybe token_type_ids; output logits (batch, 1 or 2)
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.models.onnx_runtime import make_batches, open_session
from anchorage.errors import ConfigurationError, ModelError

_GRAPHS = ("model.onnx", "onnx/model.onnx")
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class OnnxReranker:
    """Implements the `Reranker` port. Build with `open_onnx_reranker`."""

    def __init__(self, session: Any, tokenizer: Any, name: str) -> None:
        self._session, self._tokenizer, self._name = session, tokenizer, name
        self._inputs = [item.name for item in session.get_inputs()]
        self._one_at_a_time = asyncio.Semaphore(1)

    @property
    def model(self) -> str:
        return self._name

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """Passages longer than the model reads are cut at their end."""
        if not passages:
            return []
        pairs = [(question, passage) for passage in passages]
        encodings = await asyncio.to_thread(self._tokenizer.encode_batch, pairs)
        scores = np.empty(len(pairs), dtype=np.float64)
        for batch in make_batches([len(encoding.ids) for encoding in encodings]):
            # Batch by batch: a caller whose deadline has passed frees the cores for the next one.
            async with self._one_at_a_time:
                scores[batch] = await asyncio.to_thread(self._run_model, [encodings[index] for index in batch])
        return [float(score) for score in scores]

    async def ping(self) -> str:
        return "available"

    def _run_model(self, encodings: Sequence[Any]) -> NDArray[np.float64]:
        width = max(len(encoding.ids) for encoding in encodings)
        arrays = {name: np.zeros((len(encodings), width), dtype=np.int64) for name in _INPUTS}
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            arrays["input_ids"][row, :length] = encoding.ids
            arrays["attention_mask"][row, :length] = encoding.attention_mask
            arrays["token_type_ids"][row, :length] = encoding.type_ids
        try:
            logits = self._session.run(None, {name: arrays[name] for name in self._inputs})[0]
        except Exception as error:  # ONNX Runtime has no common class for its errors
            raise ModelError(
                f"The reranker {self._name} could not read the passages ({type(error).__name__}). Check that its graph and "
                "its tokenizer belong together, and ANCHORAGE_RERANK__MAX_TOKENS."
            ) from error
        return _compute_probabilities(np.asarray(logits, dtype=np.float64))


def _compute_probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely each passage is relevant: the logistic function of one logit, or softmax of (no, yes)."""
    margin = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(margin, -60, 60)))
    return result


async def open_onnx_reranker(folder: Path, *, max_tokens: int, threads: int = 0) -> OnnxReranker:
    """Load the model of a folder. Raises `ConfigurationError` when the folder holds none, or the extra is missing."""
    missing = [name for name in ("onnxruntime", "tokenizers") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            "A local reranker needs ONNX Runtime. Install it with `pip install 'anchorage[local]'`."
        )
    graph = next((folder / name for name in _GRAPHS if (folder / name).is_file()), None)
    tokens = folder / "tokenizer.json"
    if graph is None or not tokens.is_file():
        raise ConfigurationError(
            f"{folder} holds no reranker: a tokenizer.json and a model.onnx (or onnx/model.onnx) are needed. Export a "
            "cross-encoder to ONNX into it, or name another folder with RERANK_MODEL."
        )
    return await asyncio.to_thread(_load_reranker, folder, graph, tokens, max_tokens, threads)


def _load_reranker(folder: Path, graph: Path, tokens: Path, max_tokens: int, threads: int) -> OnnxReranker:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(tokens))
        session = open_session(graph, threads)
    except Exception as error:  # both libraries raise bare exceptions of their own
        raise ConfigurationError(
            f"The reranker in {folder} cannot be loaded ({type(error).__name__}: {str(error)[:200]}). Export it anew."
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    reranker = OnnxReranker(session, tokenizer, folder.name)
    outputs = session.get_outputs()[0].shape
    if set(reranker._inputs) - set(_INPUTS) or len(outputs) != 2 or (isinstance(outputs[1], int) and outputs[1] > 2):
        raise ConfigurationError(
            f"The graph {graph} is not that of a cross-encoder: it takes {', '.join(reranker._inputs)} and gives {outputs}. "
            "Export a model for sequence classification with one label."
        )
    return reranker
