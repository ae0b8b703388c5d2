"""What every `Embedder` must do. Subclass with a fixture `embedder`."""

from __future__ import annotations

import numpy as np

from anchorage.ports.embedder import Embedder

_TEXTS = ("The cat sat on the mat.", "Die Katze saß auf der Matte.", "", "猫 🐈", "word " * 2000)


class EmbedderConformance:
    """Shapes, lengths, order and determinism."""

    async def test_vectors_are_of_length_one_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        vectors = await embedder.embed_passages(_TEXTS)
        assert vectors.shape == (len(_TEXTS), embedder.spec.dimension)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
        again = await embedder.embed_passages(_TEXTS[::-1])
        assert np.allclose(vectors, again[::-1], atol=2e-2)

    async def test_no_texts_make_no_vectors(self, embedder: Embedder) -> None:
        assert (await embedder.embed_passages([])).shape == (0, embedder.spec.dimension)

    async def test_a_question_is_nearest_to_the_passage_about_it(self, embedder: Embedder) -> None:
        passages = await embedder.embed_passages(
            ["The harbour of Ghent was built in 1827.", "Bread is made of flour and water."]
        )
        question = await embedder.embed_query("When was the harbour of Ghent built?")
        assert question.shape == (embedder.spec.dimension,)
        assert passages[0] @ question > passages[1] @ question

    async def test_tokens_start_in_ascending_order_inside_the_text(self, embedder: Embedder) -> None:
        text = "One two, three: 猫 four.\n\nFive"
        starts = embedder.token_starts(text)
        assert len(starts) >= 5
        assert (np.diff(starts) >= 0).all()
        assert starts[0] >= 0 and starts[-1] < len(text)
        assert len(embedder.token_starts("")) == 0

    async def test_it_can_be_pinged(self, embedder: Embedder) -> None:
        assert await embedder.ping() == "available"
