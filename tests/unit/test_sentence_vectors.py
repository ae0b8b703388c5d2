"""The cache of sentence vectors: right, and bounded."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.errors import ModelUnavailable
from anchorage.model import LOCAL_OWNER, Principal, Usage
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
            await vectors.embed_sentences(sentences),
            (await HashEmbedder().embed_passages(sentences)).reshape(len(sentences), 64),
        )
    assert embedder.asked == ["a b", "c d", "e f"]
    await vectors.embed_sentences(["g", "h", "i", "j"])
    await vectors.embed_sentences(["a b"])
    assert embedder.asked[-5:] == ["g", "h", "i", "j", "a b"]


async def test_what_is_embedded_goes_on_an_account_and_what_is_known_does_not() -> None:
    shared, spent = SentenceVectors(HashEmbedder()), list[int]()

    class Account:
        def add(self, principal: Principal, usage: Usage) -> None:
            spent.append(usage.prompt_tokens)

    mine = shared.charge_to(LOCAL_OWNER, UsageRecorder(cast(Any, Account()), lambda spec: True))
    await mine.embed_sentences(["a harbour", "a quay"])
    await mine.embed_sentences(["a harbour"])
    await shared.embed_sentences(["a quay", "a ship"])
    assert len(spent) == 1 and spent[0] == sum(
        len(HashEmbedder().token_starts(text)) for text in ("a harbour", "a quay")
    )


async def test_questions_are_embedded_as_questions_and_charged() -> None:
    class Asked(HashEmbedder):
        async def embed_query(self, text: str) -> NDArray[Any]:
            return await super().embed_query(f"query: {text}")

    class Account:
        def add(self, principal: Principal, usage: Usage) -> None:
            spent.append(usage.prompt_tokens)

    spent = list[int]()
    vectors = SentenceVectors(Asked()).charge_to(LOCAL_OWNER, UsageRecorder(cast(Any, Account()), lambda spec: True))
    assert await vectors.embed_questions([]) == [] and not spent
    (found,) = await vectors.embed_questions(["where is it"])
    assert np.array_equal(found, await Asked().embed_query("where is it")) and len(spent) == 1


async def test_an_embedder_that_hangs_is_waited_for_no_longer_than_said() -> None:
    class Hanging(HashEmbedder):
        async def embed_passages(self, texts: Sequence[str]) -> Vectors:
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(ModelUnavailable, match="QUERY_TIMEOUT"):
        await SentenceVectors(Hanging(), wait=0.01).embed_sentences(["a"])
