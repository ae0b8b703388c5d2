"""Deterministic bag-of-words vectors: texts that share words are near each other. For tests and benches only."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


def hash_texts(texts: Sequence[str], dimension: int) -> NDArray[np.float32]:
    """One unit vector a text; a text without words gets the first axis."""
    vectors = np.zeros((len(texts), dimension), dtype=np.float64)
    for row, text in zip(vectors, texts, strict=True):
        for word in _WORD.findall(text.lower()):
            code = zlib.crc32(word.encode("utf-8", "replace"))
            row[code % dimension] += 1.0 if code & 0x8000_0000 else -1.0  # signs keep unrelated texts near zero
        if not row.any():
            row[0] = 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)
