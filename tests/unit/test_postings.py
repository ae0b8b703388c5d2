"""The lexical index's blocks: what is written is what is read."""

import random

import numpy as np

from anchorage.adapters.postgres.lexical.postings import BLOCK, Block, decode, decode_all, encode, invert


def counts_of(passages: int, seed: int) -> dict[int, dict[str, int]]:
    """Term counts with one term in every passage, rare ones, and gaps between ids of every width."""
    rng = random.Random(seed)
    found, chunk_id = {}, 1
    for number in range(passages):
        found[chunk_id] = {"common": 1 + number % 300} | {
            f"rare{rng.randrange(5000)}": rng.randrange(1, 4) for _ in range(3)
        }
        chunk_id += rng.choice((1, 1, 1, 300, 70_000, 2**33)) if number % 50 == 0 else 1
    return found


def test_postings_survive_being_packed_and_merged() -> None:
    counts = counts_of(2 * BLOCK + 100, 1)
    terms, table = invert(counts)
    packed = list(encode(table))
    assert sorted(set(terms)) == terms and {number for number, _, _ in packed} == set(range(len(terms)))
    common = [block for number, _, block in packed if terms[number] == "common"]
    assert [len(block.frequencies) for block in common] == [BLOCK, BLOCK, 100]
    read = decode(common).chunk_ids
    assert read.tolist() == sorted(counts)
    shuffled = random.Random(2).sample(packed, len(packed))
    again = decode_all([number for number, _, _ in shuffled], [block for _, _, block in shuffled])
    for name in ("terms", "chunk_ids", "frequencies", "lengths"):
        assert np.array_equal(getattr(again, name), getattr(table, name)), name
    expected = {
        (terms.index(term), key): min(n, 255) for key, item in list(counts.items())[:50] for term, n in item.items()
    }
    have = dict(
        zip(zip(again.terms.tolist(), again.chunk_ids.tolist(), strict=True), again.frequencies.tolist(), strict=True)
    )
    assert expected.items() <= have.items()


def test_nothing_packs_to_nothing() -> None:
    terms, table = invert({7: {}})
    assert terms == [] and list(encode(table)) == []
    assert len(decode_all([], []).terms) == 0
    ((_, _, alone),) = encode(decode_all([0], [Block(5, b"", b"\x02", b"\x03\x00")]))
    assert alone == Block(5, b"", b"\x02", b"\x03\x00")
