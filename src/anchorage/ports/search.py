"""Search: one question in, a ranking out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from anchorage.model import Principal
from anchorage.model.search import Query, Ranking


class Search(Protocol):
    """Hybrid retrieval, with the principal in the query."""

    async def search(
        self,
        principal: Principal,
        query: Query,
        collections: Sequence[str] | None,
        *,
        index_id: int | None = None,
    ) -> Ranking:
        """The best passages; `index_id` takes one index version, live or not, instead. Raises `NotFound`.

        Where a vector of the question is missing, `needs` says which, and nothing else is done.
        """
        ...

    async def state(self, principal: Principal, collections: Sequence[str] | None) -> str:
        """A word that is another one whenever what `search` finds may be. Raises `NotFound`."""
        ...
