"""The tables of an index version: their names, creation and removal."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, LiteralString

from psycopg import AsyncConnection, sql

from anchorage.adapters.postgres.batch import Statement
from anchorage.errors import ConfigurationError
from anchorage.model import EmbedderSpec, IndexSpec

_MAX_INDEXED_DIMENSION = 4000  # pgvector's limit for an HNSW index on halfvec


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


async def create_tables(connection: AsyncConnection[Any], tables: IndexTables, spec: IndexSpec) -> None:
    """Make the empty tables of an index version, inside the caller's transaction."""
    if spec.embedder.dimension > _MAX_INDEXED_DIMENSION:
        raise ConfigurationError(
            f"The embedder {spec.embedder.name} makes vectors of {spec.embedder.dimension} dimensions; the index takes at "
            f"most {_MAX_INDEXED_DIMENSION}. Choose another model or a shorter ANCHORAGE_EMBEDDING__DIMENSION."
        )
    template = files(__package__).joinpath("index_tables.sql").read_text("utf-8")
    statements = template.replace("{id}", str(tables.id)).replace("{dimension}", str(spec.embedder.dimension))
    await connection.execute(statements.encode())


async def drop_tables(connection: AsyncConnection[Any], tables: IndexTables) -> None:
    """Remove the tables of an index version, inside the caller's transaction. A search locks them in the same order."""
    await connection.execute(tables.fill("DROP TABLE IF EXISTS {chunks}, {segments}, {postings}"))


def spec_to_json(spec: IndexSpec) -> str:
    return json.dumps(asdict(spec), sort_keys=True)


@lru_cache(maxsize=1024)  # the same few for every question
def spec_from_text(value: str) -> IndexSpec:
    return spec_from_json(json.loads(value))


def spec_from_json(value: dict[str, Any]) -> IndexSpec:
    return IndexSpec(**{**value, "embedder": EmbedderSpec(**value["embedder"])})
