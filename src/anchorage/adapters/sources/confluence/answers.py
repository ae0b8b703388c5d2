"""What Confluence's answers hold, read without trust in their shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from anchorage.errors import DocumentRefused, NotFound, Unavailable

MOST_ATTACHMENTS = 20_000  # of one page
_LONGEST_LINK = 8_000  # characters
_ATTACHMENT = re.compile(r"(?:att)?(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to a page. `link` is where its bytes are, below Confluence's own address; empty where it names no such place."""

    id: str
    title: str
    version: str | None
    media_type: str
    size: int | None
    link: str
    author: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class PageRef:
    """A page as listings name it; `attachments` where they tell them all."""

    id: str
    version: str | None
    attachments: Sequence[Attachment] | None = None


def read_entries(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The entries of a listing. Raises `Unavailable` where there is no listing: an end must not be guessed."""
    found = answer.get("results")
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise Unavailable("Confluence's list is not what its API promises. Try again; if it stays, look at its log.")
    return found


def read_pages(answer: Mapping[str, Any]) -> Sequence[PageRef]:
    """The pages of a listing. Raises `Unavailable`."""
    found = [
        PageRef(str(page.get("id") or ""), read_version(page), _read_children(page)) for page in read_entries(answer)
    ]
    if not all(page.id.isdecimal() for page in found):
        raise Unavailable("Confluence lists pages without an id. Try again; if it stays, look at its log.")
    return found


def _read_children(page: Mapping[str, Any]) -> Sequence[Attachment] | None:
    inside = get_object(page, "children", "attachment")
    return None if "results" not in inside or get_object(inside, "_links").get("next") else read_attachments(inside)


def read_attachments(answer: Mapping[str, Any]) -> Sequence[Attachment]:
    """The current files of a listing, of either API. Raises `Unavailable`."""
    found = []
    for entry in read_entries(answer):
        match = _ATTACHMENT.fullmatch(str(entry.get("id") or ""))
        if match is None:
            raise Unavailable("Confluence lists attachments without an id. Try again; if it stays, look at its log.")
        link = get_text(entry, "downloadLink") or get_text(get_object(entry, "_links"), "download") or ""
        if entry.get("status", "current") != "current":
            continue
        more = {**get_object(entry, "metadata"), **get_object(entry, "extensions"), **entry}
        size = more.get("fileSize")
        found.append(Attachment(
            match.group(1), get_text(entry, "title") or match.group(1), read_version(entry), (get_text(more, "mediaType") or "").lower(),
            size if isinstance(size, int) else None, _safe_path(link),
            author=get_text(get_object(entry, "version", "by"), "displayName"),
            last_modified=get_text(get_object(entry, "version"), "createdAt") or get_text(get_object(entry, "version"), "when"),
        ))  # fmt: skip
    return found


def _safe_path(link: str) -> str:
    """Path and query of a link: never its host, and never out of where Confluence is. Empty for another, and for no address."""
    try:
        parsed = urlsplit(link)
    except ValueError:
        return ""
    if len(link) > _LONGEST_LINK or not link.isprintable():
        return ""
    if not parsed.path.startswith("/") or ".." in parsed.path.split("/"):
        return ""
    return parsed.path + (f"?{parsed.query}" if parsed.query else "")


def next_position(answer: Mapping[str, Any], parameter: str) -> str | None:
    """The parameter with which the listing goes on; None at its end. Only it is taken of the link, never the link's host."""
    link = get_object(answer, "_links").get("next")
    if not link:
        return None
    found = parse_qs(urlsplit(str(link)).query).get(parameter)
    if not found:
        raise Unavailable("Confluence's list goes on, but does not say where. Try again; if it stays, look at its log.")
    return found[0]


def get_object(answer: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """An object inside; an empty one where there is none."""
    found: Any = answer
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def get_text(answer: Mapping[str, Any], name: str) -> str | None:
    """A string inside; None where there is none."""
    found = answer.get(name)
    return found if isinstance(found, str) and found else None


def read_version(page: Mapping[str, Any]) -> str | None:
    """A page's version as a tag."""
    number = get_object(page, "version").get("number")
    return f"v{number}" if isinstance(number, int) else None


def read_labels(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of labels."""
    entries = found.get("results")
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(name for name in names if isinstance(name, str))


def read_body(page: Mapping[str, Any], page_id: str) -> str:
    """The text as HTML. Raises `DocumentRefused` where the answer has none, which is not the same as an empty one."""
    found = get_object(page, "body", "view").get("value")
    if not isinstance(found, str):
        raise DocumentRefused("no_text", f"Confluence gives no text for its page {page_id}.")
    return found


def check_place(page: Mapping[str, Any], page_id: str, here: bool) -> None:
    """Raises `NotFound` for a page that is in the bin, or has moved to another space."""
    if not here or page.get("status", "current") != "current":
        raise NotFound(f"The page {page_id} is gone from this space: it was deleted, archived or moved.")
