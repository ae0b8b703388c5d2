"""The BM25 inverted index's data structures: blocks of postings and their scoring. Pure numpy, no database.

A segment is what one transaction added, immutable. For each term it holds blocks of at most 4,096 postings in ascending
order of chunk id, each posting being (chunk id, term frequency, passage length in terms). Finished weights are not
stored, since averages move. Document frequencies are *counters* that add up over segments: a deletion adds a segment
with negative counters and no postings, so statistics are exact at once, while the dead postings go at the next merge.

Scoring is BM25 as Lucene computes it (Robertson et al. 1994; Kamphuis et al. 2020, "Which BM25 do you mean?").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
BLOCK = 4096
_LIMITS = (1 << 8, 1 << 16, 1 << 32)  # gaps below these take 1, 2 and 4 bytes
_DENSE_SPAN = 4_000_000  # ids up to this far apart are scored in one flat array of 32 MB

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
    """Parallel arrays: the postings of blocks, one block after another, each ascending by chunk id."""

    counts: Ids
    """How many each block has."""
    chunk_ids: Ids
    frequencies: NDArray[np.uint8]
    lengths: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Table:
    """Postings of many terms: parallel arrays, ascending by the number of the term, then by chunk id."""

    terms: Ids
    chunk_ids: Ids
    frequencies: NDArray[np.uint8]
    lengths: NDArray[np.uint16]

    def take(self, which: NDArray[Any]) -> Table:
        """The postings that a mask or an order picks."""
        return Table(self.terms[which], self.chunk_ids[which], self.frequencies[which], self.lengths[which])


def encode(table: Table) -> Iterator[tuple[int, int, Block]]:
    """The blocks of all terms: number of the term, number of the block within it, block."""
    if not len(table.terms):
        return
    starts = np.flatnonzero(np.diff(table.terms, prepend=table.terms[0] - 1))
    ends = np.append(starts[1:], len(table.terms))
    blocks = -(-(ends - starts) // BLOCK)
    numbers = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    starts = np.repeat(starts, blocks) + numbers * BLOCK
    ends = np.minimum(starts + BLOCK, np.repeat(ends, blocks))
    gaps = np.diff(table.chunk_ids, prepend=table.chunk_ids[0])
    gaps[starts] = 0
    widths = 1 << np.searchsorted(_LIMITS, np.maximum.reduceat(gaps, starts), side="right")
    packed = {int(width): gaps.astype(f"<u{width}").tobytes() for width in np.unique(widths)}
    frequencies, lengths = table.frequencies.tobytes(), table.lengths.astype("<u2").tobytes()
    columns = (table.terms[starts], numbers, table.chunk_ids[starts], starts, ends, widths)
    for term, number, first_id, start, end, width in zip(*(column.tolist() for column in columns), strict=True):
        yield term, number, Block(
            first_id, packed[width][(start + 1) * width : end * width], frequencies[start:end],
            lengths[2 * start : 2 * end],
        )  # fmt: skip


def decode(blocks: Sequence[Block]) -> Postings:
    """The postings of many blocks at once; the width of a block's gaps follows from how many there are."""
    counts = np.array([len(block.frequencies) for block in blocks], dtype=np.int64)
    widths = np.array([len(block.gaps) for block in blocks], dtype=np.int64) // np.maximum(counts - 1, 1)
    starts = np.cumsum(counts) - counts
    gaps = np.zeros(int(counts.sum()), dtype=np.int64)
    for width in set(widths.tolist()) - {0}:
        (chosen,) = np.nonzero(widths == width)
        follow = counts[chosen] - 1
        at = np.arange(follow.sum()) + np.repeat(starts[chosen] + 1 - (np.cumsum(follow) - follow), follow)
        gaps[at] = np.frombuffer(b"".join([blocks[number].gaps for number in chosen.tolist()]), dtype=f"<u{width}")
    ids = np.cumsum(gaps)
    first = np.array([block.first_id for block in blocks], dtype=np.int64)
    ids += np.repeat(first - ids[starts], counts)
    return Postings(
        counts,
        ids,
        np.frombuffer(b"".join([block.frequencies for block in blocks]), dtype=np.uint8),
        np.frombuffer(b"".join([block.lengths for block in blocks]), dtype="<u2"),
    )


