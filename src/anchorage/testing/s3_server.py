"""A small S3 server in memory: a real HTTP peer for tests, which fails on demand and takes any key.

    async with s3_server({"bucket/key": b"bytes"}) as server:
        server.script(Fault(status=503, code="SlowDown"), Fault(cut=1000))
        ...  # a client of server.url

It checks no signatures, and does only what the tests of failures need; a real server shows that the rest works.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

_DATE = "Sat, 01 Aug 2026 10:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request: `status` with `code` instead of an answer, the body cut off after `cut` bytes, one byte
    of it every `drip` seconds, or `body` with status 200 instead of it all. `replace` puts new bytes under the key after
    answering; `silent` never answers. Without any, the request is answered.
    """

    status: int = 200
    code: str = ""
    cut: int | None = None
    drip: float = 0
    body: bytes | None = None
    replace: bytes | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `path` is still percent-encoded."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Answer:
    status: int
    body: bytes
    headers: dict[str, str]


class S3Server:
    """The server with its objects, its script and its records."""

    def __init__(self, objects: Mapping[str, bytes], page: int) -> None:
        self.objects = dict(objects)
        """The bytes by `bucket/key`."""
        self.page = page
        self.requests: list[Request] = []
        self.url = ""
        self.open: set[asyncio.Task[None]] = set()
        """The requests that are being answered."""
        self._faults: deque[Fault] = deque()

    def script(self, *faults: Fault) -> None:
        """Faults to come, one a request."""
        self._faults.extend(faults)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        task = asyncio.current_task()
        assert task
        self.open.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the server is closing
        finally:
            self.open.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await self._read(reader)
        self.requests.append(request)
        fault = self._faults.popleft() if self._faults else Fault()
        if fault.silent:
            await asyncio.Event().wait()
        answer = self._answer(request) if fault.status == 200 else _error(fault.status, fault.code)
        if fault.body is not None:
            answer = _Answer(200, fault.body, {})
        await self._write(writer, request, answer, fault)

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        path, _, query = target.partition("?")
        request = Request(method, path, parse_qs(query, keep_blank_values=True), headers)
        if headers.get("expect"):
            raise ConnectionError
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if method == "PUT":
            self.objects[unquote(path[1:])] = content
        return request

    async def _write(self, writer: asyncio.StreamWriter, request: Request, answer: _Answer, fault: Fault) -> None:
        headers = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        body = b"" if request.method == "HEAD" else answer.body[: fault.cut]
        if fault.replace is not None:
            self.objects[unquote(request.path[1:])] = fault.replace
        if fault.drip:
            for at in range(len(body)):
                writer.write(body[at : at + 1])
                await writer.drain()
                await asyncio.sleep(fault.drip)
        else:
            writer.write(body)
        await writer.drain()

    def _answer(self, request: Request) -> _Answer:
        bucket, _, key = unquote(request.path[1:]).partition("/")
        if not key:
            return self._list(bucket, request.query)
        name = f"{bucket}/{key}"
        if request.method in ("PUT", "DELETE"):
            if request.method == "DELETE":
                self.objects.pop(name, None)
            return _Answer(200, b"", {"ETag": '"put"'})
        content = self.objects.get(name)
        if content is None:
            return _error(404, "NoSuchKey")
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        if request.headers.get("if-match", etag) != etag:
            return _error(412, "PreconditionFailed")
        headers = {"ETag": etag, "Last-Modified": _DATE}
        if found := re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "")):
            start = int(found[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return _Answer(206, content[start:], headers)
        return _Answer(200, content, headers)

    def _list(self, bucket: str, query: Mapping[str, list[str]]) -> _Answer:
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", [""])[0]
        root = f"{bucket}/"
        keys = sorted(name.removeprefix(root) for name in self.objects if name.startswith(root + prefix))
        rest = [key for key in keys if key > after]
        page, more = rest[: self.page], len(rest) > self.page
        items = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>{len(self.objects[root + key])}</Size>"
            f"<ETag>&quot;{hashlib.md5(self.objects[root + key], usedforsecurity=False).hexdigest()}&quot;</ETag></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>" if more else ""
        text = (
            f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<EncodingType>url</EncodingType>{token}{items}</ListBucketResult>"
        )
        return _Answer(200, text.encode(), {"Content-Type": "application/xml"})


def _error(status: int, code: str) -> _Answer:
    text = f"<Error><Code>{code}</Code><Message>It went wrong.</Message></Error>" if code else ""
    return _Answer(status, text.encode(), {"Content-Type": "application/xml"})


@asynccontextmanager
async def s3_server(objects: Mapping[str, bytes] | None = None, *, page: int = 1000) -> AsyncIterator[S3Server]:
    """A running server on a free port of 127.0.0.1; lists come in pages of `page` keys."""
    state = S3Server(objects or {}, page)
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        for task in (tasks := list(state.open)):
            task.cancel()
        await asyncio.gather(*tasks)
