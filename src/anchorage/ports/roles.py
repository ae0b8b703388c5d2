"""What roles say to one another: the headers by which one speaks for a principal, which are never taken from, nor passed on for, a
client; and the JSON in which a search is asked for and answered.
"""

from __future__ import annotations

from functools import lru_cache

from pydantic import TypeAdapter

from anchorage.ports.retrieval_role import Found, Retrieval

TOKEN_HEADER = "x-anchorage-token"  # noqa: S105  a header's name
PRINCIPAL_HEADER = "x-anchorage-principal"


@lru_cache(maxsize=1)
def asked_form() -> TypeAdapter[Retrieval]:
    """The JSON of a `Retrieval`."""
    return TypeAdapter(Retrieval)


@lru_cache(maxsize=1)
def found_form() -> TypeAdapter[Found]:
    """The JSON of a `Found`."""
    return TypeAdapter(Found)
