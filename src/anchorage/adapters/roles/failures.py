"""What another role's failures mean here."""

from __future__ import annotations

import json
from collections.abc import Iterator

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from yarl import URL

from anchorage.errors import AnchorageError, Blocked, DocumentRefused, Unavailable

_OWN_SIGNATURE = (Blocked, DocumentRefused)  # these are made of more than a message, and no search raises them


def _kinds(root: type[AnchorageError]) -> Iterator[type[AnchorageError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def failure_of(body: bytes) -> AnchorageError | None:
    """The error that a problem document tells of, as it was raised there; None where it is no such document."""
    try:
        told = json.loads(body)
        code, detail = told["code"], told["detail"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(detail, str):
        return None
    for kind in _kinds(AnchorageError):  # the first of a code is the most general
        if kind.code == code and not issubclass(kind, _OWN_SIGNATURE):
            return kind(detail)
    return None


def shown(url: str) -> str:
    """The address of a role without the name and password that it may hold."""
    return str(URL(url).with_user(None)).rstrip("/")


def unreachable(role: str, url: str, setting: str, error: ClientConnectorError | ConnectionTimeoutError) -> Unavailable:
    """Nobody listens there."""
    cause = (
        (error.strerror or str(error.os_error)) if isinstance(error, ClientConnectorError) else "no connection in time"
    )
    return Unavailable(
        f"The {role} role at {url} cannot be reached{f' ({cause})' if cause else ''}. Check that it runs, and that {setting} is right."
    )
