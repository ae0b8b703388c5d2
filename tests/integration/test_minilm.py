"""The local model: its graph, its checksum, its truncation."""

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest

from anchorage.adapters.models import minilm
from anchorage.adapters.models.minilm import build_graph, make_graph_name, open_minilm
from anchorage.errors import ConfigurationError

TEXTS = ["The cat sat on the mat.", "Quantum chromodynamics describes the strong interaction.", "x " * 600]


async def test_int8_is_near_float32(tmp_path: Path) -> None:
    exact, quick = await asyncio.gather(
        *(open_minilm(tmp_path, precision=precision) for precision in ("float32", "int8"))
    )
    assert exact.spec != quick.spec
    vectors = [await embedder.embed_passages(TEXTS) for embedder in (exact, quick)]
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.97


async def test_known_similarities_of_the_published_model(tmp_path: Path) -> None:
    """Values that sentence-transformers computes for all-MiniLM-L6-v2 (its model card's example sentences)."""
    embedder = await open_minilm(tmp_path, precision="float32")
    vectors = await embedder.embed_passages(["This is an example sentence", "Each sentence is converted"])
    assert vectors[0] @ vectors[1] == pytest.approx(0.4197, abs=0.03)
    assert vectors[0][:3] == pytest.approx([0.0676, 0.0635, 0.0487], abs=0.002)


async def test_text_beyond_256_tokens_is_not_seen(tmp_path: Path) -> None:
    embedder = await open_minilm(tmp_path)
    long = "harbour " * 254
    one, two = await embedder.embed_passages([long, long + "quantum " * 50])
    assert one @ two > 0.999
    assert len(embedder.token_starts(long * 4)) == 254 * 4


async def test_a_spoiled_graph_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "find_prebuilt_folder", lambda: tmp_path / "none")
    build_graph(tmp_path, "int8")
    graph = tmp_path / make_graph_name("int8")
    graph.write_bytes(b"spoiled")
    embedder = await open_minilm(tmp_path, precision="int8")
    assert np.isfinite(await embedder.embed_query("works")).all()
    assert graph.stat().st_size > 10**6


async def test_the_runtime_neither_reports_nor_leaves_an_identity(tmp_path: Path) -> None:
    """ONNX Runtime's official builds write a device id into the user's cache on import, and report to their maker."""
    code = "import asyncio, pathlib, sys; from anchorage.adapters.models.minilm import open_minilm; "
    code += "asyncio.run(open_minilm(pathlib.Path(sys.argv[1])))"
    home = tmp_path / "home"
    home.mkdir()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path), env={"HOME": str(home)})
    assert await process.wait() == 0
    assert list(home.rglob("*")) == []


async def test_wrong_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.setattr(minilm, "find_model_folder", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match="not the published"):
        build_graph(tmp_path, "int8")


async def test_without_the_extra_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"anchorage\[local\]"):
        await open_minilm(tmp_path)
