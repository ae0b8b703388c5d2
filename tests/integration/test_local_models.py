"""The local models: their graphs, checksums, tokenizers and truncation."""

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest

from anchorage.adapters.models.local_embedding import files
from anchorage.adapters.models.local_embedding.catalogue import BGE, E5, LOCAL_MODELS, MINILM
from anchorage.adapters.models.local_embedding.embedder import open_local_embedder
from anchorage.adapters.models.local_embedding.files import build_files, choose_default_model, make_graph_name
from anchorage.chat.quoting.scale import ANSWERS, QUESTIONS, measure_scale
from anchorage.errors import ConfigurationError

TEXTS = ["The cat sat on the mat.", "Quantum chromodynamics describes the strong interaction.", "x " * 600]
CARRIED = pytest.mark.parametrize("model", [E5, MINILM], ids=lambda model: model.name)


@CARRIED
async def test_int8_is_near_float32(tmp_path: Path, model: files.LocalModel) -> None:
    exact, quick = await asyncio.gather(
        *(open_local_embedder(model, tmp_path, precision=precision) for precision in ("float32", "int8"))
    )
    assert exact.spec != quick.spec
    vectors = [await embedder.embed_passages(TEXTS) for embedder in (exact, quick)]
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.97


@CARRIED
async def test_the_vector_of_a_text_does_not_depend_on_the_others(tmp_path: Path, model: files.LocalModel) -> None:
    embedder = await open_local_embedder(model, tmp_path, precision="int8")
    together = await embedder.embed_passages(TEXTS)
    alone = np.concatenate([await embedder.embed_passages([text]) for text in TEXTS])
    assert np.array_equal(together, alone)


async def test_known_similarities_of_the_published_model(tmp_path: Path) -> None:
    """Values that sentence-transformers computes for all-MiniLM-L6-v2 (its model card's example sentences)."""
    embedder = await open_local_embedder(MINILM, tmp_path, precision="float32")
    vectors = await embedder.embed_passages(["This is an example sentence", "Each sentence is converted"])
    assert vectors[0] @ vectors[1] == pytest.approx(0.4197, abs=0.03)
    assert vectors[0][:3] == pytest.approx([0.0676, 0.0635, 0.0487], abs=0.002)


async def test_e5_finds_a_passage_in_another_language(tmp_path: Path) -> None:
    embedder = await open_local_embedder(E5, tmp_path)
    passages = await embedder.embed_passages(
        ["The harbour was widened in 1889.", "Bread is baked with rye flour.", "Der Hafen hat zwei Kräne."]
    )
    question = await embedder.embed_query("¿Cuándo se ensanchó el puerto?")
    assert int(np.argmax(passages @ question)) == 0


@CARRIED
async def test_what_a_cosine_means_is_measured_for_each_model(tmp_path: Path, model: files.LocalModel) -> None:
    """One calls .74 unrelated, the other .03: on the scale both are about 0."""
    embedder = await open_local_embedder(model, tmp_path)
    known = np.stack([await embedder.embed_query(question) for question in QUESTIONS])
    scale = measure_scale(known, await embedder.embed_passages(ANSWERS))
    question = await embedder.embed_query("When was the harbour widened?")
    told = await embedder.embed_passages(["The harbour was widened in 1889.", "Bread is baked with rye flour."])
    answer, other = scale.normalise(told @ question).tolist()
    assert 0.6 < answer < 1.7 and -0.6 < other < 0.4


async def test_text_beyond_what_the_model_reads_is_not_seen(tmp_path: Path) -> None:
    embedder = await open_local_embedder(MINILM, tmp_path)
    long = "harbour " * 254
    one, two = await embedder.embed_passages([long, long + "quantum " * 50])
    assert one @ two > 0.999
    assert len(embedder.token_starts(long * 4)) == 254 * 4


@CARRIED
async def test_tokens_start_at_words_and_cover_the_text(tmp_path: Path, model: files.LocalModel) -> None:
    embedder = await open_local_embedder(model, tmp_path)
    text = "Zürich  hat\n\nﬁxe 北京市 Preise \U0001f600 x\x00y" * 3
    starts = embedder.token_starts(text)
    assert (np.diff(starts) >= 0).all()
    assert not any(text[at : at + 1].isspace() for at in starts)
    assert embedder.token_starts("").size == 0
    long = "wide harbours " * 20_000
    assert len(embedder.token_starts(long)) == 20_000 * len(embedder.token_starts("wide harbours "))


async def test_a_spoiled_graph_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_prebuilt_folder", lambda: tmp_path / "none")
    build_files(MINILM, tmp_path, "int8")
    graph = tmp_path / make_graph_name(MINILM, "int8")
    graph.write_bytes(b"spoiled")
    embedder = await open_local_embedder(MINILM, tmp_path, precision="int8")
    assert np.isfinite(await embedder.embed_query("works")).all()
    assert graph.stat().st_size > 10**6


async def test_the_runtime_neither_reports_nor_leaves_an_identity(tmp_path: Path) -> None:
    """ONNX Runtime's official builds write a device id into the user's cache on import, and report to their maker."""
    code = "import asyncio, pathlib, sys; from anchorage.adapters.models.local_embedding.embedder import open_local_embedder; "
    code += "from anchorage.adapters.models.local_embedding.catalogue import MINILM; "
    code += "asyncio.run(open_local_embedder(MINILM, pathlib.Path(sys.argv[1])))"
    home = tmp_path / "home"
    home.mkdir()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path), env={"HOME": str(home)})
    assert await process.wait() == 0
    assert list(home.rglob("*")) == []


async def test_wrong_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / MINILM.file).write_bytes(b"not the weights")
    monkeypatch.setattr(files, "_find_package", lambda model: tmp_path)
    with pytest.raises(ConfigurationError, match="not the published"):
        build_files(MINILM, tmp_path, "int8")


async def test_without_the_extra_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(files, "find_prebuilt_folder", lambda: tmp_path / "none")
    assert choose_default_model() is MINILM
    with pytest.raises(ConfigurationError, match=r"anchorage\[local\]"):
        await open_local_embedder(MINILM, tmp_path)


async def test_weights_that_no_package_carries_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mvn dependency:copy"):
        await open_local_embedder(BGE, tmp_path)
    assert LOCAL_MODELS["bge-small-en-v1.5"] is BGE
