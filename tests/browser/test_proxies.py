"""Behind proxies: below a path, over TLS and HTTP/2 through a real nginx, and where one holds answers back."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from bench.support import free_port
from playwright.sync_api import Page, expect

from acceptance.conftest import served

from .conftest import HARBOUR, Site, Window, answered, ask
from .nginx import Nginx, nginx
from .proxy import Proxy, proxy

LONG = " ".join(f"{HARBOUR} [1] Word {number}." for number in range(20))
LIMIT = 200 * 1024**2
"""What a server takes where nobody sets another limit."""


@dataclass
class Below:
    """A server below a path, with the limits of an installation that nobody has changed; and what stands before it."""

    api: httpx.Client
    front: Nginx


@pytest.fixture(scope="module")
def serving_below(site: Site) -> Iterator[httpx.Client]:
    env = {"ANCHORAGE_HTTP__ROOT_PATH": "/kb", "ANCHORAGE_INGEST__MAX_FILE_BYTES": str(LIMIT)}
    with served(site.cli, "serve", **env) as (api, _):
        yield api


@pytest.fixture(scope="module")
def below(serving_below: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Below]:
    target = str(serving_below.base_url).rstrip("/")
    with nginx(tmp_path_factory.mktemp("nginx"), target, "/kb", (free_port(), free_port())) as front:
        yield Below(serving_below, front)


@pytest.fixture
def between(site: Site) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    with proxy(site.url) as running:
        yield running


def goes_round(page: Page, prefix: str) -> None:
    """Ask, reload, and see the other places."""
    ask(page)
    answered(page)
    assert f"{prefix}/c/" in page.url
    page.reload()
    answered(page)
    page.get_by_role("link", name="Documents").click()
    expect(page.locator(".row").first).to_be_visible()
    page.get_by_role("link", name="System").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()


def test_below_a_path_of_an_ingress(window: Window, serving_below: httpx.Client) -> None:
    with proxy(str(serving_below.base_url), prefix="/kb") as front:
        page = window.open(f"{front.url}/kb/")
        goes_round(page, "/kb")
        page.close()


@pytest.mark.slow
def test_over_tls_and_http_2_below_a_path(window: Window, site: Site, below: Below) -> None:
    window.expected = "404"  # before its first answer, it is no conversation yet
    site.answers(LONG, token_delay=0.03)
    page = window.open(f"{below.front.streaming}/", ignore_https_errors=True)
    assert page.evaluate("() => performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    ask(page)
    expect(page.locator(".answer.writing")).to_contain_text("Word 1")  # word by word, as the server asks of nginx
    page.reload()
    expect(page.locator(".answer")).to_contain_text("Word 19")
    site.answers()
    page.goto(f"{below.front.streaming}/")
    goes_round(page, "/kb")
    expect(page.get_by_text("Answers reach you word by word.")).to_be_visible()
    protocols = page.evaluate(
        "() => [...new Set(performance.getEntriesByType('resource').map((one) => one.nextHopProtocol))]"
    )
    assert set(protocols) <= {"h2", ""}


@pytest.mark.slow
def test_an_nginx_that_buffers_is_noticed_and_told_how_to_mend(window: Window, site: Site, below: Below) -> None:
    site.answers(LONG, token_delay=0.03)
    page = window.open(f"{below.front.buffering}/", ignore_https_errors=True)
    ask(page)
    told = page.locator(".banner").filter(has_text="holds answers back")
    expect(told).to_contain_text("proxy_buffering off")
    answered(page)
    told.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="System").click()
    expect(page.locator(".part").filter(has_text="Way of the answers")).to_contain_text("holds answers back")


def test_what_nginx_finds_too_large_is_told_for_the_file(window: Window, below: Below, tmp_path: Path) -> None:
    window.expected = "413"
    large = tmp_path / "larger than nginx takes.txt"
    large.write_bytes(b"x" * 1_100_000)  # 1 MB is its own limit, which it tells in HTML
    page = window.open(f"{below.front.streaming}/documents", ignore_https_errors=True)
    page.set_input_files("input[type=file] >> nth=0", large)
    expect(page.locator(".upload-failed")).to_contain_text("This is too large")


def test_a_file_beyond_the_limit_that_is_the_default(
    window: Window, serving_below: httpx.Client, tmp_path: Path
) -> None:
    window.expected = "413"
    files = [tmp_path / "refused-by-the-page.bin", tmp_path / "refused-by-the-server.bin"]
    for path in files:
        with path.open("wb") as file:
            file.truncate(LIMIT + 1)  # sparse: it takes no room
    page = window.open(f"{str(serving_below.base_url).rstrip('/')}/kb/documents")
    expect(page.get_by_text("Up to 200 MB a file.")).to_be_visible()
    page.set_input_files("input[type=file] >> nth=0", files[0])
    refused = page.locator(".upload-failed")
    expect(refused).to_contain_text("too large for this server")
    page.close()
    system = serving_below.get("/api/system").json()
    system["limits"]["max_file_bytes"] = 10 * LIMIT  # as if it had been lowered since the page was opened
    context = window.context()
    context.route("**/api/system", lambda route: route.fulfill(json=system))
    page = window.open(f"{str(serving_below.base_url).rstrip('/')}/kb/documents", context=context)
    page.set_input_files("input[type=file] >> nth=0", files[1])
    expect(page.locator(".upload progress, .upload-failed").first).to_be_visible()
    expect(page.locator(".upload-failed")).to_contain_text("ANCHORAGE_INGEST__MAX_FILE_BYTES", timeout=120_000)
    page.close()


@pytest.mark.slow
def test_a_proxy_that_buffers_is_noticed(window: Window, site: Site, between: Proxy) -> None:
    window.expected = "500|ERR_"  # its own, where it is left waiting
    site.answers(LONG, token_delay=0.02, first_delay=1)
    between.buffering = True
    page = window.open(between.url)
    ask(page)
    expect(page.get_by_text("holds answers back").last).to_be_visible()
    page.close()
