"""Keeps foreign web pages from using this server through the browser of somebody who may use it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from anchorage.faces.http.problems import PROBES, make_refusal, strip_root_path

_PORT = re.compile(r":\d*$")
_SAFE = {"GET", "HEAD", "OPTIONS"}


def split_entries(text: str) -> list[str]:
    """Split a setting with entries separated by commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


class BrowserSafety:
    """Refuses requests under unknown host names, and requests that a page of another origin makes a browser send.

    A page whose own name is suddenly resolved to this server (DNS rebinding) is of the same origin to the browser, but the
    request names the page's host. Addresses cannot be resolved anew, so they are let through. What only reads needs no
    further check: other origins may not see the response. For all else this is the rule of Go's
    `net/http.CrossOriginProtection`: an allowed `Origin`, or what `Sec-Fetch-Site` says, or, from older browsers, an
    `Origin` that names the host that was asked. A client that sends neither is no browser. Requests with the header `vouched_by` name an
    internal host; the header is checked when the principal is resolved.
    """

    def __init__(
        self, app: ASGIApp, *, host: str, allowed_hosts: str, cors_origins: str, vouched_by: str | None = None
    ) -> None:
        self._app, self._vouched_by = app, vouched_by
        self._hosts: Sequence[str] | None = [entry.lower() for entry in split_entries(allowed_hosts)]
        if "*" in self._hosts or (not self._hosts and not is_local(host)):
            self._hosts = None
        self._origins = set(split_entries(cors_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        app = self._app
        host = None if self._vouched_by in headers else headers.get("host")
        if not self._is_known(host) and strip_root_path(scope) not in PROBES:
            app = make_refusal(
                scope, 421, "unknown_host",
                f"This server does not answer to the host name {headers['host'][:200]!r}. If it is meant to, add the name to "
                "ANCHORAGE_HTTP__ALLOWED_HOSTS.",
            )  # fmt: skip
        elif scope["method"] not in _SAFE and not self._is_wanted(headers):
            origin = headers.get("origin", "another site")[:200]
            app = make_refusal(
                scope, 403, "cross_origin",
                f"A page of {origin} may not send this request. If it is meant to, add its origin to CORS_ORIGINS.",
            )  # fmt: skip
        await app(scope, receive, send)

    def _is_known(self, host: str | None) -> bool:
        if self._hosts is None or host is None:
            return True
        name = host.lower()
        bare = _PORT.sub("", name)
        if is_local(bare.strip("[]")) or _is_address(bare.strip("[]")):
            return True
        return any(
            entry in (name, bare) or (entry.startswith("*.") and bare.endswith(entry[1:])) for entry in self._hosts
        )

    def _is_wanted(self, headers: dict[str, str]) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and (origin in self._origins or "*" in self._origins):
            return True
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or origin.lower().partition("://")[2] == headers.get("host", "").lower() != ""


def describe_rebinding_risk(host: str, allowed_hosts: str) -> str | None:
    """Describe the risk of a server that others can reach and that answers to any host name; None where there is none."""
    if is_local(host) or split_entries(allowed_hosts):
        return None
    return (
        f"The server listens on {host} and answers to any host name, so a stranger's web page that is open in a browser on your network can reach it "
        "under a name of its own (DNS rebinding). Set ANCHORAGE_HTTP__ALLOWED_HOSTS to the names that people use, such as "
        "docs.example.org, or to * where something before it checks them."
    )


def is_local(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
