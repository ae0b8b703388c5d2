"""A tiny cross-encoder as a model folder: its logit says how many words question and passage share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = "what do cats eat fish the harbour opened in may dogs".split()


def write_cross_encoder(
    folder: Path, *, labels: int = 1, inputs: tuple[str, ...] = ("input_ids", "attention_mask")
) -> Path:
    """The folder, with tokenizer.json and onnx/model.onnx."""
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    (folder / "onnx").mkdir(parents=True)
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))

    # A word that stands on both sides is counted twice: sum over words of max(0, count - 1), less 1.5.
    known = np.zeros((len(names), len(names)), dtype=np.float32)
    known[4:, 4:] = np.eye(len(WORDS), dtype=np.float32)
    constants = {
        "known": known, "one": np.array(1, np.float32), "middle": np.array(1.5, np.float32), "axis": np.array([1]),
        "last": np.array([2]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["known", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["rows", "weights"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "axis"], ["counts"], keepdims=0),
        helper.make_node("Sub", ["counts", "one"], ["more"]),
        helper.make_node("Relu", ["more"], ["shared"]),
        helper.make_node("ReduceSum", ["shared", "axis"], ["total"], keepdims=1),
        helper.make_node("Sub", ["total", "middle"], ["logit" if labels > 1 else "logits"]),
    ]
    if labels > 1:
        nodes += [
            helper.make_node("Neg", ["logit"], ["no"]),
            helper.make_node("Concat", ["no", *["logit"] * (labels - 1)], ["logits"], axis=1),
        ]
    graph = helper.make_graph(
        nodes, "cross-encoder",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10),
        str(folder / "onnx/model.onnx"),
    )
    return folder
