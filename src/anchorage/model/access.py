"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. Every read takes one, and the store's queries filter by it."""

    id: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @property
    def readers(self) -> list[str]:
        """The names under which an access list may let this principal in."""
        return sorted({f"user:{self.id}", *(f"group:{group}" for group in self.groups)})


LOCAL_OWNER = Principal("local", roles=frozenset({"owner"}))
