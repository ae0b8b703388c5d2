"""lexical_search: BM25 scores for a question, and the postings that are kept for the next one.

Segments never change. As long as an index has the same ones, which a number tells (`STATISTICS`), so are the postings of each term, and
a question fetches only those of terms that none asked for lately.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

from psycopg import AsyncConnection

from anchorage.adapters.postgres.batch import Call, Row, array, run
from anchorage.adapters.postgres.lexical.postings import (
    Block,
    Scores,
    Statistics,
    Weighed,
    inverse_document_frequency,
    score,
    weigh_postings,
)
from anchorage.adapters.postgres.tables import IndexTables
from anchorage.telemetry import TERM_LOOKUPS

# Rare words first, until the budget of postings is used up: the work for a question is bounded, and what gives way are the words that
# say least. The rarest is always read. Of a term that is left out, or has dead postings only, a row tells how many there are.
_POSTINGS = """
WITH found AS MATERIALIZED (
    SELECT term, df, first_id, gaps, frequencies, lengths, octet_length(frequencies) AS size
    FROM {postings} WHERE term = ANY($1::text[])
), ranked AS (
    SELECT term, sum(df)::int AS df, sum(size)::bigint AS size, sum(sum(size)) OVER (ORDER BY sum(size), term) AS upto,
        row_number() OVER (ORDER BY sum(size), term) AS place
    FROM found GROUP BY term
)
SELECT r.term, r.df, r.size, f.first_id, f.gaps, f.frequencies, f.lengths
FROM ranked r LEFT JOIN found f ON f.term = r.term AND f.size > 0 AND (r.upto <= $2::bigint OR r.place = 1)
"""
# Of the whole index: live chunks, their terms, chunks with postings, dead ones included, and a number for the segments that there are.
_STATISTICS = """
SELECT coalesce(sum(chunks), 0)::bigint, coalesce(sum(tokens), 0)::bigint, coalesce(sum(physical), 0)::bigint,
    coalesce(bit_xor(hashint8extended(id, 0)), 0)
FROM {segments}
"""
_ALL = 2**62
_TERM_BYTES, _ARRAY_BYTES = (
    300,
    350,
)  # what a kept term takes beside its postings, and two arrays beside what is in them
_LARGE = 4  # what would take more than this share of the memory is not kept
_BELIEVED = 300.0  # seconds: a backup that is played back may bring the numbers of segments anew
_MOST_INDEXES = 1000


@dataclass(frozen=True, slots=True)
class Term:
    """A term of an index: in how many chunks it is, and its postings, where they were read."""

    frequency: int
    size: int
    """How many postings there are, dead ones included."""
    postings: Weighed | None

    def alone(self) -> Term:
        """The same, which does not hold the postings of the terms that it was read with."""
        if self.postings is None:
            return self
        return Term(self.frequency, self.size, Weighed(self.postings.chunk_ids.copy(), self.postings.weights.copy()))


_ABSENT = Term(0, 0, None)


@dataclass(frozen=True, slots=True)
class Seen:
    """An index as it was seen."""

    state: int
    since: float
    """Monotonic seconds."""
    number: int
    """Its own: what is kept of an index is kept by it."""


class TermCache:
    """The terms that were read last, up to a number of bytes; no question sees those of another state than its own."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._terms: OrderedDict[tuple[int, str], Term] = OrderedDict()
        self._seen: dict[int, Seen] = {}
        self._numbers = count()

    def seen(self, index_id: int) -> Seen | None:
        """The state that an index was in last, while that can be believed."""
        seen = self._seen.get(index_id)
        return seen if seen and time.monotonic() - seen.since < _BELIEVED else None

    def see(self, index_id: int, state: int) -> Seen:
        """The state that an index is in."""
        seen = self.seen(index_id)
        if seen is None or seen.state != state:
            self._seen.pop(index_id, None)
            seen = self._seen[index_id] = Seen(state, time.monotonic(), next(self._numbers))
            if len(self._seen) > _MOST_INDEXES:
                self._seen.pop(next(iter(self._seen)))
        return seen

    def known(self, seen: Seen, terms: Iterable[str]) -> dict[str, Term]:
        """Those of the terms that are kept."""
        found = {}
        for term in terms:
            if (item := self._terms.get(key := (seen.number, term))) is not None:
                self._terms.move_to_end(key)
                found[term] = item
        return found

    def keep(self, seen: Seen, terms: Mapping[str, Term]) -> None:
        """For other questions, as long as there is room."""
        for term, item in terms.items():
            if (size := _size(item)) <= self._max_bytes // _LARGE:
                self._drop((seen.number, term))
                self._terms[seen.number, term] = item.alone()
                self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._terms)))

    def _drop(self, key: tuple[int, str]) -> None:
        if (item := self._terms.pop(key, None)) is not None:
            self._bytes -= _size(item)


