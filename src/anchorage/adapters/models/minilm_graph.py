"""Builds the ONNX graph of all-MiniLM-L6-v2 from its published weights, in float32 and in int8.

The graph is the BERT encoder (Devlin et al. 2018, six layers of width 384) followed by mean pooling over the
attention mask and L2 normalisation, as the model's card prescribes.

    inputs   input_ids, attention_mask: int64 (batch, tokens)
    output   embedding: float32 (batch, 384), each row of length 1
"""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from anchorage.adapters.models.onnx_runtime import load_onnx_runtime

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
GRAPH_RECIPE = "2"  # raise when the graph built below changes, so that cached graphs are built anew

_OPSET = 17
_LAYER_NORM_EPSILON = 1e-12


def compute_sha256(path: Path) -> str:
    """The file's SHA-256 as lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_safetensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All float32 tensors of a safetensors file, by name (format: 8-byte length, JSON header, raw data)."""
    raw = path.read_bytes()
    (header_size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + header_size])
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = (8 + header_size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(raw[start:end], dtype="<f4").reshape(entry["shape"])
    return tensors


class _GraphBuilder:
    """Collects nodes and constants, and names the values between them."""

    def __init__(self, weights: dict[str, np.ndarray[Any, Any]]) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add_constant(self, name: str, array: np.ndarray[Any, Any]) -> str:
        if name not in self.constants:
            self.constants[name] = self._numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def add_node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def add_linear(self, value: str, name: str) -> str:
        weight = self.add_constant(f"{name}.weight.T", self.weights[f"{name}.weight"].T)
        product = self.add_node("MatMul", value, weight)
        return self.add_node("Add", product, self.add_constant(f"{name}.bias", self.weights[f"{name}.bias"]))

    def add_layer_norm(self, value: str, name: str) -> str:
        scale = self.add_constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.add_constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.add_node("LayerNormalization", value, scale, bias, axis=-1, epsilon=_LAYER_NORM_EPSILON)


def _add_embeddings(graph: _GraphBuilder) -> str:
    words = graph.add_constant("words", graph.weights["embeddings.word_embeddings.weight"])
    places = graph.add_constant("places", graph.weights["embeddings.position_embeddings.weight"])
    kind = graph.add_constant("token_type", graph.weights["embeddings.token_type_embeddings.weight"][0])
    zero = graph.add_constant("zero", np.array([0], dtype=np.int64))
    length = graph.add_node("Slice", graph.add_node("Shape", "input_ids"), graph.add_constant("one", np.array([1])),
                        graph.add_constant("two", np.array([2])))  # fmt: skip
    first_places = graph.add_node("Slice", places, zero, length, zero)
    total = graph.add_node("Add", graph.add_node("Gather", words, "input_ids"), first_places)
    return graph.add_layer_norm(graph.add_node("Add", total, kind), "embeddings.LayerNorm")


def _add_attention(graph: _GraphBuilder, value: str, mask: str, layer: str, heads: int) -> str:
    """Self-attention by ONNX Runtime's fused operator, which never writes the token-by-token scores to memory."""
    parts = [graph.add_linear(value, f"{layer}.attention.self.{name}") for name in ("query", "key", "value")]
    mixed = graph.add_node("MultiHeadAttention", *parts, "", mask, domain="com.microsoft", num_heads=heads)
    output = graph.add_linear(mixed, f"{layer}.attention.output.dense")
    return graph.add_layer_norm(graph.add_node("Add", output, value), f"{layer}.attention.output.LayerNorm")


def _add_feed_forward(graph: _GraphBuilder, value: str, layer: str) -> str:
    """Linear, GELU (Hendrycks and Gimpel 2016, the exact form with erf), linear, residual, layer norm."""
    inner = graph.add_linear(value, f"{layer}.intermediate.dense")
    root = graph.add_constant("sqrt_two", np.array(2**0.5, dtype=np.float32))
    plus_one = graph.add_node("Add", graph.add_node("Erf", graph.add_node("Div", inner, root)),
                          graph.add_constant("one_f", np.array(1, dtype=np.float32)))  # fmt: skip
    gelu = graph.add_node(
        "Mul", graph.add_node("Mul", inner, plus_one), graph.add_constant("half", np.array(0.5, np.float32))
    )
    output = graph.add_linear(gelu, f"{layer}.output.dense")
    return graph.add_layer_norm(graph.add_node("Add", output, value), f"{layer}.output.LayerNorm")


def _add_pooling(graph: _GraphBuilder, value: str, mask: str) -> str:
    last = graph.add_constant("last_axis", np.array([2], dtype=np.int64))
    tokens_axis = graph.add_constant("tokens_axis", np.array([1], dtype=np.int64))
    weights = graph.add_node("Unsqueeze", mask, last)
    total = graph.add_node("ReduceSum", graph.add_node("Mul", value, weights), tokens_axis, keepdims=0)
    mean = graph.add_node("Div", total, graph.add_node("ReduceSum", weights, tokens_axis, keepdims=0))
    norm = graph.add_node("ReduceL2", mean, axes=[1], keepdims=1)
    graph.nodes.append(graph._helper.make_node("Div", [mean, norm], ["embedding"], name="normalised"))
    return "embedding"


def build_float_model(model_folder: Path) -> Any:
    """The float32 model as an ONNX `ModelProto`, from `config.json` and `model.safetensors` in the folder."""
    from onnx import TensorProto, checker, helper

    config = json.loads((model_folder / "config.json").read_text("utf-8"))
    graph = _GraphBuilder(read_safetensors(model_folder / "model.safetensors"))
    value = _add_embeddings(graph)
    mask = graph.add_node("Cast", "attention_mask", to=TensorProto.FLOAT)
    key_mask = graph.add_node("Cast", "attention_mask", to=TensorProto.INT32)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        value = _add_attention(graph, value, key_mask, layer, config["num_attention_heads"])
        value = _add_feed_forward(graph, value, layer)
    _add_pooling(graph, value, mask)

    def tensor(name: str, kind: int, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    built = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [tensor(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")],
        [tensor("embedding", TensorProto.FLOAT, ["batch", config["hidden_size"]])],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(built, opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    return model


def write_graph(model_folder: Path, target: Path, *, quantised: bool) -> None:
    """Build the graph, optimised for this runtime and optionally in int8, and put it at `target` atomically.

    The int8 form has symmetric per-channel weights and activations quantised at run time ("dynamic"), with the
    embedding tables in int8 too.
    """
    import onnx

    ort = load_onnx_runtime()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as folder:
        built, fused, final = (Path(folder) / name for name in ("built.onnx", "fused.onnx", "final.onnx"))
        onnx.save(build_float_model(model_folder), built)
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(fused)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.log_severity_level = 3
        ort.InferenceSession(str(built), options, providers=["CPUExecutionProvider"])
        if quantised:
            _quantise(fused, final)
        (final if quantised else fused).replace(target)


def _quantise(source: Path, target: Path) -> None:
    import logging

    load_onnx_runtime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser advises on the root logger about a step that is already done
    try:
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8,
                         op_types_to_quantize=["MatMul", "Gather"], nodes_to_exclude=_find_sensitive_nodes(source),
                         extra_options={"DefaultTensorType": 1})  # fmt: skip
    finally:
        root.setLevel(level)


def _find_sensitive_nodes(source: Path) -> list[str]:
    """Matrix products that stay in float32.

    What comes out of these layers' GELU is spread so unevenly that 8 bits lose the most there: with the two (of 36) left
    out, a third of the whole error is gone for little of the speed.
    """
    import onnx

    weights = tuple(f"encoder.layer.{number}.output.dense.weight" for number in (0, 2))
    nodes = onnx.load(source).graph.node
    return [node.name for node in nodes if any(name.startswith(weights) for name in node.input)]
