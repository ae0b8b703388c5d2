"""A bucket, the objects under a prefix, or a single object, as a source of documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from anchorage.adapters.s3.client import S3, S3Config, open_s3
from anchorage.adapters.s3.download import downloaded
from anchorage.adapters.s3.place import Place
from anchorage.errors import NotAllowed, NotFound, Unavailable
from anchorage.model import SourceEntry, SourceItem

_NO_TYPE = {"", "application/octet-stream", "binary/octet-stream"}  # what S3 says when nobody told it
_HADOOP_FOLDER = "_$folder$"


@asynccontextmanager
async def open_s3_source(
    config: S3Config, location: str, *, default_bucket: str | None, max_bytes: int
) -> AsyncIterator[S3Source]:
    """The source that `s3://bucket[/prefix]` names, usable inside the context.

    Raises `BadRequest` or `ConfigurationError` for what cannot be, `Unavailable` when the server does not answer.
    """
    place = Place.parse(location, default_bucket)
    async with open_s3(config) as s3:
        yield S3Source(s3, place, is_object=await _is_object(s3, place), max_bytes=max_bytes)


async def _is_object(s3: S3, place: Place) -> bool:
    """Whether it is one object's key; else it is the name of a folder, as far as S3 has any."""
    if not place.key or place.key.endswith("/"):
        return False
    try:
        return await s3.head(place) is not None
    except NotAllowed:
        return False  # this answer has no body and so no reason: listing tells what is wrong


class S3Source:
    """Implements the `Source` port. Hidden objects and placeholders of folders are passed over."""

    def __init__(self, s3: S3, place: Place, *, is_object: bool, max_bytes: int) -> None:
        folder = "" if is_object or not place.key or place.key.endswith("/") else "/"
        self._s3 = s3
        self._place = Place(place.bucket, place.key + folder)
        self._is_object = is_object
        self._max_bytes = max_bytes

    @property
    def uri(self) -> str:
        return self._place.uri

    @property
    def prefix(self) -> str | None:
        return None if self._is_object else self._place.uri

    async def list(self) -> AsyncIterator[SourceEntry]:
        if self._is_object:
            found = await self._s3.head(self._place)
            if found is None:
                raise NotFound(f"{self.uri} is gone: it was removed or renamed, or its bucket was.")
            yield SourceEntry(self.uri, _tag(found.get("ETag"), found.get("ContentLength")))
            return
        async for page in self._pages():
            for item in page.get("Contents", ()):
                if not _is_hidden(item["Key"], item.get("Size", 0), self._place.key):
                    place = Place(self._place.bucket, item["Key"])
                    yield SourceEntry(place.uri, _tag(item.get("ETag"), item.get("Size")))

    async def _pages(self) -> AsyncIterator[Mapping[str, Any]]:
        """The pages of the list, the next one always under way."""
        token: str | None = None
        coming: asyncio.Task[Mapping[str, Any]] | None = asyncio.create_task(self._page(None))
        try:
            while coming:
                page = await coming
                if page["IsTruncated"] and page.get("NextContinuationToken") in (None, token):
                    raise Unavailable(
                        f"The list of {self.uri} broke off: {self._s3.config.shown} says that there is more, but not where."
                    )
                token = page.get("NextContinuationToken") if page["IsTruncated"] else None
                coming = asyncio.create_task(self._page(token)) if token else None
                yield page
        finally:
            if coming:
                coming.cancel()
                await asyncio.wait([coming])

    async def _page(self, token: str | None) -> Mapping[str, Any]:
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
        async with downloaded(self._s3, place, limit=self._max_bytes) as file:
            answer = file.answer
            kind = str(answer.get("ContentType", "")).partition(";")[0].strip().lower()
            yield SourceItem(
                uri=uri,
                name=place.name,
                path=str(file.path),
                size=file.size,
                media_type=None if kind in _NO_TYPE else kind,
                tag=_tag(answer.get("ETag"), file.size),
                metadata=_metadata(answer),
            )


def _is_hidden(key: str, size: int, prefix: str) -> bool:
    """Whether to pass over a key: what stands for a folder, and what has a part that begins with a dot."""
    if size == 0 and (key.endswith(("/", _HADOOP_FOLDER))):
        return True
    parts = key.removeprefix(prefix).split("/")
    return any(part.startswith(".") and part not in (".", "..") for part in parts)


def _tag(etag: str | None, size: int | None) -> str | None:
    """What changes with the bytes: the server's ETag, and the size for servers whose ETags are weak."""
    return f"{etag.strip(chr(34))}-{size}" if etag else None


def _metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What S3 keeps beside the bytes; the owner's own metadata under `user`."""
    found: dict[str, Any] = {}
    if isinstance(modified := answer.get("LastModified"), datetime):
        found["last_modified"] = modified.astimezone(UTC).isoformat()
    if (version := answer.get("VersionId")) and version != "null":
        found["version_id"] = version
    if etag := answer.get("ETag"):
        found["etag"] = etag.strip('"')
    if user := answer.get("Metadata"):
        found["user"] = {name: _decoded(value) for name, value in user.items()}
    return found


def _decoded(value: str) -> str:
    """S3 hands out what is not ASCII as RFC 2047 words."""
    try:
        return str(make_header(decode_header(value))) if "=?" in value else value
    except (HeaderParseError, LookupError, ValueError):
        return value
