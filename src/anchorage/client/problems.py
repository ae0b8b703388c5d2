"""A server's errors, as ours: by their code, else by their status."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from anchorage.errors import (
    AnchorageError,
    BadRequest,
    Blocked,
    BudgetExceeded,
    Conflict,
    DocumentRefused,
    NotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
    UnknownFormat,
)
from anchorage.fastjson import loads

_BY_STATUS: Mapping[int, type[AnchorageError]] = {
    400: BadRequest, 401: NotAllowed, 403: NotAllowed, 404: NotFound, 405: BadRequest, 409: Conflict, 410: NotFound, 413: TooLarge,
    415: UnknownFormat, 421: NotAllowed, 422: BadRequest, 429: BudgetExceeded, 502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip
_OF_REQUESTS = {"invalid_request"}  # 422 for a request, not for a document
_SHOWN = 200  # characters of an answer that is not Anchorage's


def error_of(status: int, headers: Mapping[str, str], body: bytes, server: str) -> AnchorageError:
    """The error that a response tells of. One that is no problem document came from something on the way, and is told as such."""
    try:
        told = loads(body)
        code, detail = str(told["code"]), str(told["detail"])
    except (ValueError, TypeError, KeyError):
        return _foreign(status, headers, body, server)
    return error_named(code, detail, status=status, rule=str(told.get("rule", "")), retry_after=_seconds(headers))


def error_named(
    code: str, message: str, *, status: int = 500, rule: str = "", retry_after: float | None = None
) -> AnchorageError:
    """The error of a code. An unknown one, as a later release may send it, is told by its status."""
    if code == Blocked.code:
        return Blocked(rule, message)
    kind = next((kind for kind in _kinds(AnchorageError) if kind.code == code), None)
    if kind is None and status == DocumentRefused.status and code not in _OF_REQUESTS:
        return DocumentRefused(code, message)  # its code is its reason
    kind = kind or _BY_STATUS.get(status, AnchorageError)
    error = _made(kind, message, retry_after)
    error.code = code
    return error


def _made(kind: type[AnchorageError], message: str, retry_after: float | None) -> AnchorageError:
    if issubclass(kind, Unavailable):
        return kind(message, retry_after)
    return kind(message)


def _kinds(root: type[AnchorageError]) -> Iterator[type[AnchorageError]]:
    """The classes of the tree, a parent before its children: several may share a code."""
    yield root
    for child in root.__subclasses__():
        if child is not DocumentRefused:
            yield from _kinds(child)


def _foreign(status: int, headers: Mapping[str, str], body: bytes, server: str) -> AnchorageError:
    """A proxy's answer, or that of another program."""
    if status in (401, 403):
        return NotAllowed(
            f"{server} refused the request ({status}). Give the right key: Client(base_url, api_key=...)."
        )
    if 300 <= status < 400:
        return BadRequest(
            f"{server} sends on to {headers.get('location', 'another address')}. Give that address instead."
        )
    if status == 413:
        return TooLarge(f"Something before {server} takes no request of this size (413). Send less at once.")
    said = " ".join(body.decode("utf-8", "replace").split())[:_SHOWN]
    return _made(
        _BY_STATUS.get(status, AnchorageError),
        f"{server} answered {status}, and not as Anchorage does: {said or 'nothing'}. Check the address.",
        _seconds(headers),
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` asks for, where it is a number."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
