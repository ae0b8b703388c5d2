"""Which models the settings open."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from anchorage.adapters.s3.client import S3
from anchorage.errors import BadRequest, ConfigurationError, NotAllowed
from anchorage.settings import load_settings
from anchorage.testing.model_server import model_server
from anchorage.wiring import services
from anchorage.wiring.models import open_client, open_embedder, open_generator
from anchorage.wiring.services import open_storage
from anchorage.wiring.sources import check_location, s3_config, source_at


@pytest.mark.parametrize(
    ("env", "model", "address"),
    [
        ({"OPENAI_API_KEY": "sk-x"}, "gpt-4o-mini", "https://api.openai.com/v1"),
        ({"OPENAI_BASE_URL": "http://gpu:8080/v1", "LLM_MODEL": "qwen"}, "qwen", "http://gpu:8080/v1"),
        ({"OLLAMA_HOST": "gpu"}, "llama3.2", "http://gpu:11434/v1"),
        (
            {"OLLAMA_HOST": "gpu", "OPENAI_API_KEY": "sk-x", "ANCHORAGE_LLM__PROVIDER": "ollama"},
            "llama3.2",
            "http://gpu:11434/v1",
        ),
        ({"FPT_API_KEY": "k", "FPT_BASE_URL": "http://fpt/v1", "LLM_MODEL": "m"}, "m", "http://fpt/v1"),
        ({"FPT_API_KEY": "k", "FPT_BASE_URL": "http://fpt/", "LLM_MODEL": "m"}, "m", "http://fpt/v1"),
        ({"FPT_API_KEY": "k", "LLM_MODEL": "m"}, "m", "https://mkp-api.fptcloud.com/v1"),
    ],
)
async def test_generators(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], model: str, address: str) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    async with open_client(settings) as client:
        generator = open_generator(settings.llm, client)
    assert generator is not None and generator.model == model
    assert generator.endpoint.base_url == address  # type: ignore[attr-defined]
    assert "sk-x" not in repr(generator)


async def test_no_generator_without_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    async with open_client(settings) as client:
        assert open_generator(settings.llm, client) is None
        monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
        monkeypatch.setenv("ANCHORAGE_LLM__PROVIDER", "none")
        assert open_generator(load_settings().llm, client) is None


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"ANCHORAGE_LLM__PROVIDER": "openai"}, "OPENAI_API_KEY"),
        ({"FPT_API_KEY": "k"}, "LLM_MODEL"),
        ({"FPT_BASE_URL": "http://fpt/v1"}, "LLM_MODEL"),
        ({"ANCHORAGE_LLM__PROVIDER": "langchain"}, "LLM_MODEL"),
        ({"ANCHORAGE_LLM__PROVIDER": "langchain", "LLM_MODEL": "anthropic:claude"}, "langchain-anthropic"),
        ({"OPENAI_BASE_URL": "localhost:80"}, "OPENAI_BASE_URL"),
    ],
)
async def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], named: str) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    async with open_client(settings) as client:
        with pytest.raises(ConfigurationError, match=named):
            open_generator(settings.llm, client)


async def test_embedders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with model_server(dimension=48) as server:
        monkeypatch.setenv("ANCHORAGE_DATA", str(tmp_path))
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        settings = load_settings()
        async with open_client(settings) as client:
            # A model server for answers does not change the embedder of what is indexed already.
            assert (await open_embedder(settings, client)).spec.name == "multilingual-e5-small"
            monkeypatch.setenv("EMBEDDING_MODEL", "all-MiniLM-L6-v2")
            assert (await open_embedder(load_settings(), client)).spec.name == "all-MiniLM-L6-v2"
            monkeypatch.setenv("EMBEDDING_MODEL", "some-model")
            assert (await open_embedder(load_settings(), client)).spec.dimension == 48
            monkeypatch.setenv("ANCHORAGE_EMBEDDING__PROVIDER", "local")
            with pytest.raises(ConfigurationError, match="multilingual-e5-small"):
                await open_embedder(load_settings(), client)
            monkeypatch.setenv("ANCHORAGE_EMBEDDING__PROVIDER", "openai")
            monkeypatch.delenv("EMBEDDING_MODEL")
            with pytest.raises(ConfigurationError, match="EMBEDDING_MODEL"):
                await open_embedder(load_settings(), client)


@pytest.mark.parametrize(
    "location",
    ["https://user:pw@example.org", "/no/such/path", "confluence://", "s3://", "ftp://host/x", "/a\0b", "x://\ud800"],
)
def test_locations_that_are_no_source(location: str) -> None:
    with pytest.raises(BadRequest):
        check_location(load_settings(confluence={"base_url": "https://wiki.example.org"}), location, {})


def test_locations_of_the_web_and_of_confluence() -> None:
    settings = load_settings(confluence={"base_url": "https://wiki.example.org"}, web={"max_pages": 7})
    s3 = S3(s3_config(settings.s3))
    assert source_at(settings, "https://Example.org/a#b", s3, {}).uri == "https://example.org/a"
    assert check_location(settings, "HTTPS://example.org/a", {}, local=False) == "https://example.org/a"
    assert source_at(settings, "https://example.org/docs/", s3, {"mode": "crawl"}).prefix == "https://example.org/docs/"
    assert source_at(settings, "confluence://DOCS", s3, {}).uri == "confluence://DOCS"
    with pytest.raises(ConfigurationError, match="CONFLUENCE_BASE_URL"):
        source_at(load_settings(), "confluence://DOCS", s3, {})
    with pytest.raises(BadRequest, match="mode, depth, pages, prefix"):
        source_at(settings, "https://example.org/", s3, {"deep": 3})
    with pytest.raises(BadRequest, match="no options"):
        source_at(settings, "confluence://DOCS", s3, {"deep": 3})


@pytest.mark.parametrize("location", ["/a://../etc", "x://../../../../etc", "file:///etc", "/etc"])
def test_files_of_the_server_are_no_source_over_http(location: str) -> None:
    with pytest.raises(NotAllowed, match="over HTTP"):
        check_location(load_settings(), location, {}, local=False)
    with pytest.raises(NotAllowed):
        check_location(load_settings(), location, {"mode": "bookmarks"}, local=False)


@pytest.mark.parametrize("password", ["unknown", ["a"], 7])
def test_a_source_names_a_password_that_is_set(password: object) -> None:
    with pytest.raises(BadRequest, match="PASSWORDS"):
        check_location(load_settings(), "/tmp", {"password": password})
    assert check_location(load_settings(ingest={"passwords": {"a": "b"}}), "/tmp", {"password": "a"}) == "file:///tmp"


async def test_a_cancellation_that_got_lost_while_opening_counts(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = asyncio.Event()

    async def deaf(urls: object) -> int:
        opening.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return 0

    monkeypatch.setattr(services, "migrate_databases", deaf)
    settings = load_settings(data={"dir": tmp_path}, database={"vector_url": database, "state_url": database})
    went_on = False

    async def run() -> None:
        nonlocal went_on
        async with open_storage(settings):
            went_on = True

    task = asyncio.create_task(run())
    await opening.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not went_on
