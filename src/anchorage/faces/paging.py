"""Pages of the list of documents, and the marks between them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence

from anchorage.errors import BadRequest
from anchorage.model import Document, Principal
from anchorage.ports.catalog import Catalog

_UUID = re.compile(r"[0-9a-fA-F-]{32,36}")


async def read_document_page(
    catalog: Catalog, principal: Principal, *, collection: str | None = None, limit: int, after: str | None,
    status: str | None = None, matching: str = "",
) -> tuple[Sequence[Document], str | None]:  # fmt: skip
    """Read a page of documents by collection and uri, and the mark of the next page. `after`: the last mark, or a document's id.

    Raises `BadRequest` for a mark that no list gave out, and `NotFound`.
    """
    seen = await _last_seen(catalog, principal, after) if after else None
    found = await catalog.documents(
        principal, collection=collection, limit=limit + 1, after=seen, status=status, matching=matching
    )
    page = found[:limit]
    return page, _make_mark(page[-1]) if len(found) > limit else None


def _make_mark(document: Document) -> str:
    """Make the mark of a page's end. It holds collection and uri, since the document may be deleted before the next page."""
    return base64.urlsafe_b64encode(json.dumps([document.collection, document.uri]).encode()).decode().rstrip("=")


async def _last_seen(catalog: Catalog, principal: Principal, after: str) -> tuple[str, str]:
    """Collection and uri of a mark, or of the document of an id. Raises `BadRequest`, `NotFound`."""
    if _UUID.fullmatch(after):
        document = await catalog.document(principal, after)
        return document.collection, document.uri
    try:
        collection, uri = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        if "\0" in (collection + uri).encode().decode():
            raise ValueError("no text of Postgres")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadRequest("`after` is none that a list gave out. Take the `next` of the page before.") from error
    return collection, uri
