"""A bucket, the objects under a prefix, or a single object, as a source of documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from anchorage.adapters.s3.client import S3
from anchorage.adapters.s3.download import download
from anchorage.adapters.s3.place import Place
from anchorage.errors import NotAllowed, NotFound, Unavailable
from anchorage.model import SourceEntry, SourceItem

_NO_TYPE = {"", "application/octet-stream", "binary/octet-stream"}  # what S3 says when no type was set
_HADOOP_FOLDER = "_$folder$"


class S3Source:
    """Implements the `Source` port. Hidden objects and placeholders of folders are passed over.

    A place that ends in `/` is a prefix. Any other is an object, or a prefix where there is no such object; listing finds out.
    """

    def __init__(self, s3: S3, place: Place, *, max_bytes: int) -> None:
        self._s3 = s3
        self._named = self._place = place
        self._max_bytes = max_bytes

    @property
    def uri(self) -> str:
        return self._named.uri

    @property
    def prefix(self) -> str | None:
        return self._place.uri if self._place.key.endswith("/") or not self._place.key else None

    @property
    def lists_all(self) -> bool:
        return True

    async def list(self) -> AsyncIterator[SourceEntry]:
        self._place = self._named
        is_named = bool(self._named.key) and not self._named.key.endswith("/")
        if is_named:
            if found := await self._head_object():
                yield SourceEntry(self.uri, _make_tag(found.get("ETag"), found.get("ContentLength")))
                return
            self._place = Place(self._named.bucket, self._named.key + "/")
        is_there = False
        async with aclosing(self._list_pages()) as pages:
            async for item in (item async for page in pages for item in page.get("Contents", ())):
                is_there = True
                if not _is_hidden(item["Key"], item.get("Size", 0), self._place.key):
                    place = Place(self._place.bucket, item["Key"])
                    yield SourceEntry(place.uri, _make_tag(item.get("ETag"), item.get("Size")))
        if is_named and not is_there:
            raise NotFound(f"{self.uri}: there is no such object, and nothing below it. Check its spelling.")

    async def _head_object(self) -> Mapping[str, Any] | None:
        try:
            return await self._s3.head_object(self._place)
        except NotAllowed:
            return None  # this answer has no body and gives no reason; listing will

    async def _list_pages(self) -> AsyncGenerator[Mapping[str, Any], None]:
        """List page by page; the next page is requested while this one is used."""
        token: str | None = None
        next_page: asyncio.Task[Mapping[str, Any]] | None = asyncio.create_task(self._list_page(None))
        try:
            while next_page:
                page = await next_page
                if page["IsTruncated"] and page.get("NextContinuationToken") in (None, token):
                    raise Unavailable(
                        f"The list of {self.uri} broke off: {self._s3.config.shown} says that there is more, but not where."
                    )
                token = page.get("NextContinuationToken") if page["IsTruncated"] else None
                next_page = asyncio.create_task(self._list_page(token)) if token else None
                yield page
        finally:
            if next_page:
                next_page.cancel()
                await asyncio.wait([next_page])

    async def _list_page(self, token: str | None) -> Mapping[str, Any]:
        further: dict[str, Any] = {"ContinuationToken": token} if token else {}
        page = await self._s3.call(
            "list_objects_v2", f"The list of {self.uri}", self._place.bucket, Prefix=self._place.key, **further
        )
        if "IsTruncated" not in page:  # an empty answer of something else must not read as an empty bucket
            raise Unavailable(
                f"The list of {self.uri}: {self._s3.config.shown} answered, but not as S3 does. Check the endpoint "
                "(AWS_ENDPOINT_URL or LINODE_OBJECT_STORAGE_ENDPOINT)."
            )
        return page

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        root = Place(self._place.bucket).uri
        if not uri.startswith(root) or uri == root:
            raise NotFound(f"{uri} is not in {root}.")
        place = Place.parse(uri)
        async with download(self._s3, place, limit=self._max_bytes) as file:
            answer = file.answer
            kind = str(answer.get("ContentType", "")).partition(";")[0].strip().lower()
            yield SourceItem(
                uri=uri,
                name=place.name,
                path=str(file.path),
                size=file.size,
                media_type=None if kind in _NO_TYPE else kind,
                tag=_make_tag(answer.get("ETag"), file.size),
                metadata=_read_metadata(answer),
            )


def _is_hidden(key: str, size: int, prefix: str) -> bool:
    """Whether to pass over a key: what stands for a folder, and what has a part that begins with a dot."""
    if size == 0 and (key.endswith(("/", _HADOOP_FOLDER))):
        return True
    parts = key.removeprefix(prefix).split("/")
    return any(part.startswith(".") and part not in (".", "..") for part in parts)


def _make_tag(etag: str | None, size: int | None) -> str | None:
    """What changes with the bytes: the server's ETag, and the size for servers whose ETags are weak."""
    return f"{etag.strip(chr(34))}-{size}" if etag else None


def _read_metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Read the metadata that S3 keeps beside the bytes; the owner's own is under `user`."""
    found: dict[str, Any] = {}
    if isinstance(modified := answer.get("LastModified"), datetime):
        found["last_modified"] = modified.astimezone(UTC).isoformat()
    if (version := answer.get("VersionId")) and version != "null":
        found["version_id"] = version
    if etag := answer.get("ETag"):
        found["etag"] = etag.strip('"')
    if user := answer.get("Metadata"):
        found["user"] = {name: _decode_value(value) for name, value in user.items()}
    return found


def _decode_value(value: str) -> str:
    """Decode RFC 2047 words, as which S3 returns what is not ASCII."""
    try:
        return str(make_header(decode_header(value))).replace("\0", "") if "=?" in value else value
    except (HeaderParseError, LookupError, ValueError):
        return value
