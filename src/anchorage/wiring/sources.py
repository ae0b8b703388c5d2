"""Sources and blob stores: which adapter a location names."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.s3.blobs import S3BlobStore
from anchorage.adapters.s3.client import S3, S3Config, open_s3
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.adapters.sources.confluence.client import ConfluenceAccess
from anchorage.adapters.sources.confluence.source import ConfluenceSource
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.adapters.sources.files.threads import FileThreads
from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.memory import WebMemory
from anchorage.adapters.sources.web.source import WebOptions, WebSource
from anchorage.errors import BadRequest, NotAllowed
from anchorage.ingest.jobs.registered import PASSWORD
from anchorage.model import RegisteredSource
from anchorage.ports.blob import BlobStore
from anchorage.ports.source import Source
from anchorage.settings import Settings
from anchorage.settings.sections import S3Settings
from anchorage.wiring.providers import required

Options = Mapping[str, Any]
_WEB = ("http://", "https://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@asynccontextmanager
async def open_location(settings: Settings, location: str, options: Options | None = None) -> AsyncIterator[Source]:
    """The source at a location, with connections of its own for as long as the context lasts. Raises `BadRequest`."""
    async with open_s3(s3_config(settings.s3)) as s3:
        with closing_pages(source_at(settings, location, s3, options or {})) as source:
            yield source


@asynccontextmanager
async def open_source(
    settings: Settings, registered: RegisteredSource, s3: S3, web: WebMemory
) -> AsyncIterator[Source]:
    """The source that a record names, open for as long as the context lasts; all of a process share what is known of the web."""
    location, options = registered.location, registered.options
    if _SCHEME.match(location) and not location.startswith("file://"):
        source = source_at(settings, location, s3, options, web)
    else:  # it looks at the path
        look = FileThreads(settings.ingest.file_timeout)
        source = await look(location, source_at, settings, location, s3, options, web)
    with closing_pages(source):
        yield source


@contextmanager
def closing_pages(source: Source) -> Iterator[Source]:
    """A source of web pages keeps some that it has downloaded, until its end."""
    try:
        yield source
    finally:
        if isinstance(source, WebSource):
            source.close()


def source_at(settings: Settings, location: str, s3: S3, options: Options, web: WebMemory | None = None) -> Source:
    """The source at a location: a path or `file://`, `s3://bucket/prefix`, web pages, or `confluence://KEY`.

    Raises `BadRequest` for what is none or for options that it does not take, and `ConfigurationError`.
    """
    if any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in location):
        raise BadRequest(f"{location[:80]!r} holds a control character, or half of one. Write the location without.")
    location = _known_scheme(location)
    if PASSWORD in options:
        if not isinstance(options[PASSWORD], str) or options[PASSWORD] not in settings.ingest.passwords:
            raise BadRequest(
                f"{location}: no password of that name is set. Name one of ANCHORAGE_INGEST__PASSWORDS, never the password itself."
            )
        options = {name: value for name, value in options.items() if name != PASSWORD}
    if location.startswith(_WEB) or "mode" in options:
        return web_source(settings, location, options, web)
    if options:
        raise BadRequest(f"{location}: such a source takes no options, and {sorted(options)[0]!r} was given.")
    if location.startswith("confluence://"):
        return confluence_source(settings, location)
    if location.startswith("s3://"):
        return S3Source(s3, Place.parse(location, settings.s3.bucket), max_bytes=settings.ingest.max_file_bytes)
    if _SCHEME.match(location) and not location.startswith("file://"):
        raise BadRequest(
            f"{location}: there is no source of this kind. Take a folder or file, s3://, https://, or confluence://."
        )
    return local_source(settings, location)


def check_location(settings: Settings, location: str, options: Options, *, local: bool = True) -> str:
    """The location of a source in full.

    Raises `BadRequest` for one that cannot be a source, or for unknown options, and `NotAllowed` for one that reads this
    machine's own files unless `local` allows it.
    """
    location = _known_scheme(location)
    if not local and not location.startswith(("s3://", "confluence://", *_WEB)):
        raise NotAllowed(
            "Files of the server cannot be registered over HTTP. Use `anchorage sources add` there, or upload the files."
        )
    if location.startswith("s3://"):
        location = Place.parse(location, settings.s3.bucket).uri
    source = source_at(settings, location, S3(s3_config(settings.s3)), options)
    return source.uri if isinstance(source, LocalSource) else location


def _known_scheme(location: str) -> str:
    """With its scheme in small letters, as all of them are compared here (RFC 3986, 3.1)."""
    scheme, separator, rest = location.partition("://")
    return scheme.lower() + separator + rest if separator else location


def local_source(settings: Settings, location: str) -> LocalSource:
    """The source of a path on this machine, or of its `file://` address. Raises `BadRequest` when there is no such path."""
    path = unquote(urlsplit(location).path) if location.startswith("file://") else location
    limits = settings.ingest
    return LocalSource(Path(path).expanduser(), max_bytes=limits.max_file_bytes, file_timeout=limits.file_timeout)


def web_source(settings: Settings, location: str, options: Options, memory: WebMemory | None) -> Source:
    """The source of web pages; `options` are those of `WebOptions`, as JSON. Raises `BadRequest`."""
    values = settings.web.model_dump()
    limits = WebLimits(max_bytes=settings.ingest.max_file_bytes, **values)
    return WebSource(location, WebClient(limits, memory=memory), WebOptions.of(options))


def confluence_source(settings: Settings, location: str) -> Source:
    """The source of a Confluence space, `confluence://KEY`. Raises `BadRequest` and `ConfigurationError`."""
    confluence = settings.confluence
    access = ConfluenceAccess(
        base_url=required(confluence.base_url, "CONFLUENCE_BASE_URL", "the address of your Confluence"),
        username=confluence.username,
        password=confluence.password.get_secret_value() if confluence.password else None,
        flavour=confluence.flavour,
        timeout=confluence.timeout,
        download_timeout=confluence.download_timeout,
        retries=confluence.retries,
        max_wait=confluence.max_wait,
    )
    return ConfluenceSource(
        location, access, max_bytes=settings.ingest.max_file_bytes, attachments=confluence.attachments
    )


def open_blobs(settings: Settings, s3: S3) -> BlobStore:
    """The store of originals that the settings name; the data directory where they name none. Raises `BadRequest`."""
    if not settings.blobs.url:
        return FolderBlobStore(settings.data.dir / "blobs")
    return S3BlobStore(s3, Place.parse(settings.blobs.url, settings.s3.bucket))


def check_originals(settings: Settings) -> None:
    """Raises `ConfigurationError` where a process that keeps originals in its data directory cannot write there."""
    roles = settings.roles
    elsewhere = settings.blobs.url or roles.only in ("retrieval", "mcp") or roles.ingest_url
    if not elsewhere:
        FolderBlobStore(settings.data.dir / "blobs").check()


def s3_config(s3: S3Settings) -> S3Config:
    """How to reach the S3 server that the settings name; the two have the same names."""
    return S3Config(**{item.name: _plain(getattr(s3, item.name)) for item in fields(S3Config)})


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
