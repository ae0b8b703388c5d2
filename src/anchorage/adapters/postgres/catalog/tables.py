"""The tables of an index version: creation and removal, and its spec as it is stored."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from importlib.resources import files
from typing import Any

from psycopg import AsyncConnection

from anchorage.adapters.postgres.tables import IndexTables, LiveIndex
from anchorage.adapters.postgres.vector_indexes import VectorWrites
from anchorage.model import EmbedderSpec, IndexSpec
from anchorage.model.indexes import IN_POSTGRES


async def create_tables(connection: AsyncConnection[Any], vectors: VectorWrites, index: LiveIndex) -> None:
    """Make the empty tables of an index version, inside the caller's transaction.

    Raises `ConfigurationError` where vectors of this dimension cannot be indexed.
    """
    template = files(__package__).joinpath("index_tables.sql").read_text("utf-8")
    await connection.execute(template.replace("{id}", str(index.tables.id)).encode())
    if (column := vectors.column(index)) is not None:
        await column.add_to(connection, index.tables, index.spec.embedder.dimension)


async def drop_tables(connection: AsyncConnection[Any], tables: IndexTables) -> None:
    """Remove the tables of an index version, inside the caller's transaction. A search locks them in the same order."""
    await connection.execute(tables.fill("DROP TABLE IF EXISTS {chunks}, {segments}, {postings}"))


def spec_to_json(spec: IndexSpec) -> str:
    """Where vectors are is said only when it is elsewhere: releases from before there was a choice read the others."""
    value = asdict(spec)
    if spec.vectors == IN_POSTGRES:
        del value["vectors"]
    return json.dumps(value, sort_keys=True)


@lru_cache(maxsize=1024)  # the same few for every question
def spec_from_text(value: str) -> IndexSpec:
    return spec_from_json(json.loads(value))


def spec_from_json(value: dict[str, Any]) -> IndexSpec:
    return IndexSpec(**{**value, "embedder": EmbedderSpec(**value["embedder"])})