def decode_all(terms: Sequence[int], blocks: Sequence[Block]) -> Table:
    """The postings of many blocks, each of the term of that number; in the order of `Table`."""
    found = decode(blocks)
    numbers = np.repeat(np.array(terms, dtype=np.int64), found.counts)
    table = Table(numbers, found.chunk_ids, found.frequencies, found.lengths)
    return table.take(np.lexsort((table.chunk_ids, table.terms)))


def invert(counts: Mapping[int, Mapping[str, int]]) -> tuple[list[str], Table]:
    """All terms in order, and their postings, from the term counts of each chunk by its id."""
    terms = sorted(set().union(*counts.values()))
    numbers = {term: number for number, term in enumerate(terms)}
    ids = sorted(counts)
    sizes = [len(counts[chunk_id]) for chunk_id in ids]
    lengths = [min(sum(counts[chunk_id].values()), 65535) for chunk_id in ids]
    frequencies = np.fromiter((value for chunk_id in ids for value in counts[chunk_id].values()), dtype=np.int64)
    table = Table(
        np.fromiter((numbers[term] for chunk_id in ids for term in counts[chunk_id]), dtype=np.int64),
        np.repeat(np.array(ids, dtype=np.int64), sizes),
        np.minimum(frequencies, 255).astype(np.uint8),
        np.repeat(np.array(lengths, dtype=np.uint16), sizes),
    )
    return terms, table.take(np.argsort(table.terms, kind="stable"))


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


@dataclass(frozen=True, slots=True)
class Weighed:
    """The postings of one term: parallel arrays of chunk ids and of BM25 weights, but for what the whole index says of the term."""

    chunk_ids: Ids
    weights: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.chunk_ids.nbytes + self.weights.nbytes


def weigh_postings(statistics: Statistics, terms: Sequence[str], blocks: Sequence[Block]) -> dict[str, Weighed]:
    """The postings of each term; `terms` names those of the blocks, and those of one term stand together."""
    if not blocks:
        return {}
    postings = decode(blocks)
    values = postings.frequencies.astype(np.float32)
    norm = postings.lengths.astype(np.float32)
    norm *= np.float32(K1 * B / statistics.average_length)
    norm += np.float32(K1 * (1 - B))
    norm += values
    values /= norm
    ends, found, start = np.cumsum(postings.counts).tolist(), {}, 0
    for at, term in enumerate(terms):
        if at + 1 == len(terms) or terms[at + 1] != term:
            found[term] = Weighed(postings.chunk_ids[start : ends[at]], values[start : ends[at]])
            start = ends[at]
    return found


def score(
    statistics: Statistics, frequencies: Mapping[str, int], query: Mapping[str, int], postings: Mapping[str, Weighed]
) -> Scores:
    """BM25 scores of all chunks that have postings. `frequencies` are document frequencies, `query` the question's term counts."""
    if not postings:
        return Scores(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    weights = [
        item.weights
        * np.float32(query[term] * inverse_document_frequency(frequencies[term], statistics.chunks) * (K1 + 1))
        for term, item in postings.items()
    ]
    return _summed(np.concatenate([item.chunk_ids for item in postings.values()]), np.concatenate(weights))


def _summed(ids: Ids, values: NDArray[np.float32]) -> Scores:
    lowest = int(ids.min())
    if int(ids.max()) - lowest < _DENSE_SPAN:
        flat = np.bincount(ids - lowest, weights=values)
        touched = np.flatnonzero(flat != 0)  # of truth values it is seven times as fast as of numbers
        return Scores(touched + lowest, flat[touched].astype(np.float32))
    ids, inverse = np.unique(ids, return_inverse=True)
    return Scores(ids, np.bincount(inverse, weights=values).astype(np.float32))
