"""Addresses of web pages: one spelling for each, and what may be asked of them."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin

import httpx

from anchorage.adapters.sources.names import fit_name
from anchorage.errors import BadRequest

_MAX_LENGTH = 2_000  # sitemaps.org allows 2,048; browsers and servers begin to differ there
_IGNORED = re.compile(r"[\t\r\n]")  # WHATWG URL: these vanish from an address
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def normalize_url(text: str) -> str:
    """The one spelling of an address: host in small letters and ASCII, no fragment, no default port (RFC 3986, 6.2).

    Raises `BadRequest` where it is none of the web, is too long, or holds a user name.
    """
    text = _IGNORED.sub("", text).strip()
    shown = repr(text.rsplit("@", 1)[-1][:200])
    if len(text) > _MAX_LENGTH:
        raise BadRequest(f"An address of {len(text)} characters cannot be read; at most {_MAX_LENGTH} are.")
    try:
        url = httpx.URL(text)
        if url.scheme not in ("http", "https"):
            raise BadRequest(f"{shown} is no address of the web. Give one that begins with http:// or https://.")
        if url.userinfo:
            raise BadRequest(f"The address of {shown} holds a user name or a password. Leave it out of the address.")
        host = url.host.rstrip(".")
        if not _HOST.fullmatch(url.copy_with(host=host).raw_host.decode("ascii")) or not 0 < (url.port or 1) < 65536:
            raise BadRequest(f"{shown} names no host. Check its spelling.")
        path = _ESCAPE.sub(_normalize_escape, url.raw_path.decode("ascii")) or "/"
        normal = str(url.copy_with(host=host, fragment=None, raw_path=path.encode("ascii")))
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise BadRequest(f"{shown} is no address that can be read. Check its spelling.") from error
    if len(normal) > _MAX_LENGTH:
        raise BadRequest(f"An address of {len(normal)} characters cannot be read; at most {_MAX_LENGTH} are.")
    return normal


def _normalize_escape(match: re.Match[str]) -> str:
    character = chr(int(match.group()[1:], 16))
    return character if _UNRESERVED.fullmatch(character) else match.group().upper()


def resolve_link(base: str, link: str) -> str | None:
    """A link of a page as an address of its own; None where it leads to none that can be read."""
    try:
        return normalize_url(urljoin(base, _IGNORED.sub("", link).strip()))
    except (BadRequest, ValueError):
        return None


def is_same_site(one: str, other: str) -> bool:
    """Whether two addresses are of one site: the same host, with or without `www.`, and the same port."""
    first, second = httpx.URL(one), httpx.URL(other)
    return (
        first.host.removeprefix("www.") == second.host.removeprefix("www.")
        and first.port == second.port
    )  # fmt: skip


def origin_of(url: str) -> str:
    """Scheme, host and port, without a slash at the end."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def folder_of(url: str) -> str:
    """The address up to the last slash of its path."""
    return url.partition("?")[0].rpartition("/")[0] + "/"


def file_name(url: str, suffix: str) -> str:
    """A name to show, made of the address; never with what a file system or a terminal would stumble over."""
    parsed = httpx.URL(url)
    last = PurePosixPath(unquote(parsed.path, errors="replace")).name or parsed.host
    if suffix and last.lower().endswith(suffix):
        last = last[: -len(suffix)]
    elif suffix == ".webpage":
        last = re.sub(r"\.(x?html?|php|aspx?|jsp)$", "", last, flags=re.IGNORECASE)
    if parsed.query:
        last += "-" + hashlib.sha256(parsed.query).hexdigest()[:8]
    return (fit_name(last) or "page") + suffix