def _size(item: Term) -> int:
    return _TERM_BYTES + (_ARRAY_BYTES + item.postings.nbytes if item.postings else 0)


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """A question's terms, seen from an index."""

    count: int
    known: float
    """Share of them, each by its weight, that the index has."""


@dataclass(frozen=True, slots=True)
class Found:
    """The scores of an index for a question, and what the index says of itself."""

    scores: Scores
    chunks: int
    physical: int
    """Chunks with postings, dead ones included."""
    asked: QuestionTerms


class Words:
    """The words of a question on one index, with what is known of them in the state that the index is expected to be in."""

    def __init__(self, cache: TermCache, tables: IndexTables, terms: Mapping[str, int], budget: int) -> None:
        self._cache, self._tables, self._terms, self._budget = cache, tables, terms, budget
        self._seen = cache.seen(tables.id)
        self._known = {} if self._seen is None else cache.known(self._seen, terms)
        self._wanted = [*self._unread(), *(term for term in terms if term not in self._known)]

    @property
    def asked(self) -> int:
        """How many calls there are."""
        return 2 if self._wanted else 1

    def calls(self) -> list[Call]:
        """What to ask the index; `found` takes the answers."""
        calls: list[Call] = [(self._tables.statement(_STATISTICS), ())]
        return [*calls, self._postings(self._wanted, self._budget)] if self._wanted else calls

    async def found(self, connection: AsyncConnection[Any], answers: Sequence[Sequence[Row]]) -> Found:
        """Scores, from the answers; in the transaction that asked, should more be needed."""
        ((chunks, tokens, physical, state),), *rest = answers
        statistics = Statistics(chunks, tokens)
        seen = self._cache.see(self._tables.id, state)
        if seen != self._seen:  # what was known is of another state
            self._known, wanted = {}, list(self._terms)
            if len(wanted) > len(self._wanted):
                rest[:] = await run(connection, [self._postings(wanted, self._budget)])
            self._wanted = wanted
        if self._wanted:
            self._learn(seen, statistics, self._wanted, rest[0])
        read = len(self._wanted)
        if unread := self._unread():  # left out of a question with many words, and not too many for this one
            (rows,) = await run(connection, [self._postings(unread, _ALL)])
            self._learn(seen, statistics, unread, rows)
            read = max(read, len(unread))
        TERM_LOOKUPS.labels("kept").inc(len(self._terms) - read)
        TERM_LOOKUPS.labels("read").inc(read)
        chosen = {term: self._known[term] for term in self._chosen()}
        scores = score(
            statistics,
            {term: item.frequency for term, item in chosen.items()},
            self._terms,
            {term: item.postings for term, item in chosen.items() if item.postings},
        )
        return Found(scores, chunks, physical, QuestionTerms(len(self._terms), self._share_known(chunks)))

    def _share_known(self, chunks: int) -> float:
        weights = [
            (count * inverse_document_frequency(self._known[term].frequency, chunks), self._known[term].frequency)
            for term, count in self._terms.items()
        ]
        whole = sum(weight for weight, _ in weights)
        return sum(weight for weight, frequency in weights if frequency) / whole if whole else 0.0

    def _postings(self, terms: Sequence[str], budget: int) -> Call:
        return self._tables.statement(_POSTINGS), (array(terms), str(budget).encode())

    def _learn(self, seen: Seen, statistics: Statistics, terms: Sequence[str], rows: Sequence[Row]) -> None:
        new = dict.fromkeys(terms, _ABSENT) | terms_of(statistics, rows)
        self._known |= new
        self._cache.keep(seen, new)

    def _unread(self) -> list[str]:
        return [term for term in self._chosen() if self._known[term].postings is None]

    def _chosen(self) -> list[str]:
        """Of the terms that are known, those that count: as the statement chooses among those that it is asked for."""
        order = sorted((item.size, term) for term, item in self._known.items() if item.size)
        chosen, upto = list[str](), 0
        for size, term in order:
            upto += size
            if upto > self._budget and chosen:
                break
            chosen.append(term)
        return chosen


def terms_of(statistics: Statistics, rows: Sequence[Row]) -> dict[str, Term]:
    """The terms in the answer to a question for postings."""
    ordered = sorted(rows, key=lambda row: row[0])
    read = [row for row in ordered if row[5] is not None]
    postings = weigh_postings(statistics, [row[0] for row in read], [Block(*row[3:]) for row in read])
    return {
        term: Term(first[1], first[2], postings.get(term))
        for term, (first, *_) in groupby(ordered, key=lambda row: row[0])
    }
