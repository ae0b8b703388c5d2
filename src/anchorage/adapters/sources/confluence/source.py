"""A Confluence space as a source, on Cloud or Data Center."""

from __future__ import annotations

import asyncio
import html
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import httpx

from anchorage.adapters.sources.bodies import Sleep, translate_disk_errors
from anchorage.adapters.sources.confluence.answers import Attachment, PageRef
from anchorage.adapters.sources.confluence.api import (
    CloudApi,
    ConfluenceApi,
    ConfluencePage,
    DataCenterApi,
)
from anchorage.adapters.sources.confluence.client import ConfluenceAccess, ConfluenceClient, Forbidden
from anchorage.adapters.sources.names import fit_name, fit_text
from anchorage.errors import BadRequest, ConfigurationError, DocumentRefused, NotAllowed, NotFound, Unavailable
from anchorage.model import SourceEntry, SourceItem

_LOCATION = re.compile(r"confluence://(~?[\w.:-]{1,255})/?", re.ASCII)
_PLACE = re.compile(r"(\d{1,19})(?:[?&]preview=%2F(\d{1,19})%2F(\d{1,19})(?:%2F[^/?#&]*)?)?", re.ASCII)
_ASKED_AT_ONCE = 4  # pages, for their attachments
_NO_TEXT = ("image/", "video/", "audio/", "font/", "application/vnd.jgraph", "application/gliffy")
_LONGEST_NAME = 300  # characters of an attachment's name within its address


