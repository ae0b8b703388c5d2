"""The cache of sentence vectors: right, and bounded."""

from collections.abc import Sequence

import numpy as np

from anchorage.chat.sentences import SentenceVectors
from anchorage.ports.embedder import Vectors
from anchorage.testing.fakes import HashEmbedder


class Counting(HashEmbedder):
    asked: list[str] = []  # noqa: RUF012

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.asked.extend(texts)
        return await super().embed_passages(texts)


async def test_what_is_known_is_not_embedded_again() -> None:
    embedder = Counting()
    embedder.asked.clear()
    vectors = SentenceVectors(embedder, size=3)
    for sentences in (["a b", "c d", "a b"], ["c d", "e f"], []):
        assert np.array_equal(
            await vectors.of(sentences), (await HashEmbedder().embed_passages(sentences)).reshape(len(sentences), 64)
        )
    assert embedder.asked == ["a b", "c d", "e f"]
    await vectors.of(["g", "h", "i", "j"])
    await vectors.of(["a b"])
    assert embedder.asked[-5:] == ["g", "h", "i", "j", "a b"]
