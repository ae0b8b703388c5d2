"""Requests to private addresses: by number, by name, after redirects, and after the name has changed its mind (SSRF)."""

import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import httpcore
import pytest

from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.guard import GuardedBackend, is_public, resolve
from anchorage.adapters.sources.web.source import WebOptions, WebSource
from anchorage.errors import DocumentRefused, Unavailable
from anchorage.testing.web_site import WebSite, web_site

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


@pytest.fixture
async def site() -> AsyncIterator[WebSite]:
    async with web_site() as running:
        yield running


class Dialler(httpcore.AsyncNetworkBackend):
    """Leads every public address to the test's site, and remembers what was dialled."""

    def __init__(self, site: WebSite | None = None, *, dead: Sequence[str] = ()) -> None:
        self.dialled: list[str] = []
        self._port = int(site.url.rsplit(":", 1)[1]) if site else 1
        self._dead = dead
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        self.dialled.append(host)
        if host in self._dead:
            raise httpcore.ConnectError("nobody there")
        return await self._real.connect_tcp("127.0.0.1", self._port, timeout)


class Names:
    """A name server whose answers are used up, one a question; the last stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.answers:
            return await resolve(host, port)
        found = self.answers[host]
        return found.pop(0) if len(found) > 1 else found[0]


def guarded(dialler: Dialler, names: Names, **limits: Any) -> WebClient:
    async def at_once(seconds: float) -> None:
        return

    backend = GuardedBackend(allow_private=False, resolver=names, dialler=dialler)
    return WebClient(WebLimits(**{"max_bytes": 10_000, "pause": 0, **limits}), backend=backend, sleep=at_once)


async def body(source: WebSource, uri: str) -> str:
    async with source.fetch(uri) as item:
        with open(item.path) as file:
            return file.read()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
     "169.254.169.254", "192.0.0.192", "192.88.99.1", "[3fff::1]", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[fe80::1]",
     "[fd00:ec2::254]", "localhost"],
)  # fmt: skip
async def test_private_addresses_are_not_dialled(host: str) -> None:
    dialler = Dialler()
    source = WebSource(f"http://{host}/", guarded(dialler, Names()))
    with pytest.raises((DocumentRefused, Unavailable)) as raised:  # Unavailable: systems that know no such spelling
        await body(source, source.uri)
    assert not dialler.dialled
    if isinstance(raised.value, DocumentRefused):
        assert raised.value.code == "private_address" and "ANCHORAGE_WEB__ALLOW_PRIVATE" in raised.value.message


@pytest.mark.parametrize(
    "address",
    ["224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "168.63.129.16", "100.100.100.200", "ff02::1", "fec0::1",
     "2001:db8::1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::",
     "2002:a9fe:a9fe::1", "2001:0:7f00:1::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1", "fe80::1%1", "nonsense", ""],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


async def test_a_public_name_is_read_under_its_own_name(site: WebSite) -> None:
    site.add_page("/a", "public")
    dialler, names = Dialler(site), Names(docs_example=[[PUBLIC]])
    source = WebSource("http://docs.example/a", guarded(dialler, names))
    assert await body(source, "http://docs.example/a") == "public"
    assert set(dialler.dialled) == {PUBLIC} and {r.headers["host"] for r in site.requests} == {"docs.example"}


async def test_a_redirect_to_a_private_address_is_not_followed(site: WebSite) -> None:
    for number, target in enumerate(
        ["http://127.0.0.1/", "http://inside.example/", "http://169.254.169.254/latest/meta-data/"]
    ):
        site.add_redirect(f"/{number}", target)
    names = Names(docs_example=[[PUBLIC]], inside_example=[["10.0.0.7"]])
    dialler = Dialler(site)
    source = WebSource("http://docs.example/", guarded(dialler, names))
    for number in range(3):
        with pytest.raises(DocumentRefused) as raised:
            await body(source, f"http://docs.example/{number}")
        assert raised.value.code == "private_address"
    assert set(dialler.dialled) == {PUBLIC}


async def test_a_name_that_changes_to_a_private_address_gains_nothing(site: WebSite) -> None:
    """DNS rebinding: what was checked is what is dialled, and each new connection is checked anew."""
    site.add_page("/robots.txt", "", "text/plain", headers={"connection": "close"})
    site.add_page("/a", "public", headers={"connection": "close"})
    names = Names(evil_example=[[PUBLIC], [PUBLIC], ["127.0.0.1"]])
    dialler = Dialler(site)
    source = WebSource("http://evil.example/a", guarded(dialler, names))
    assert await body(source, "http://evil.example/a") == "public"
    assert (
        dialler.dialled == [PUBLIC, PUBLIC] and names.asked == ["evil.example"] * 2
    )  # one question for one connection
    with pytest.raises(DocumentRefused) as raised:
        await body(source, "http://evil.example/a")
    assert raised.value.code == "private_address" and dialler.dialled == [PUBLIC, PUBLIC]


async def test_only_the_public_ones_of_several_addresses_are_dialled(site: WebSite) -> None:
    site.add_page("/a", "public")
    dialler = Dialler(site, dead=[OTHER])
    names = Names(mixed_example=[["10.0.0.1", OTHER, "127.0.0.1", PUBLIC]])
    assert await body(WebSource("http://mixed.example/", guarded(dialler, names)), "http://mixed.example/a") == "public"
    assert set(dialler.dialled) == {OTHER, PUBLIC}


async def test_robots_sitemaps_and_links_are_guarded_too(site: WebSite) -> None:
    site.add_redirect("/robots.txt", "http://127.0.0.1/robots.txt")
    site.add_page("/", '<a href="/a">a</a>')
    source = WebSource("http://docs.example/", guarded(Dialler(site), Names(docs_example=[[PUBLIC]])))
    with pytest.raises(DocumentRefused) as raised:
        await body(source, "http://docs.example/")
    assert raised.value.code == "private_address"
    site.add_page("/robots.txt", "Sitemap: http://127.0.0.1/sitemap.xml", "text/plain")
    source = WebSource(
        "http://docs.example/", guarded(Dialler(site), Names(docs_example=[[PUBLIC]])), WebOptions("sitemap")
    )
    with pytest.raises(DocumentRefused):
        [entry async for entry in source.list()]


async def test_a_name_without_an_address(site: WebSite) -> None:
    async def none(host: str, port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    client = WebClient(WebLimits(1000, retries=0), resolver=none)
    with pytest.raises(Unavailable, match="has no address"):
        await body(WebSource("http://nowhere.example/", client), "http://nowhere.example/")


async def test_a_proxy_of_the_environment_is_not_used(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, site.url)
    dialler = Dialler(site)
    source = WebSource("http://127.0.0.1/", guarded(dialler, Names()))
    with pytest.raises(DocumentRefused):
        await body(source, "http://127.0.0.1/")
    assert not site.requests


async def test_tls_is_asked_for_the_name_and_not_the_address() -> None:
    """The name goes into SNI and is verified, though an address is dialled."""
    asked: list[str | None] = []

    class Stream(httpcore.AsyncMockStream):
        async def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> httpcore.AsyncNetworkStream:
            asked.append(server_hostname)
            assert ssl_context.check_hostname and ssl_context.verify_mode is ssl.CERT_REQUIRED
            return httpcore.AsyncMockStream([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])

    class Answering(Dialler):
        async def connect_tcp(self, host: str, *rest: Any, **more: Any) -> httpcore.AsyncNetworkStream:
            self.dialled.append(host)
            return Stream([])

    dialler = Answering()
    source = WebSource("https://docs.example/", guarded(dialler, Names(docs_example=[[PUBLIC]])))
    assert await body(source, "https://docs.example/") == "ok"
    assert set(asked) == {"docs.example"} and set(dialler.dialled) == {PUBLIC}