class ConfluenceSource:
    """Implements the `Source` port. A page is known by its id, so a new title or another parent page changes no address."""

    def __init__(
        self,
        location: str,
        access: ConfluenceAccess,
        *,
        max_bytes: int,
        attachments: bool = True,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Raises `BadRequest` for a location without a space, `ConfigurationError` for a wrong address of Confluence."""
        match = _LOCATION.fullmatch(location)
        if not match:
            raise BadRequest(f"{location[:200]!r} names no space. Write confluence://KEY, with the space's key.")
        self._key = match.group(1)
        self._attachments = attachments
        self._client = ConfluenceClient(access, _base_url(access), max_bytes=max_bytes, sleep=sleep)
        self._api: ConfluenceApi = CloudApi(self._client) if access.is_cloud else DataCenterApi(self._client)
        self._space: str | None = None

    @property
    def uri(self) -> str:
        return f"confluence://{self._key}"

    @property
    def prefix(self) -> str | None:
        return self._api.prefix(self._key)

    @property
    def lists_all(self) -> bool:
        return True

    async def list(self) -> AsyncIterator[SourceEntry]:
        listed: set[str] = set()
        waiting: list[PageRef] = []
        async with self._client.session():
            self._space = await self._api.space(self._key)
            try:
                async for page in self._api.pages(self._key, self._space):
                    if page.id in listed:  # pages that move while they are listed come twice
                        continue
                    listed.add(page.id)
                    yield SourceEntry(self._api.prefix(self._key) + page.id, page.version)
                    if self._attachments:
                        waiting.append(page)
                    if len(waiting) == _ASKED_AT_ONCE:
                        for entry in await self._list_attached(waiting):
                            yield entry
                        waiting.clear()
                for entry in await self._list_attached(waiting):
                    yield entry
            except NotFound as error:
                raise NotAllowed(
                    f"The space {self._key} vanished while it was listed: it was deleted, or this user may not see it any more."
                ) from error

    async def _list_attached(self, pages: Sequence[PageRef]) -> Sequence[SourceEntry]:
        """What is attached to pages and may hold text."""
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._list_attachments(page)) for page in pages]
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return [
            SourceEntry(self._attachment_uri(page.id, file), f"{file.id} {file.version}" if file.version else None)
            for page, task in zip(pages, asked, strict=True)
            for file in task.result()
            if not file.media_type.startswith(_NO_TEXT)
        ]

    async def _list_attachments(self, page: PageRef) -> Sequence[Attachment]:
        if page.attachments is not None:
            return page.attachments
        try:
            return await self._api.attachments(page.id)
        except (NotFound, Forbidden):
            return ()  # the page has gone since it was listed, or was closed to this user

    def _attachment_uri(self, page: str, file: Attachment) -> str:
        """The page's address with what makes Confluence show the file over it."""
        place = self._api.prefix(self._key) + page
        name = quote(f"/{file.title}", safe="", errors="replace")
        mark = "&" if "?" in place else "?"
        return f"{place}{mark}preview=%2F{page}%2F{file.id}{name if len(name) <= _LONGEST_NAME else ''}"

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        prefix = self._api.prefix(self._key)
        match = _PLACE.fullmatch(uri.removeprefix(prefix)) if uri.startswith(prefix) else None
        if not match or match.group(2) not in (None, match.group(1)):
            raise BadRequest(f"{uri[:200]!r} is no page of the space {self._key}, and no file of one.")
        page = await self._find_page(uri, match.group(1))
        with translate_disk_errors(uri):
            kept = TemporaryDirectory(prefix=f"anchorage-confluence-{os.getpid()}-", ignore_cleanup_errors=True)
        with kept as folder:
            if match.group(3):
                yield await self._download_file(uri, page, match.group(3), Path(folder, "file"))
            else:
                yield await self._write_text(uri, page, Path(folder, "page.html"))

    async def _write_text(self, uri: str, page: ConfluencePage, path: Path) -> SourceItem:
        with translate_disk_errors(uri):
            size = await asyncio.to_thread(path.write_bytes, _render_page(page))
        details = {
            "title": fit_text(page.title), "labels": [fit_text(label) for label in page.labels],
            "author": fit_text(page.author or ""), "last_modified": fit_text(page.last_modified or ""),
            "space": self._key, "url": uri,
        }  # fmt: skip
        return SourceItem(
            uri, _page_name(page), str(path), size, media_type="text/html", tag=page.version,
            metadata={name: value for name, value in details.items() if value},
        )  # fmt: skip

    async def _download_file(self, uri: str, page: ConfluencePage, number: str, path: Path) -> SourceItem:
        """A file that is attached to a page, with the page as its context."""
        async with self._client.session():
            found = next((file for file in await self._api.attachments(page.id) if file.id == number), None)
            if found is None:
                raise NotFound(f"{uri[:200]} is gone: the file was removed from its page.")
            name = _file_name(found.title) or found.id
            if not found.link:
                raise DocumentRefused(
                    "refused", f"{name}: Confluence names no address of its own for the file's bytes."
                )
            with translate_disk_errors(uri):
                size = await self._client.download(found.link, path, name)
        if found.size is not None and size != found.size:
            raise Unavailable(
                f"{name} came with {size} bytes where Confluence announced {found.size}. Try again later."
            )
        details = {
            "title": fit_text(found.title), "author": fit_text(found.author or ""),
            "last_modified": fit_text(found.last_modified or ""), "space": self._key, "url": uri,
            "page_title": fit_text(page.title), "page_url": page.web_url,
            "labels": [fit_text(label) for label in page.labels],
        }  # fmt: skip
        return SourceItem(
            uri, name, str(path), size, media_type=found.media_type or None,
            tag=f"{found.id} {found.version}" if found.version else None,
            metadata={name: value for name, value in details.items() if value},
        )  # fmt: skip

    async def _find_page(self, uri: str, number: str) -> ConfluencePage:
        async with self._client.session():
            if self._space is None:
                self._space = await self._require_space()
            try:
                return await self._api.page(self._key, self._space, number)
            except NotFound:
                # Whoever lost the right to see the space must not be told that its pages are gone.
                await self._require_space()
                raise
            except Forbidden as error:
                raise DocumentRefused("no_access", f"{uri} may not be read by this user of Confluence.") from error

    async def _require_space(self) -> str:
        try:
            return await self._api.space(self._key)
        except NotFound as error:
            raise NotAllowed(error.message) from error


def _base_url(access: ConfluenceAccess) -> str:
    """The address below which the API is, without a slash at its end. Raises `ConfigurationError`."""
    try:
        url = httpx.URL(access.base_url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigurationError("CONFLUENCE_BASE_URL is no address. Set it to that of your Confluence.") from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            "CONFLUENCE_BASE_URL must be an address like https://example.atlassian.net/wiki, without a user name in it."
        )
    base = str(url).rstrip("/")
    return f"{base}/wiki" if access.is_cloud and not base.endswith("/wiki") else base


def _render_page(page: ConfluencePage) -> bytes:
    head = f'<meta charset="utf-8"><title>{html.escape(page.title)}</title>'
    text = f"<!doctype html><html><head>{head}</head><body><main>{page.html}</main></body></html>"
    return text.encode("utf-8", "replace")


def _page_name(page: ConfluencePage) -> str:
    return (fit_name(page.title) or page.id) + ".html"


def _file_name(title: str) -> str:
    """A name to show that keeps its ending, by which some kinds of files are known."""
    stem, dot, ending = title.rpartition(".")
    return f"{fit_name(stem)[:80]}.{fit_name(ending)[:15]}" if dot and stem else fit_name(title)
