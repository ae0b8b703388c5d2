"""The names of an index version's tables, and the condition under which they are read: what every statement on them needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import LiteralString

from psycopg import sql

from anchorage.adapters.postgres.batch import Statement
from anchorage.model import IndexSpec
from anchorage.ports.vector_index import Space

# The access check is a one-time filter: it decides once per query whether the index is read at all, so that a filter never costs
# recall. $1 is the collection, $2 are the readers that the principal is.
MAY_READ: LiteralString = "EXISTS (SELECT FROM anchorage.collections WHERE id = $1::bigint AND readers && $2::text[])"


@dataclass(frozen=True, slots=True)
class IndexTables:
    """Names of the tables of index version `id`."""

    id: int

    @property
    def chunks(self) -> sql.Identifier:
        return sql.Identifier("anchorage", f"chunks_{self.id}")

    @property
    def segments(self) -> sql.Identifier:
        return sql.Identifier("anchorage", f"segments_{self.id}")

    @property
    def postings(self) -> sql.Identifier:
        return sql.Identifier("anchorage", f"postings_{self.id}")

    def fill(self, template: LiteralString) -> bytes:
        """A statement with {chunks}, {segments} and {postings} filled in."""
        return _filled(self, template)

    def statement(self, template: LiteralString) -> Statement:
        """The same, to be prepared."""
        return _statement(self, template)


@lru_cache(maxsize=1024)  # the same few for every question
def _filled(tables: IndexTables, template: LiteralString) -> bytes:
    statement = sql.SQL(template).format(chunks=tables.chunks, segments=tables.segments, postings=tables.postings)
    return statement.as_bytes()


@lru_cache(maxsize=4096)
def _statement(tables: IndexTables, template: LiteralString) -> Statement:
    return Statement(tables.fill(template))


@dataclass(frozen=True, slots=True)
class LiveIndex:
    """An index version of a collection: the one that it answers from, where nothing else is said."""

    collection_id: int
    collection: str
    tables: IndexTables
    spec: IndexSpec

    @property
    def space(self) -> Space:
        """Where a vector server has its points."""
        return Space(self.tables.id, self.spec.embedder.dimension)
