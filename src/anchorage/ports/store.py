"""Store: catalog, search and upkeep in one, until each has an adapter of its own."""

from __future__ import annotations

from typing import Protocol

from anchorage.ports.catalog import Catalog
from anchorage.ports.search import Search
from anchorage.ports.upkeep import Upkeep


class Store(Catalog, Search, Upkeep, Protocol):
    """All three."""
