"""The headers by which one role speaks for a principal to another. They are never taken from, nor passed on for, a client."""

TOKEN_HEADER = "x-anchorage-token"  # noqa: S105  a header's name
PRINCIPAL_HEADER = "x-anchorage-principal"
