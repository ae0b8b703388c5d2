"""Keeps web requests away from private networks: resolves names itself, checks, and connects to what it checked.

The check sits where the connection is made, so it holds for every redirect, for robots.txt and for sitemaps, and a name that
changes its address between check and connection gains nothing (DNS rebinding). TLS still verifies the name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore
import httpx

from anchorage.errors import DocumentRefused

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to numeric addresses, best first. Raises `OSError` where the name has none."""

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: third quarter of the address
# Not for the public, whatever the `ipaddress` of this Python says: IETF's (with platforms' metadata), 6to4 relays, documentation.
_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_DOCUMENTATION = IPv6Network("3fff::/20")
_PLATFORM = {IPv4Address("168.63.129.16")}  # Azure's host agent: looks global, and is the machine's own


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether a numeric address is one of the public internet, also inside the forms of IPv6 that carry an IPv4 address."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public_v4(found)
    carried = _embedded_ipv4(found)
    if carried is not None:
        return all(_is_public_v4(inner) for inner in carried)
    special = found.is_multicast or found.is_reserved or found.is_site_local or found in _DOCUMENTATION
    return found.is_global and not special


def _is_public_v4(address: IPv4Address) -> bool:
    special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL)
    return address.is_global and not (special or address in _PLATFORM)


def _embedded_ipv4(address: IPv6Address) -> Sequence[IPv4Address] | None:
    """The IPv4 addresses inside: mapped, 6to4, Teredo, NAT64, ISATAP. None where there are none."""
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return address.teredo
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address in _NAT64_LOCAL:
        return [IPv4Address(0)]  # where in it the IPv4 address stands is the network's own business
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return None


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to public addresses only, unless `allow_private`."""

    def __init__(
        self,
        *,
        allow_private: bool,
        resolver: Resolve = resolve,
        dialler: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolver
        self._dialler = dialler or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `DocumentRefused` for a private address, and httpcore's errors."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that no name may have
            raise httpcore.ConnectError(f"{host} has no address") from error
        allowed = [address for address in addresses if self._allow_private or is_public(address)]
        if addresses and not allowed:
            raise DocumentRefused(
                "private_address",
                f"{host} is at {addresses[0]}, an address of a private network or of this machine, which is not read. If that "
                "is wanted, set ANCHORAGE_WEB__ALLOW_PRIVATE=true.",
            )
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in allowed:
            try:
                return await self._dialler.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise httpcore.ConnectError("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport over `GuardedBackend`. Reads no proxy from the environment: a proxy would resolve names itself."""

    def __init__(self, backend: GuardedBackend, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=10,
            keepalive_expiry=15,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx's errors, and `DocumentRefused` from the guard."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        asked = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=b"", extensions=request.extensions
        )
        try:
            answer = await self._pool.handle_async_request(asked)
        except _ERRORS as error:
            raise _translate_error(error, request) from error
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream, request), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


def _translate_error(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """The httpx error of the same name."""
    kind = getattr(httpx, type(error).__name__, httpx.TransportError)
    made: httpx.TransportError = kind(str(error), request=request)
    return made


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except _ERRORS as error:
            raise _translate_error(error, self._request) from error

    async def aclose(self) -> None:
        await self._stream.aclose()
