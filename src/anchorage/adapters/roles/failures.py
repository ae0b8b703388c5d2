"""Turns the failures of another role into our errors."""

from __future__ import annotations

import json
from collections.abc import Iterator

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from yarl import URL

from anchorage.errors import AnchorageError, Blocked, DocumentRefused, Unavailable

_WITH_OWN_SIGNATURE = (Blocked, DocumentRefused)  # they need more than a message, and no search raises them


def _walk_error_classes(root: type[AnchorageError]) -> Iterator[type[AnchorageError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _walk_error_classes(kind)


def parse_failure(body: bytes) -> AnchorageError | None:
    """Rebuild the error of a problem document as it was raised in the other role; None for anything else."""
    try:
        document = json.loads(body)
        code, detail = document["code"], document["detail"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(detail, str):
        return None
    for kind in _walk_error_classes(AnchorageError):  # the first of a code is the most general
        if kind.code == code and not issubclass(kind, _WITH_OWN_SIGNATURE):
            return kind(detail)
    return None


def strip_login(url: str) -> str:
    """Remove user name and password from a role's address."""
    return str(URL(url).with_user(None)).rstrip("/")


def make_unreachable_error(
    role: str, url: str, setting: str, error: ClientConnectorError | ConnectionTimeoutError
) -> Unavailable:
    """The error for a role that cannot be reached."""
    cause = (
        (error.strerror or str(error.os_error)) if isinstance(error, ClientConnectorError) else "no connection in time"
    )
    return Unavailable(
        f"The {role} role at {url} cannot be reached{f' ({cause})' if cause else ''}. Check that it runs, and that {setting} is right."
    )
