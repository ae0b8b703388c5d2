"""Builds the ONNX graph of a BERT encoder from its published weights, in float32 and in int8.

The graph is the encoder (Devlin et al. 2018) followed by pooling and L2 normalisation, as the model's card prescribes.

    inputs   input_ids, attention_mask: int64 (batch, tokens)
    output   embedding: float32 (batch, dimension), each row of length 1
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from anchorage.adapters.models.local_embedding.catalogue import LocalModel
from anchorage.adapters.models.local_embedding.weights import BlockQuantised, Weights
from anchorage.adapters.models.onnx_runtime import load_onnx_runtime

_OPSET = 17
_LAYER_NORM_EPSILON = 1e-12


class _GraphBuilder:
    """Collects nodes and constants, and names the values between them."""

    def __init__(self, weights: Weights) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self._weights = weights
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

    def read_weight(self, name: str) -> np.ndarray[Any, Any]:
        weight = self._weights[name]
        return weight.dequantise() if isinstance(weight, BlockQuantised) else weight

    def add_rows(self, name: str, numbers: str) -> str:
        """The rows of a table with these numbers. A table in 4 bits stays as it is: it is most of what a model takes in memory."""
        table = self._weights[name]
        if isinstance(table, BlockQuantised):
            packed, scales = self.add_constant(name, table.packed), self.add_constant(f"{name}.scales", table.scales)
            return self.add_node(
                "GatherBlockQuantized", packed, numbers, scales, domain="com.microsoft", bits=4, block_size=32,
                gather_axis=0, quantize_axis=1,
            )  # fmt: skip
        return self.add_node("Gather", self.add_constant(name, table), numbers)

    def add_linear(self, value: str, name: str) -> str:
        weight = self.add_constant(f"{name}.weight.T", self.read_weight(f"{name}.weight").T)
        product = self.add_node("MatMul", value, weight)
        return self.add_node("Add", product, self.add_constant(f"{name}.bias", self.read_weight(f"{name}.bias")))

    def add_layer_norm(self, value: str, name: str) -> str:
        scale = self.add_constant(f"{name}.weight", self.read_weight(f"{name}.weight"))
        bias = self.add_constant(f"{name}.bias", self.read_weight(f"{name}.bias"))
        return self.add_node("LayerNormalization", value, scale, bias, axis=-1, epsilon=_LAYER_NORM_EPSILON)


def _add_embeddings(graph: _GraphBuilder) -> str:
    words = graph.add_rows("embeddings.word_embeddings.weight", "input_ids")
    places = graph.add_constant("places", graph.read_weight("embeddings.position_embeddings.weight"))
    kind = graph.add_constant("token_type", graph.read_weight("embeddings.token_type_embeddings.weight")[0])
    zero = graph.add_constant("zero", np.array([0], dtype=np.int64))
    length = graph.add_node("Slice", graph.add_node("Shape", "input_ids"), graph.add_constant("one", np.array([1])),
                        graph.add_constant("two", np.array([2])))  # fmt: skip
    first_places = graph.add_node("Slice", places, zero, length, zero)
    total = graph.add_node("Add", words, first_places)
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


def _add_pooling(graph: _GraphBuilder, value: str, mask: str, pooling: str) -> str:
    tokens_axis = graph.add_constant("tokens_axis", np.array([1], dtype=np.int64))
    if pooling == "first":
        first = graph.add_constant("first_token", np.array(0, dtype=np.int64))
        pooled = graph.add_node("Gather", value, first, axis=1)
    else:
        last = graph.add_constant("last_axis", np.array([2], dtype=np.int64))
        weights = graph.add_node("Unsqueeze", mask, last)
        total = graph.add_node("ReduceSum", graph.add_node("Mul", value, weights), tokens_axis, keepdims=0)
        pooled = graph.add_node("Div", total, graph.add_node("ReduceSum", weights, tokens_axis, keepdims=0))
    norm = graph.add_node("ReduceL2", pooled, axes=[1], keepdims=1)
    graph.nodes.append(graph._helper.make_node("Div", [pooled, norm], ["embedding"], name="normalised"))
    return "embedding"


def build_float_graph(model: LocalModel, weights: Weights) -> Any:
    """The float32 graph as an ONNX `ModelProto`."""
    from onnx import TensorProto, checker, helper

    graph = _GraphBuilder(weights)
    value = _add_embeddings(graph)
    mask = graph.add_node("Cast", "attention_mask", to=TensorProto.FLOAT)
    key_mask = graph.add_node("Cast", "attention_mask", to=TensorProto.INT32)
    for number in range(model.layers):
        layer = f"encoder.layer.{number}"
        value = _add_attention(graph, value, key_mask, layer, model.heads)
        value = _add_feed_forward(graph, value, layer)
    _add_pooling(graph, value, mask, model.pooling)

    def tensor(name: str, kind: int, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    built = helper.make_graph(
        graph.nodes,
        model.name,
        [tensor(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")],
        [tensor("embedding", TensorProto.FLOAT, ["batch", model.dimension])],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(built, opset_imports=opsets, ir_version=8)
    checker.check_model(proto)
    return proto


def write_graph(model: LocalModel, weights: Weights, target: Path, *, quantised: bool) -> None:
    """Build the graph, optimised for this runtime and optionally in int8, and put it at `target` atomically.

    The int8 form has symmetric per-channel weights and activations quantised at run time ("dynamic"), with embedding
    tables of float32 in int8 too.
    """
    import onnx

    ort = load_onnx_runtime()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as folder:
        built, fused, final = (Path(folder) / name for name in ("built.onnx", "fused.onnx", "final.onnx"))
        onnx.save(build_float_graph(model, weights), built)
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(fused)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.log_severity_level = 3
        ort.InferenceSession(str(built), options, providers=["CPUExecutionProvider"])
        if quantised:
            _quantise(fused, final, model.kept_float)
        (final if quantised else fused).replace(target)


def _quantise(source: Path, target: Path, kept_float: tuple[str, ...]) -> None:
    import logging

    load_onnx_runtime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser advises on the root logger about a step that is already done
    try:
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8,
                         op_types_to_quantize=["MatMul", "Gather"], nodes_to_exclude=_find_nodes(source, kept_float),
                         extra_options={"DefaultTensorType": 1})  # fmt: skip
    finally:
        root.setLevel(level)


def _find_nodes(source: Path, layers: tuple[str, ...]) -> list[str]:
    """The nodes of the graph that read the weights of these layers."""
    import onnx

    weights = tuple(f"{layer}.weight" for layer in layers)
    nodes = onnx.load(source).graph.node
    return [node.name for node in nodes if weights and any(name.startswith(weights) for name in node.input)]
