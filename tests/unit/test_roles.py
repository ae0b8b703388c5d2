"""Roles behind HTTP: what is passed on to the ingest role and back, what retrieval answers, and whom they trust."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from anchorage.adapters.models.http import open_model_client
from anchorage.adapters.roles.ingest import HttpForwarder
from anchorage.adapters.roles.retrieval import HttpRetrievalRole
from anchorage.adapters.roles.trust import verify_principal, vouch_for
from anchorage.errors import AnchorageError, ConfigurationError, DatabaseUnavailable, NotAllowed, NotFound, Unavailable
from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.model import EmbedderSpec, Hit, Principal
from anchorage.model.search import Ranking
from anchorage.ports.retrieval_role import Found, Retrieval
from anchorage.ports.roles import PRINCIPAL_HEADER, TOKEN_HEADER, found_form
from anchorage.settings import load_settings
from anchorage.testing.serving import serve_app
from anchorage.wiring.roles import principals_of

NOBODY = "http://127.0.0.1:1"
TOKEN = "a-token-for-tests-only"
ANNA = Principal("anna", frozenset({"staff"}), frozenset({"reader"}))
Answer = Callable[["Seen", Any], Awaitable[None]]


class Seen:
    """What reached the role behind: a server that notes each request as it read it."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answer = answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        self.requests.append({"line": (scope["method"], scope["path"], query), "headers": headers, "body": body})
        if self._answer:
            await self._answer(self, send)
            return
        await begin(send, [(b"content-type", b"application/json")])
        await send({"type": "http.response.body", "body": b'{"fine":true}'})


