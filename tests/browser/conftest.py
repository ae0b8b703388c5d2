"""A real browser on a real server: `anchorage up` with its embedded Postgres, and a model server whose answers a test chooses."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from acceptance.conftest import ANCHORAGE, Cli, clean_environment, until
from anchorage.faces.http.page import BUILT
from anchorage.testing.model_server import Behaviour, ModelServer, model_server
from integration.test_parsers import pdf

ROOT = Path(__file__).parents[2]
HARBOUR = "The harbour of Ghent was opened in 1827."
QUESTION = "When was the harbour of Ghent opened?"
ANSWER = f"{HARBOUR} [1]"
DOCUMENTS = {
    "horta.md": "# Victor Horta 🏛️\n\nHe was 𝒜 famous architect. Victor Horta designed the Hôtel Tassel in Brussels in 1893.\n".encode(),
    "harbour.pdf": pdf(["The harbour report", f"This is chapter 2.\n{HARBOUR} It has three docks."]),
    "bread.txt": b"Bread is made of flour and water. It is baked in an oven.",
}


@dataclass
class Site:
    """The running server, its API, and the model behind it."""

    url: str
    api: httpx.Client
    model: ModelServer
    cli: Cli

    def answers(self, answer: str | Callable[..., str] = ANSWER, **more: Any) -> None:
        """How the model answers from now on."""
        self.model.behaviour = Behaviour(answer=answer, **more)

    def add(self, name: str, content: bytes, collection: str = "default") -> str:
        """Upload a document and wait until it is read; returns its id."""
        sent = self.api.post("/api/documents", files={"files": (name, content)}, data={"collection": collection})
        assert sent.status_code == 202, sent.text
        place = f"/api/jobs/{sent.json()['job_ids'][0]}"
        with self.api.stream("GET", place, headers={"accept": "text/event-stream"}) as job:
            assert '"status": "done"' in "".join(job.iter_text())
        return str(self.api.get(place).json()["document_id"])

    def ask(self, conversation: str, question: str = QUESTION, **more: Any) -> dict[str, Any]:
        """Ask without a browser."""
        body = {"message": question, "conversation_id": conversation, **more}
        answer = self.api.post("/api/chat", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


class InThread:
    """A model server in an event loop of its own, since the tests wait for the browser."""

    def __init__(self) -> None:
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])

    def __enter__(self) -> ModelServer:
        self._thread.start()
        assert self._ready.wait(30)
        return self.server

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        self._loop.close()

    async def _run(self) -> None:
        async with model_server() as self.server:
            self._ready.set()
            await self._end.wait()


@contextmanager
def running(cli: Cli, *arguments: str, **env: str) -> Iterator[httpx.Client]:
    """A running `up` or `serve` that is ready, with a client of it. Its log goes to a file: nobody reads a pipe here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = cli.data.parent / f"{arguments[0]}-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [ANCHORAGE, *arguments, "--port", str(port)], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            env=clean_environment(ANCHORAGE_DATA=str(cli.data), **{**cli.env, **env}),
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            until("the server to be ready", lambda: _is_ready(client, process, log))
            yield client
    finally:
        process.terminate()
        process.wait(60)


def _is_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8")
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not (BUILT / "index.html").is_file():
        pytest.fail("the web page is not built: run `make setup`")
    data = tmp_path_factory.mktemp("browser") / "data"
    with InThread() as model:
        env = {
            "OPENAI_API_KEY": "key", "OPENAI_BASE_URL": model.url, "LLM_MODEL": "test", "EMBEDDING_MODEL": "hashed",
            "ANCHORAGE_EMBEDDING__DIMENSION": "64", "ANCHORAGE_INGEST__MAX_FILE_BYTES": "300000",
            "ANCHORAGE_WEB__ALLOW_PRIVATE": "true", "ANCHORAGE_ANSWER__ALIGN_MEANING": "false",
        }  # fmt: skip
        cli = Cli(data, env)
        with running(cli, "up") as api:
            found = Site(str(api.base_url).rstrip("/"), api, model, cli)
            for name, content in DOCUMENTS.items():
                found.add(name, content)
            yield found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium was found")
        pytest.skip("no Chromium was found (Debian: chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        expect.set_options(timeout=20_000)
        opened = playwright.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()


@dataclass
class Window:
    """Opens pages, and holds against them whatever the browser complained of."""

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: str = r"(?!)"
    """A pattern of complaints that belong to the test."""
    _contexts: list[BrowserContext] = field(default_factory=list)

    def context(self, *, phone: bool = False, **options: Any) -> BrowserContext:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
        found = self.browser.new_context(
            **{
                "viewport": size,
                "has_touch": phone,
                "locale": "en-GB",
                "base_url": self.url,
                "reduced_motion": "reduce",
                **options,
            }
        )
        found.set_default_timeout(20_000)
        self._contexts.append(found)
        return found

    def open(self, path: str = "/", *, context: BrowserContext | None = None, **options: Any) -> Page:
        page = (context or self.context(**options)).new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"pageerror: {error}"))
        page.goto(path)
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def window(browser: Browser, site: Site) -> Iterator[Window]:
    site.answers()
    opened = Window(browser, site.url)
    yield opened
    opened.close()
    # The last is no fault of the page: the machine got another network, as it does while others start containers on it.
    expected = f"{opened.expected}|ERR_NETWORK_CHANGED"
    unexpected = [item for item in opened.complaints if not re.search(expected, item)]
    assert not unexpected


def ask(page: Page, question: str = QUESTION) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def answered(page: Page, count: int = 1) -> None:
    """Wait until so many answers are whole."""
    expect(page.locator(".actions").nth(count - 1)).to_be_attached()
    expect(page.locator(".turn[aria-busy=true]")).to_have_count(0)


def conversation_of(page: Page) -> str:
    page.wait_for_url("**/c/*")
    return page.url.rsplit("/", 1)[-1]
