"""The resources of the MCP server `documents`: each document's text, whole or the part around a citation."""

from __future__ import annotations

import re

from mcp_types import ListResourcesResult, ReadResourceResult, Resource, ResourceTemplate, TextResourceContents

from anchorage.errors import BadRequest, NotFound
from anchorage.faces.paging import read_document_page
from anchorage.model import Principal
from anchorage.wiring.services import Services

_PREFIX = "anchorage://documents/"
_PLAIN = "text/plain"
_URI = re.compile(r"anchorage://documents/(?P<id>[^/]{1,200})(?:/text/(?P<start>\d{1,12})-(?P<end>\d{1,12}))?")
_PAGE = 100


async def list_resources(services: Services, principal: Principal, cursor: str | None) -> ListResourcesResult:
    """A page of the documents that have a text."""
    page, following = await read_document_page(services.storage.catalog, principal, limit=_PAGE, after=cursor)
    return ListResourcesResult(
        resources=[
            Resource(uri=f"{_PREFIX}{item.id}", name=item.title or item.id, description=f"{item.collection}: {item.uri}",
                     mime_type=_PLAIN)
            for item in page if item.version
        ],
        next_cursor=following,
    )  # fmt: skip


def list_templates() -> list[ResourceTemplate]:
    """List the templates of the addresses of texts."""
    return [
        ResourceTemplate(
            uri_template=_PREFIX + "{document_id}", name="document", mime_type=_PLAIN,
            description="The extracted text of a document, from its beginning.",
        ),
        ResourceTemplate(
            uri_template=_PREFIX + "{document_id}/text/{start}-{end}", name="passage", mime_type=_PLAIN,
            description="Its characters from start to end; hits and citations have these offsets.",
        ),
    ]  # fmt: skip


async def read_resource(services: Services, principal: Principal, uri: str) -> ReadResourceResult:
    """Read the text at an address, cut at the limit; `_meta` says which part of the text it is.

    Raises `NotFound` for what is no document of the principal's.
    """
    found = _URI.fullmatch(uri)
    if not found:
        raise NotFound(
            f"There is nothing at {uri[:200]!r}. Addresses are {_PREFIX}DOCUMENT_ID and {_PREFIX}DOCUMENT_ID/text/START-END."
        )
    text = (await services.storage.catalog.text(principal, found["id"])).text
    start = int(found["start"] or 0)
    wanted = int(found["end"]) if found["end"] else len(text)
    if found["end"] and not start < wanted:
        raise BadRequest(f"{start}-{wanted} is no part of a text: the start must be before the end.")
    end = min(wanted, len(text), start + services.settings.mcp.text_limit)
    meta = {"start": start, "end": end, "length": len(text)}
    contents = [TextResourceContents(uri=uri, mime_type=_PLAIN, text=text[start:end], _meta=meta)]
    if end < min(wanted, len(text)):
        rest = f"{_PREFIX}{found['id']}/text/{end}-{min(wanted, len(text))}"
        contents.append(TextResourceContents(uri=rest, mime_type=_PLAIN, text=f"[The text goes on at {rest}]"))
    return ReadResourceResult(contents=list(contents))