async def begin(send: Any, headers: list[tuple[bytes, bytes]], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


@asynccontextmanager
async def front(url: str, **http: Any) -> AsyncIterator[str]:
    """The API in front of the ingest role; gives its address."""
    settings = load_settings(roles={"ingest_url": url, "token": TOKEN}, http=http)

    async def anna(headers: Any) -> Principal:
        return ANNA

    async with open_model_client(2, decompress=False) as client:
        forwarder = HttpForwarder(client, url, TOKEN, silence=5)
        services: Any = SimpleNamespace(principals=anna, forwarder=forwarder)
        async with serve_app(create_app(settings.http, ProcessState(services, None), roles=settings.roles)) as address:
            yield address


@asynccontextmanager
async def both(answer: Answer | None = None, **http: Any) -> AsyncIterator[tuple[Seen, httpx.AsyncClient]]:
    seen = Seen(answer)
    async with (
        serve_app(seen) as behind,
        front(behind, **http) as address,
        httpx.AsyncClient(base_url=address) as client,
    ):
        yield seen, client


async def raw(client: httpx.AsyncClient, path: str, headers: bytes = b"", body: bytes = b"") -> bytes:
    """The answer to a GET that no client library would send."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(
        b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n%s" % (path.encode(), headers, body)
    )
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_request_goes_on_as_it_was_understood_and_for_whom() -> None:
    async with both() as (seen, client):
        headers = {
            "Authorization": "Bearer secret", "Cookie": "a=b", TOKEN_HEADER: "guessed", PRINCIPAL_HEADER: "forged",
            "X-Forwarded-For": "1.2.3.4", "Accept-Language": "de", "X-Request-Id": "r1", "TE": "trailers",
        }  # fmt: skip
        done = await client.get("/api/documents/a%2Fb%20ü?q=%C3%BC+1&x=<", headers=headers)
        assert done.json() == {"fine": True} and done.headers["x-request-id"] == "r1"
        await client.post("/api/jobs/j1/retry", content=iter_of(b"one", b"two"))
    first, second = seen.requests
    assert first["line"] == ("GET", "/api/documents/a/b ü", "q=%C3%BC+1&x=%3C")
    assert verify_principal(first["headers"], TOKEN) == ANNA
    kept = {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "accept-language",
        "x-request-id",
        TOKEN_HEADER,
        PRINCIPAL_HEADER,
    }
    assert set(first["headers"]) == kept and first["headers"]["accept-language"] == "de"
    assert second["line"][:2] == ("POST", "/api/jobs/j1/retry") and second["body"] == b"onetwo"


async def iter_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_no_second_request_rides_in_the_body_of_the_first() -> None:
    inner = b"DELETE /api/documents?collection=c HTTP/1.1\r\nHost: x\r\n\r\n"
    async with both() as (seen, client):
        for lengths in (b"Content-Length: %d\r\n" % len(inner), b"Transfer-Encoding: chunked\r\n"):
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner) if b"chunked" in lengths else inner
            assert b"200 OK" in await raw(client, "/api/documents", lengths, body)
        for method in ("DELETE", "HEAD"):
            await client.request(method, "/api/documents/d", content=inner)
        assert (await client.request("OPTIONS", "/api/documents")).status_code == 405
    assert [item["line"][0] for item in seen.requests] == ["GET", "GET", "DELETE", "HEAD"]
    for item in seen.requests:
        assert not item["body"] and "transfer-encoding" not in item["headers"]
        assert item["headers"].get("content-length", "0") == "0"


async def test_paths_do_not_climb_out_of_what_is_forwarded() -> None:
    async with both() as (seen, client):
        for path in ("/api/documents/..%2F..%2Finternal", "/api/documents/%2e%2e/x", "/api/jobs/./x"):
            assert b"404 Not Found" in await raw(client, path), path
    assert not seen.requests


async def test_bodies_over_the_limit_end_at_the_front() -> None:
    async with both(max_body_bytes=2000) as (seen, client):
        pieces = [b"x" * 1000] * 5
        assert (await client.post("/api/sources", content=iter_of(*pieces))).status_code == 413
    assert not seen.requests


async def test_a_stream_comes_as_it_comes_without_headers_of_the_connection() -> None:
    go_on = asyncio.Event()

    async def answer(seen: Seen, send: Any) -> None:
        await begin(send, [(b"content-type", b"text/event-stream"), (b"x-hop", b"1"), (b"connection", b"x-hop, close")])
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    async with both(answer) as (_, client), client.stream("GET", "/api/jobs") as response:
        pieces = response.aiter_bytes()
        assert await anext(pieces) == b"data: 1\n\n"
        go_on.set()
        assert await anext(pieces) == b"data: 2\n\n"
        assert response.headers["content-type"] == "text/event-stream"
        assert not {"x-hop", "connection"} & set(response.headers)


@pytest.mark.parametrize("length", [[], [(b"content-length", b"100")]])
async def test_an_answer_that_breaks_off_is_seen_to_be_broken(length: list[tuple[bytes, bytes]]) -> None:
    async def answer(seen: Seen, send: Any) -> None:
        await begin(send, length)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    with capture_logs() as logs:
        async with both(answer) as (_, client):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/api/documents/d/content")
    (told,) = [line for line in logs if line["event"] == "forwarded_answer_broke_off"]
    assert "broke off in the middle" in told["reason"]


async def test_a_role_that_is_away_or_leaves_is_told_apart() -> None:
    async with front(NOBODY) as address, httpx.AsyncClient(base_url=address) as client:
        away = await client.get("/api/documents")
        assert away.status_code == 503 and "cannot be reached" in away.json()["detail"]

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with front(url) as address, httpx.AsyncClient(base_url=address) as client:
            left = await client.post("/api/sources", json={})
    assert left.status_code == 503 and "broke off before it answered" in left.json()["detail"]


def test_only_the_shared_token_vouches() -> None:
    good = vouch_for(ANNA, TOKEN)
    assert verify_principal(good, TOKEN) == ANNA
    for wrong in ({}, {**good, TOKEN_HEADER: TOKEN[:-1]}, {**good, TOKEN_HEADER: "ü"}, {**good, PRINCIPAL_HEADER: "e30="},
                  {**good, PRINCIPAL_HEADER: "?"}, {TOKEN_HEADER: TOKEN}):  # fmt: skip
        with pytest.raises(NotAllowed):
            verify_principal(wrong, TOKEN)


async def test_who_is_believed_depends_on_the_role() -> None:
    def of(**roles: Any) -> Any:
        return principals_of(load_settings(roles={"token": TOKEN, **roles}).roles)

    forged = {**vouch_for(ANNA, TOKEN), TOKEN_HEADER: "guessed-by-somebody"}
    assert (await of()(vouch_for(ANNA, TOKEN))).id == "local", "the front takes no principal from a client"
    assert await of(only="ingest")(vouch_for(ANNA, TOKEN)) == ANNA
    assert (await of(only="ingest")({})).id == "local"
    assert await of(only="retrieval")(vouch_for(ANNA, TOKEN)) == ANNA
    for role, headers in (("ingest", forged), ("retrieval", forged), ("retrieval", {})):
        with pytest.raises(NotAllowed):
            await of(only=role)(headers)


def test_roles_behind_http_want_a_token() -> None:
    for roles in ({"retrieval_url": "http://r"}, {"ingest_url": "http://i"}, {"only": "retrieval"}):
        with pytest.raises(ConfigurationError, match="ANCHORAGE_ROLES__TOKEN is missing"):
            load_settings(roles=roles)


SPEC = EmbedderSpec("m", "1", 2)
HIT = Hit("c1", "d1", "v1", "c", "file:///a", "A", 0, 3, 0.5, "abc", 1, ("H",), None, 0.25)


@asynccontextmanager
async def retriever(answer: Answer) -> AsyncIterator[tuple[Seen, HttpRetrievalRole]]:
    seen = Seen(answer)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve_app(seen))
        client = await stack.enter_async_context(open_model_client(2))
        yield seen, HttpRetrievalRole(client, f"{url}/", TOKEN, timeout=10)


def problem(code: str, status: int) -> Answer:
    async def answer(seen: Seen, send: Any) -> None:
        await begin(send, [], status)
        await send({"type": "http.response.body", "body": json.dumps({"code": code, "detail": "It is so."}).encode()})

    return answer


async def test_a_search_comes_back_as_it_was_found() -> None:
    found = Found(Ranking([HIT], [("c1", "d1")], [], [], [SPEC]), (0.5, 1.0), SPEC)

    async def answer(seen: Seen, send: Any) -> None:
        await begin(send, [])
        await send({"type": "http.response.body", "body": found_form().dump_json(found)})

    async with retriever(answer) as (seen, asked):
        assert await asked.find(ANNA, Retrieval("Why?", ("c",), 5, (1.0, 0.0), SPEC)) == found
        await asked.ping()
    assert verify_principal(seen.requests[0]["headers"], TOKEN) == ANNA
    assert json.loads(seen.requests[0]["body"])["question"] == "Why?"


@pytest.mark.parametrize(
    ("code", "status", "kind", "said", "requests"),
    [
        ("not_found", 404, NotFound, "It is so.", 1),
        ("database_unavailable", 503, DatabaseUnavailable, "It is so.", 1),
        ("unavailable", 503, Unavailable, "It is so.", 2),
        ("not_allowed", 403, ConfigurationError, "ANCHORAGE_ROLES__TOKEN", 1),
        ("no_such_code", 502, Unavailable, "HTTP 502", 2),
        ("no_such_code", 404, ConfigurationError, "RETRIEVAL_URL", 1),
    ],
)
async def test_errors_of_retrieval_are_ours(
    code: str, status: int, kind: type[AnchorageError], said: str, requests: int
) -> None:
    async with retriever(problem(code, status)) as (seen, asked):
        with pytest.raises(kind, match=said) as raised:
            await asked.find(ANNA, Retrieval("Why?", None, 5))
        assert type(raised.value) is kind and len(seen.requests) == requests


async def test_the_password_of_a_roles_address_is_told_to_nobody() -> None:
    secret = NOBODY.replace("://", "://svc:secret@")
    async with open_model_client(2) as client:
        with pytest.raises(Unavailable, match="cannot be reached") as raised:
            await HttpRetrievalRole(client, secret, TOKEN, timeout=10).find(ANNA, Retrieval("Why?", None, 5))
    assert "secret" not in raised.value.message and "svc" not in raised.value.message
    async with front(secret) as address, httpx.AsyncClient(base_url=address) as asking:
        assert "secret" not in (await asking.get("/api/documents")).text


async def test_retrieval_that_is_away_is_told() -> None:
    async with open_model_client(2) as client:
        asked = HttpRetrievalRole(client, NOBODY, TOKEN, timeout=10)
        with pytest.raises(Unavailable, match="cannot be reached"):
            await asked.find(ANNA, Retrieval("Why?", None, 5))
        with pytest.raises(Unavailable, match="does not answer"):
            await asked.ping()


@pytest.mark.parametrize(("only", "there", "gone"), [
    ("chat", {"/api/search", "/mcp", "/"}, {"/api/documents", "/add_text", "/internal/retrieve"}),
    ("ingest", {"/api/documents", "/add_text", "/docs"}, {"/api/search", "/mcp", "/", "/internal/retrieve"}),
    ("mcp", {"/mcp"}, {"/api/search", "/api/documents", "/", "/internal/retrieve"}),
    ("retrieval", {"/internal/retrieve"}, {"/api/search", "/api/documents", "/mcp", "/", "/docs", "/openapi.json"}),
    (None, {"/api/search", "/api/documents", "/mcp", "/", "/add_text"}, {"/internal/retrieve"}),
])  # fmt: skip
async def test_a_role_serves_its_own_and_nothing_else(only: str | None, there: set[str], gone: set[str]) -> None:
    settings = load_settings(roles={"only": only, "token": TOKEN})
    app = create_app(settings.http, ProcessState(), roles=settings.roles)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        for path in there | {"/livez", "/readyz", "/metrics"}:
            assert (await client.get(path)).status_code != 404, path
        for path in gone:
            assert (await client.get(path)).status_code == 404, path
