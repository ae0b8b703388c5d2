"""A Confluence space as a source, on Cloud or Data Center."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from anchorage.adapters.sources.bodies import Sleep
from anchorage.adapters.sources.confluence_api import (
    CloudApi,
    ConfluenceAccess,
    ConfluenceApi,
    ConfluenceClient,
    ConfluencePage,
    DataCenterApi,
    Forbidden,
)
from anchorage.adapters.sources.names import fit_name, fit_text
from anchorage.errors import BadRequest, ConfigurationError, DocumentRefused, NotAllowed, NotFound
from anchorage.model import SourceEntry, SourceItem

_LOCATION = re.compile(r"confluence://(~?[\w.:-]{1,255})/?", re.ASCII)


class ConfluenceSource:
    """Implements the `Source` port. A page is known by its id, so a new title or another parent page changes no address."""

    def __init__(
        self, location: str, access: ConfluenceAccess, *, max_bytes: int, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Raises `BadRequest` for a location without a space, `ConfigurationError` for a wrong address of Confluence."""
        match = _LOCATION.fullmatch(location)
        if not match:
            raise BadRequest(f"{location[:200]!r} names no space. Write confluence://KEY, with the space's key.")
        self._key = match.group(1)
        self._client = ConfluenceClient(access, _base(access), max_bytes=max_bytes, sleep=sleep)
        self._api: ConfluenceApi = CloudApi(self._client) if access.is_cloud else DataCenterApi(self._client)
        self._space: str | None = None

    @property
    def uri(self) -> str:
        return f"confluence://{self._key}"

    @property
    def prefix(self) -> str | None:
        return self._api.prefix(self._key)

    async def list(self) -> AsyncIterator[SourceEntry]:
        prefix, listed = self._api.prefix(self._key), set()
        async with self._client.session():
            self._space = await self._api.space(self._key)
            try:
                async for page in self._api.pages(self._key, self._space):
                    if page.id not in listed:  # pages that move while they are listed come twice
                        listed.add(page.id)
                        yield SourceEntry(prefix + page.id, page.version)
            except NotFound as error:
                raise NotAllowed(
                    f"The space {self._key} vanished while it was listed: it was deleted, or this user may not see it any more."
                ) from error

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        prefix = self._api.prefix(self._key)
        number = uri.removeprefix(prefix)
        if not uri.startswith(prefix) or not number.isdecimal():
            raise BadRequest(f"{uri[:200]!r} is no page of the space {self._key}.")
        page = await self._page(uri, number)
        with TemporaryDirectory(prefix="anchorage-confluence-", ignore_cleanup_errors=True) as folder:
            path = Path(folder, "page.html")
            size = await asyncio.to_thread(path.write_bytes, _document(page))
            details = {
                "title": fit_text(page.title), "labels": [fit_text(label) for label in page.labels],
                "author": fit_text(page.author or ""), "last_modified": fit_text(page.last_modified or ""),
                "space": self._key, "url": uri,
            }  # fmt: skip
            yield SourceItem(
                uri, _name(page), str(path), size, media_type="text/html", tag=page.version,
                metadata={name: value for name, value in details.items() if value},
            )  # fmt: skip

    async def _page(self, uri: str, number: str) -> ConfluencePage:
        async with self._client.session():
            if self._space is None:
                self._space = await self._visible_space()
            try:
                return await self._api.page(self._key, self._space, number)
            except NotFound:
                # Whoever lost the right to see the space must not be told that its pages are gone.
                await self._visible_space()
                raise
            except Forbidden as error:
                raise DocumentRefused("no_access", f"{uri} may not be read by this user of Confluence.") from error

    async def _visible_space(self) -> str:
        try:
            return await self._api.space(self._key)
        except NotFound as error:
            raise NotAllowed(error.message) from error


def _base(access: ConfluenceAccess) -> str:
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


def _document(page: ConfluencePage) -> bytes:
    head = f'<meta charset="utf-8"><title>{html.escape(page.title)}</title>'
    text = f"<!doctype html><html><head>{head}</head><body><main>{page.html}</main></body></html>"
    return text.encode("utf-8", "replace")


def _name(page: ConfluencePage) -> str:
    return (fit_name(page.title) or page.id) + ".html"
