"""The BM25 inverted index's data structures: blocks of postings and their scoring. Pure numpy, no database.

A segment is what one transaction added, immutable. For each term it holds blocks of at most 4,096 postings in ascending
order of chunk id, each posting being (chunk id, term frequency, passage length in terms). Finished weights are not
stored, since averages move. Document frequencies are *counters* that add up over segments: a deletion adds a segment
with negative counters and no postings, so statistics are exact at once, while the dead postings go at the next merge.

Scoring is BM25 as Lucene computes it (Robertson et al. 1994; Kamphuis et al. 2020, "Which BM25 do you mean?").
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
BLOCK = 4096
_DENSE_SPAN = 4_000_000  # ids up to this far apart are scored in one flat array of 16 MB

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Up to 4,096 postings of one term. `chunk_ids` holds the first id and then gaps, in the narrowest width that fits."""

    first_id: int
    gaps: bytes
    frequencies: bytes
    lengths: bytes


@dataclass(frozen=True, slots=True)
class Postings:
    """Parallel arrays, ascending by chunk id."""

    chunk_ids: Ids
    frequencies: NDArray[np.uint8]
    lengths: NDArray[np.uint16]

    def keep(self, mask: NDArray[np.bool_]) -> Postings:
        return Postings(self.chunk_ids[mask], self.frequencies[mask], self.lengths[mask])


def encode(postings: Postings) -> list[Block]:
    """Cut postings into blocks."""
    blocks = []
    for start in range(0, len(postings.chunk_ids), BLOCK):
        ids = postings.chunk_ids[start : start + BLOCK]
        gaps = np.diff(ids)
        widest = int(gaps.max(initial=0))
        width = "u1" if widest < 1 << 8 else "<u2" if widest < 1 << 16 else "<u4" if widest < 1 << 32 else "<u8"
        blocks.append(
            Block(
                int(ids[0]),
                gaps.astype(width).tobytes(),
                postings.frequencies[start : start + BLOCK].tobytes(),
                postings.lengths[start : start + BLOCK].astype("<u2").tobytes(),
            )
        )
    return blocks


def decode(block: Block) -> Postings:
    """The postings of a block; the width of the gaps follows from how many there are."""
    count = len(block.frequencies)
    ids = np.empty(count, dtype=np.int64)
    ids[0] = block.first_id
    if count > 1:
        width = len(block.gaps) // (count - 1)
        np.cumsum(np.frombuffer(block.gaps, dtype=f"<u{width}"), out=ids[1:])
        ids[1:] += block.first_id
    frequencies = np.frombuffer(block.frequencies, dtype=np.uint8)
    return Postings(ids, frequencies, np.frombuffer(block.lengths, dtype="<u2"))


def invert(counts: Mapping[int, Mapping[str, int]]) -> dict[str, Postings]:
    """Postings by term, from the term counts of each chunk by its id."""
    entries: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for chunk_id in sorted(counts):
        length = min(sum(counts[chunk_id].values()), 65535)
        for term, frequency in counts[chunk_id].items():
            entries[term].append((chunk_id, min(frequency, 255), length))
    inverted = {}
    for term, rows in entries.items():
        table = np.array(rows, dtype=np.int64)
        inverted[term] = Postings(table[:, 0], table[:, 1].astype(np.uint8), table[:, 2].astype(np.uint16))
    return inverted


def merge(parts: Sequence[Postings]) -> Postings:
    """One ascending list of what several segments hold of a term."""
    ids = np.concatenate([part.chunk_ids for part in parts])
    order = np.argsort(ids, kind="stable")
    return Postings(
        ids[order],
        np.concatenate([part.frequencies for part in parts])[order],
        np.concatenate([part.lengths for part in parts])[order],
    )


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a whole index: live chunks, and the sum of their lengths in terms."""

    chunks: int
    tokens: int

    @property
    def average_length(self) -> float:
        return max(self.tokens / self.chunks, 1.0) if self.chunks > 0 else 1.0


class Scores:
    """Sums of BM25 weights by chunk id."""

    def __init__(self, ids: Ids, values: NDArray[np.float32]) -> None:
        self._ids, self._values = ids, values

    def best(self, count: int) -> tuple[Ids, NDArray[np.float32]]:
        """The `count` best ids with their scores, best first; ties go to the lower id."""
        many = len(self._ids) > count
        kept = np.argpartition(-self._values, count)[:count] if many else np.arange(len(self._ids))
        order = kept[np.lexsort((self._ids[kept], -self._values[kept]))]
        return self._ids[order], self._values[order]

    def of(self, ids: Ids) -> NDArray[np.float32]:
        """The scores of given ids, 0 for those without."""
        if len(self._ids) == 0:
            return np.zeros(len(ids), dtype=np.float32)
        at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[at] == ids, self._values[at], np.float32(0))

    def __len__(self) -> int:
        return len(self._ids)


def inverse_document_frequency(frequency: int, chunks: int) -> float:
    """Lucene's form, which is never negative."""
    return math.log(1 + (max(chunks - frequency, 0) + 0.5) / (max(frequency, 0) + 0.5))


def score(
    statistics: Statistics,
    frequencies: Mapping[str, int],
    query: Mapping[str, int],
    blocks: Iterable[tuple[str, Block]],
) -> Scores:
    """BM25 scores of all chunks in the blocks. `frequencies` are document frequencies, `query` the question's term counts."""
    parts: list[tuple[Ids, NDArray[np.float32]]] = []
    for term, block in blocks:
        postings = decode(block)
        weight = query[term] * inverse_document_frequency(frequencies[term], statistics.chunks)
        parts.append((postings.chunk_ids, _weights(postings, weight, statistics.average_length)))
    return _summed(parts)


def _weights(postings: Postings, weight: float, average_length: float) -> NDArray[np.float32]:
    frequency = postings.frequencies.astype(np.float32)
    norm = postings.lengths.astype(np.float32)
    norm *= np.float32(K1 * B / average_length)
    norm += np.float32(K1 * (1 - B))
    norm += frequency
    frequency *= np.float32(weight * (K1 + 1))
    frequency /= norm
    result: NDArray[np.float32] = frequency
    return result


def _summed(parts: list[tuple[Ids, NDArray[Any]]]) -> Scores:
    if not parts:
        return Scores(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    lowest = min(int(ids[0]) for ids, _ in parts)
    span = max(int(ids[-1]) for ids, _ in parts) - lowest + 1
    if span <= _DENSE_SPAN:
        flat = np.zeros(span, dtype=np.float32)
        for ids, values in parts:
            flat[ids - lowest] += values  # ids are unique within a block
        touched = np.flatnonzero(flat)
        return Scores(touched + lowest, flat[touched])
    ids, inverse = np.unique(np.concatenate([ids for ids, _ in parts]), return_inverse=True)
    summed = np.bincount(inverse, weights=np.concatenate([values for _, values in parts]))
    return Scores(ids, summed.astype(np.float32))
