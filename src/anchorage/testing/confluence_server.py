"""A small Confluence: a real HTTP peer for tests that speaks Cloud's REST v2 and Data Center's REST API.

async with confluence_server(token="secret") as confluence:
    confluence.add("DOCS", "Title", "<p>Text</p>", labels=["howto"])
    ...  # a client of confluence.cloud_url, or of confluence.url for Data Center
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote

from anchorage.testing.serving import serve_app

TOKEN = "secret-token"  # noqa: S105  it opens nothing


@dataclass(slots=True)
class FakeFile:
    """A file attached to a page."""

    id: str
    title: str
    data: bytes
    media_type: str
    version: int = 1
    elsewhere: str | None = None
    """Where its download is redirected to."""


@dataclass(slots=True)
class FakePage:
    """A page of the fake; change it as the test goes on."""

    id: str
    space: str
    title: str
    html: str
    labels: tuple[str, ...] = ()
    version: int = 1
    status: str = "current"
    hidden: bool = False
    """Not for this user: left out of lists, and 403 by itself."""
    files: list[FakeFile] = field(default_factory=list)


class ConfluenceServer:
    """The ASGI app, its pages and its records."""

    def __init__(self, *, user: str | None, token: str | None, page_size: int) -> None:
        self.url = ""
        """Without a slash at its end; Data Center's address."""
        self.user = user
        self.token = token
        self.page_size = page_size
        self.pages: list[FakePage] = []
        self.requests: list[str] = []
        """Paths with their queries, in the order in which they came."""
        self.expires_after: int | None = None
        """Requests after which the credentials are no longer taken."""
        self.strangers = False
        """Treat wrong credentials as Data Center may: as a stranger, who sees nothing."""
        self.script: deque[tuple[int, Mapping[str, str], bytes]] = deque()
        """(status, headers, body) of the next answers, before all else."""

    @property
    def cloud_url(self) -> str:
        return f"{self.url}/wiki"

    def add(self, space: str, title: str, html: str, labels: list[str] | None = None) -> FakePage:
        """A new page."""
        page = FakePage(str(1000 + len(self.pages)), space, title, html, tuple(labels or ()))
        self.pages.append(page)
        return page

    def attach(self, page: FakePage, title: str, data: bytes, media_type: str) -> FakeFile:
        """Attach a file to a page."""
        file = FakeFile(str(2000 + sum(len(other.files) for other in self.pages)), title, data, media_type)
        page.files.append(file)
        return file

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """The ASGI app."""
        query = scope["query_string"].decode("latin-1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        message = await receive()
        self.requests.append(scope["path"] + (f"?{query}" if query else ""))
        values = {name: found[0] for name, found in parse_qs(query).items()}
        status, more, body = self._reply(scope["path"], values, headers, message.get("body", b""))
        sent = {"content-type": "application/json", **more}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    def _reply(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self.script:
            return self.script.popleft()
        expired = self.expires_after is not None and len(self.requests) > self.expires_after
        known = not expired and headers.get("authorization", "") == self._build_authorization()
        if not known and not self.strangers:
            return 401, {}, b'{"message": "Unauthorized"}'
        pages = [page for page in self.pages if known and page.status == "current"]
        if "/download/attachments/" in path:
            return self._download(path, pages)
        status, found = self._route(path, query, pages, body)
        return status, {"x-ausername": self.user or "me" if known else "anonymous"}, json.dumps(found).encode()

    def _download(self, path: str, pages: list[FakePage]) -> tuple[int, Mapping[str, str], bytes]:
        number, name = path.split("/download/attachments/")[1].split("/", 1)
        file = next((file for page in pages if page.id == number for file in page.files if file.title == name), None)
        if file is None:
            return 404, {}, b"no file"
        if file.elsewhere:
            return 302, {"location": file.elsewhere}, b""
        return 200, {"content-type": file.media_type}, file.data

    def _list_attachments(self, path: str, page: FakePage, query: Mapping[str, str]) -> Any:
        cloud = path.startswith("/wiki/")
        start = int(query.get("cursor", "c0==").strip("c=") if cloud else query.get("start", "0"))
        shown = page.files[start : start + self.page_size]
        following = f"{path}?cursor=c{start + self.page_size}%3D%3D&start={start + self.page_size}"
        links = {"next": following} if start + self.page_size < len(page.files) else {}
        return {
            "results": [(_format_cloud_file if cloud else _format_center_file)(page, file) for file in shown],
            "_links": links,
        }

    def _build_authorization(self) -> str:
        if self.token is None:
            return ""
        if self.user is None:
            return f"Bearer {self.token}"
        return "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()

    def _route(self, path: str, query: Mapping[str, str], pages: list[FakePage], body: bytes) -> tuple[int, Any]:
        spaces = sorted({page.space for page in pages})
        last = path.rsplit("/", 1)[-1]
        if path == "/wiki/api/v2/spaces":
            return 200, {
                "results": [{"id": f"9{spaces.index(key)}", "key": key} for key in spaces if key == query["keys"]]
            }
        if path.startswith("/wiki/api/v2/spaces/") and path.endswith("/pages"):
            number = int(path.split("/")[5].removeprefix("9"))
            inside = [page for page in pages if spaces.index(page.space) == number]
            return (200, self._list_cloud_pages(path, inside, query)) if inside else (404, {"errors": []})
        if path == "/wiki/api/v2/users-bulk":
            asked = json.loads(body)["accountIds"]
            return 200, {"results": [{"accountId": account, "displayName": "Ada Lovelace"} for account in asked]}
        if path == f"/rest/api/space/{last}":
            return (200, {"key": last}) if last in spaces else (404, {"message": "No space"})
        if path == "/rest/api/content":
            return 200, self._list_center_pages([page for page in pages if page.space == query["spaceKey"]], query)
        attached = path.endswith(("/attachments", "/child/attachment"))
        last = path.split("/")[-2 if path.endswith("/attachments") else -3] if attached else last
        page = next((page for page in self.pages if page.id == last and page in pages), None)
        if page is None:
            return 404, {"message": "No content"}
        if page.hidden:
            return 403, {"message": "Not permitted"}
        if attached:
            return 200, self._list_attachments(path, page, query)
        cloud = path.startswith("/wiki/")
        return 200, _format_cloud_page(page, spaces) if cloud else _format_center_page(page)

    def _list_cloud_pages(self, path: str, pages: list[FakePage], query: Mapping[str, str]) -> Any:
        start = int(query.get("cursor", "c0==").strip("c="))
        shown = pages[start : start + self.page_size]
        links = {"base": self.cloud_url}
        if start + self.page_size < len(pages):
            links["next"] = f"{path}?limit=250&cursor=c{start + self.page_size}%3D%3D"
        results = [
            {"id": page.id, "title": page.title, "version": {"number": page.version}}
            for page in shown
            if not page.hidden
        ]
        return {"results": results, "_links": links}

    def _list_center_pages(self, pages: list[FakePage], query: Mapping[str, str]) -> Any:
        start = int(query["start"])
        shown = pages[start : start + self.page_size]
        links = {"base": self.url}
        if start + self.page_size < len(pages):
            links["next"] = f"/rest/api/content?spaceKey={query['spaceKey']}&limit=100&start={start + self.page_size}"
        results = [
            {
                **_format_center_page(page),
                "children": {"attachment": self._list_attachments(f"/rest/api/content/{page.id}", page, {})},
            }
            for page in shown
            if not page.hidden
        ]
        return {"results": results, "start": start, "size": len(results), "_links": links}


def _format_cloud_page(page: FakePage, spaces: list[str]) -> Any:
    return {
        "id": page.id, "status": page.status, "title": page.title, "spaceId": f"9{spaces.index(page.space)}",
        "version": {"number": page.version, "createdAt": "2026-01-02T03:04:05Z", "authorId": "5b10:ada"},
        "body": {"view": {"representation": "view", "value": page.html}},
        "labels": {"results": [{"id": "1", "name": name} for name in page.labels]},
    }  # fmt: skip


def _format_center_page(page: FakePage) -> Any:
    return {
        "id": page.id, "type": "page", "status": page.status, "title": page.title, "space": {"key": page.space},
        "version": {"number": page.version, "when": "2026-01-02T03:04:05Z", "by": {"displayName": "Ada Lovelace"}},
        "body": {"view": {"representation": "view", "value": page.html}},
        "metadata": {"labels": {"results": [{"name": name} for name in page.labels]}},
    }  # fmt: skip


def _format_cloud_file(page: FakePage, file: FakeFile) -> Any:
    return {
        "id": f"att{file.id}", "title": file.title, "status": "current", "pageId": page.id, "mediaType": file.media_type,
        "fileSize": len(file.data), "version": {"number": file.version, "createdAt": "2026-01-02T03:04:05Z"},
        "downloadLink": f"/download/attachments/{page.id}/{quote(file.title)}?version={file.version}",
    }  # fmt: skip


def _format_center_file(page: FakePage, file: FakeFile) -> Any:
    return {
        "id": file.id, "type": "attachment", "title": file.title, "status": "current",
        "version": {"number": file.version, "when": "2026-01-02T03:04:05Z", "by": {"displayName": "Ada Lovelace"}},
        "extensions": {"mediaType": file.media_type, "fileSize": len(file.data)},
        "_links": {"download": f"/download/attachments/{page.id}/{quote(file.title)}?version={file.version}"},
    }  # fmt: skip


@asynccontextmanager
async def confluence_server(
    *, user: str | None = "ada@example.org", token: str | None = TOKEN, page_size: int = 2
) -> AsyncIterator[ConfluenceServer]:
    """Run one on a free port of 127.0.0.1 inside the running loop, until the context ends."""
    server = ConfluenceServer(user=user, token=token, page_size=page_size)
    async with serve_app(server) as address:
        server.url = address
        yield server
