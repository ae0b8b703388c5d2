"""What Confluence's answers hold, read without trust in their shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from anchorage.errors import DocumentRefused, NotFound, Unavailable


def results(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The entries of a listing. Raises `Unavailable` where there is no listing: an end must not be guessed."""
    found = answer.get("results")
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise Unavailable("Confluence's list is not what its API promises. Try again; if it stays, look at its log.")
    return found


def listed(answer: Mapping[str, Any]) -> Sequence[tuple[str, str | None]]:
    """(id, version) of the pages of a listing. Raises `Unavailable`."""
    found = [(str(page.get("id") or ""), version(page)) for page in results(answer)]
    if not all(page.isdecimal() for page, _ in found):
        raise Unavailable("Confluence lists pages without an id. Try again; if it stays, look at its log.")
    return found


def following(answer: Mapping[str, Any], parameter: str) -> str | None:
    """The parameter with which the listing goes on; None at its end. Only it is taken of the link, never the link's host."""
    link = part(answer, "_links").get("next")
    if not link:
        return None
    found = parse_qs(urlsplit(str(link)).query).get(parameter)
    if not found:
        raise Unavailable("Confluence's list goes on, but does not say where. Try again; if it stays, look at its log.")
    return found[0]


def part(answer: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """An object inside; an empty one where there is none."""
    found: Any = answer
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def text(answer: Mapping[str, Any], name: str) -> str | None:
    """A string inside; None where there is none."""
    found = answer.get(name)
    return found if isinstance(found, str) and found else None


def version(page: Mapping[str, Any]) -> str | None:
    """A page's version as a tag."""
    number = part(page, "version").get("number")
    return f"v{number}" if isinstance(number, int) else None


def labels(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of labels."""
    entries = found.get("results")
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(name for name in names if isinstance(name, str))


def body(page: Mapping[str, Any], page_id: str) -> str:
    """The text as HTML. Raises `DocumentRefused` where the answer has none, which is not the same as an empty one."""
    found = part(page, "body", "view").get("value")
    if not isinstance(found, str):
        raise DocumentRefused("no_text", f"Confluence gives no text for its page {page_id}.")
    return found


def check_place(page: Mapping[str, Any], page_id: str, here: bool) -> None:
    """Raises `NotFound` for a page that is in the bin, or has moved to another space."""
    if not here or page.get("status", "current") != "current":
        raise NotFound(f"The page {page_id} is gone from this space: it was deleted, archived or moved.")
