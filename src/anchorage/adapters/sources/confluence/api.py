"""Confluence's two HTTP APIs: Cloud's REST v2, and the REST API of Data Center and Server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from anchorage.adapters.sources.confluence import answers
from anchorage.adapters.sources.confluence.answers import Attachment, PageRef
from anchorage.adapters.sources.confluence.client import ConfluenceClient
from anchorage.errors import ConfigurationError, NotAllowed, NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class ConfluencePage:
    """A page with its text as HTML, as readers see it."""

    id: str
    version: str | None
    title: str
    html: str
    web_url: str
    labels: tuple[str, ...] = ()
    author: str | None = None
    last_modified: str | None = None


class ConfluenceApi(Protocol):
    """What both APIs can do."""

    def prefix(self, key: str) -> str:
        """What the addresses of a space's pages begin with; a page's id follows, and ends them."""
        ...

    async def space(self, key: str) -> str:
        """The space's id. Raises `NotFound` where there is none that this user may see."""
        ...

    def pages(self, key: str, space: str) -> AsyncIterator[PageRef]:
        """All current pages of a space."""
        ...

    async def page(self, key: str, space: str, page: str) -> ConfluencePage:
        """One page. Raises `NotFound` where it is gone from this space."""
        ...

    async def attachments(self, page: str) -> Sequence[Attachment]:
        """All files attached to a page."""
        ...


class CloudApi:
    """REST v2 of Confluence Cloud."""

    def __init__(self, client: ConfluenceClient) -> None:
        self._client = client
        self._names: dict[str, str] = {}

    def prefix(self, key: str) -> str:
        return f"{self._client.base}/spaces/{quote(key, safe='~:')}/pages/"

    async def space(self, key: str) -> str:
        found = answers.read_entries(await self._client.get("/api/v2/spaces", keys=key))
        if not found:
            raise NotFound(_describe_no_space(self._client.base, key))
        return str(found[0].get("id"))

    async def pages(self, key: str, space: str) -> AsyncIterator[PageRef]:
        query: dict[str, str | int] = {"limit": 250, "status": "current", "sort": "id"}
        seen = set()
        while True:
            answer = await self._client.get(f"/api/v2/spaces/{quote(space)}/pages", **query)
            for page in answers.read_pages(answer):
                yield page
            cursor = answers.next_position(answer, "cursor")
            if cursor is None:
                return
            if cursor in seen:
                raise Unavailable(f"Confluence at {self._client.base} lists pages in a circle. Try again later.")
            seen.add(cursor)
            query["cursor"] = cursor

    async def page(self, key: str, space: str, page: str) -> ConfluencePage:
        query: dict[str, str] = {"body-format": "view", "include-labels": "true"}
        found = await self._client.get(f"/api/v2/pages/{quote(page)}", **query)
        answers.check_place(found, page, str(found.get("spaceId", space)) == space)
        version = answers.get_object(found, "version")
        return ConfluencePage(
            page, answers.read_version(found), answers.get_text(found, "title") or page, answers.read_body(found, page), self.prefix(key) + page,
            labels=answers.read_labels(answers.get_object(found, "labels")),
            author=await self._find_name(answers.get_text(version, "authorId") or answers.get_text(found, "authorId")),
            last_modified=answers.get_text(version, "createdAt"),
        )  # fmt: skip

    async def attachments(self, page: str) -> Sequence[Attachment]:
        query: dict[str, str | int] = {"limit": 250, "status": "current"}
        found: list[Attachment] = []
        while True:
            answer = await self._client.get(f"/api/v2/pages/{quote(page)}/attachments", **query)
            here = answers.read_attachments(answer)
            found += here
            cursor = answers.next_position(answer, "cursor")
            if cursor is None:
                return found
            if not here or len(found) > answers.MOST_ATTACHMENTS:
                raise Unavailable(f"Confluence at {self._client.base} lists attachments in a circle. Try again later.")
            query["cursor"] = cursor

    async def _find_name(self, account: str | None) -> str | None:
        """A person's name by their account id; the id itself where this user may not look it up."""
        if account and account not in self._names:
            try:
                answer = await self._client.request("POST", "/api/v2/users-bulk", json={"accountIds": [account]})
                self._names[account] = str(answers.read_entries(answer)[0]["displayName"])
            except (NotAllowed, NotFound, ConfigurationError, IndexError, KeyError):
                self._names[account] = account
        return self._names.get(account) if account else None


class DataCenterApi:
    """The REST API of Confluence Data Center and Server."""

    def __init__(self, client: ConfluenceClient) -> None:
        self._client = client

    def prefix(self, key: str) -> str:
        # The id alone finds the page; the key keeps apart the pages of several spaces.
        return f"{self._client.base}/pages/viewpage.action?spaceKey={quote(key, safe='~')}&pageId="

    async def space(self, key: str) -> str:
        try:
            found = await self._client.get(f"/rest/api/space/{quote(key, safe='~')}")
        except NotFound as error:
            raise NotFound(_describe_no_space(self._client.base, key)) from error
        return str(found.get("key") or key)

    async def pages(self, key: str, space: str) -> AsyncIterator[PageRef]:
        start = 0
        while True:
            answer = await self._client.get(
                "/rest/api/content",
                spaceKey=key,
                type="page",
                status="current",
                expand="version,children.attachment.version",
                start=start,
                limit=100,
            )
            for page in answers.read_pages(answer):
                yield page
            # Not the number of results: pages that this user may not see are left out of them.
            following = answers.next_position(answer, "start")
            if following is None:
                return
            if not following.isdecimal() or int(following) <= start:
                raise Unavailable(f"Confluence at {self._client.base} lists pages in a circle. Try again later.")
            start = int(following)

    async def page(self, key: str, space: str, page: str) -> ConfluencePage:
        expand = "body.view,version,metadata.labels,space"
        found = await self._client.get(f"/rest/api/content/{quote(page)}", expand=expand)
        place = answers.get_text(answers.get_object(found, "space"), "key") or space
        answers.check_place(found, page, place.lower() == space.lower())
        version = answers.get_object(found, "version")
        return ConfluencePage(
            page, answers.read_version(found), answers.get_text(found, "title") or page, answers.read_body(found, page), self.prefix(key) + page,
            labels=answers.read_labels(answers.get_object(found, "metadata", "labels")),
            author=answers.get_text(answers.get_object(version, "by"), "displayName"),
            last_modified=answers.get_text(version, "when"),
        )  # fmt: skip

    async def attachments(self, page: str) -> Sequence[Attachment]:
        found: list[Attachment] = []
        start = 0
        while True:
            answer = await self._client.get(
                f"/rest/api/content/{quote(page)}/child/attachment", expand="version", start=start, limit=100
            )
            found += answers.read_attachments(answer)
            following = answers.next_position(answer, "start")
            if following is None:
                return found
            if not following.isdecimal() or int(following) <= start:
                raise Unavailable(f"Confluence at {self._client.base} lists attachments in a circle. Try again later.")
            start = int(following)


def _describe_no_space(base: str, key: str) -> str:
    return f"Confluence at {base} has no space {key}, or this user may not see it. Check the key and the user's permissions."
