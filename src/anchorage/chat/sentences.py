"""Vectors of sentences, kept for a while: the sentences of a passage that is found often are embedded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.ports.embedder import Embedder, Vectors


class SentenceVectors:
    """Embeds sentences and remembers the last `size` of them (1.5 kB each with 384 dimensions)."""

    def __init__(self, embedder: Embedder, size: int = 8192) -> None:
        self._embedder, self._size = embedder, size
        self._known: OrderedDict[str, NDArray[Any]] = OrderedDict()

    async def of(self, sentences: Sequence[str]) -> Vectors:
        """One unit vector a sentence, shape (sentences, dimension). Raises what the embedder raises."""
        found = {sentence: self._known[sentence] for sentence in sentences if sentence in self._known}
        missing = list(dict.fromkeys(sentence for sentence in sentences if sentence not in found))
        if missing:
            found |= zip(missing, await self._embedder.embed_passages(missing), strict=True)
        for sentence, vector in found.items():
            self._known[sentence] = vector
            self._known.move_to_end(sentence)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        if not sentences:
            return np.zeros((0, self._embedder.spec.dimension), dtype=np.float32)
        return np.stack([found[sentence] for sentence in sentences])
