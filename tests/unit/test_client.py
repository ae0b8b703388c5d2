"""The client's parts: errors by their code, events from pieces of bytes, attempts, and what is uploaded together."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from anchorage import Client, errors
from anchorage.client.problems import error_of
from anchorage.client.stream import sse_events
from anchorage.client.upload import batches, find_files
from anchorage.errors import (
    AnchorageError,
    BadRequest,
    Blocked,
    DatabaseUnavailable,
    DocumentRefused,
    NotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
)

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AnchorageError)]


def problem(code: str, **more: object) -> bytes:
    return json.dumps({"type": f"urn:anchorage:problem:{code}", "code": code, "detail": "what to do", **more}).encode()


def told(status: int, body: bytes, **headers: str) -> AnchorageError:
    return error_of(status, headers, body, "http://server")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (DocumentRefused, Blocked)])
def test_every_error_of_the_tree_comes_back_as_what_it_was(kind: type[AnchorageError]) -> None:
    error = told(kind.status, problem(kind.code))
    assert issubclass(kind, type(error)) and (error.code, error.message) == (kind.code, "what to do")
    assert error.status == kind.status


def test_errors_that_carry_more() -> None:
    blocked = told(422, problem("blocked", rule="injection"))
    assert isinstance(blocked, Blocked) and blocked.rule == "injection"
    refused = told(422, problem("encrypted"))
    assert isinstance(refused, DocumentRefused) and refused.code == "encrypted"
    assert isinstance(told(422, problem("invalid_request")), BadRequest)
    busy = told(503, problem("unavailable"), **{"retry-after": "7"})
    assert isinstance(busy, Unavailable) and busy.retry_after == 7
    later = told(409, problem("something_new"))
    assert isinstance(later, errors.Conflict) and later.code == "something_new"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAllowed), (403, NotAllowed), (404, NotFound), (413, TooLarge), (302, BadRequest), (502, Unavailable),
                         (500, AnchorageError)],
)  # fmt: skip
def test_answers_of_something_on_the_way(status: int, kind: type[AnchorageError]) -> None:
    error = told(status, b"<html>no</html>", location="https://other")
    assert type(error) is kind and "http://server" in error.message


async def pieces_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_events_are_read_from_any_pieces(size: int) -> None:
    # U+2028 ends a line for str.splitlines, not for server-sent events.
    data = 'event: token\ndata: {"n":1,"text":"a\u2028b"}\nid: 1\n\n: silence\n\nevent: done\ndata: {"n":2}\nid: 2\n\n'
    found = [event async for event in sse_events(pieces_of(data.encode(), size))]
    assert found == [{"n": 1, "text": "a\u2028b"}, {"n": 2}]


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://server/prefix", "key", transport=httpx.MockTransport(answer), retries=2)


async def test_what_may_be_sent_again_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anchorage.client.transport._FIRST_PAUSE", 0.001)
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) == 1:
            raise httpx.ReadError("broke off")
        if len(seen) == 2:
            return httpx.Response(503, content=problem("unavailable"), headers={"retry-after": "0"})
        return httpx.Response(200, json={"hits": []})

    async with client_of(answer) as client:
        assert await client.search("harbour") == []
        assert [request.url.path for request in seen] == ["/prefix/api/search"] * 3
        assert seen[0].headers["authorization"] == "Bearer key"
        seen.clear()
        with pytest.raises(Unavailable, match="broke before"):
            await client.documents.delete("x")  # nobody knows whether it was done
    assert len(seen) == 1


async def test_what_the_server_has_tried_itself_is_not_tried_again() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(503, content=problem("database_unavailable"), headers={"retry-after": "5"})

    async with client_of(answer) as client:
        with pytest.raises(DatabaseUnavailable):
            await client.search("harbour")
        with pytest.raises(DatabaseUnavailable):
            await client.ask("harbour?")
    assert len(seen) == 2


async def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anchorage.client.transport._FIRST_PAUSE", 0.001)
    async with Client("http://127.0.0.1:9", retries=1) as client:
        for asking in (client.search("x"), client.ask("x"), client.documents.list()):
            with pytest.raises(Unavailable, match=r"No server answers at http://127\.0\.0\.1:9 .*anchorage up"):
                await asking


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "", "http://"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(BadRequest):
        Client(address)


def test_passwords_in_an_address_are_not_told() -> None:
    with pytest.raises(BadRequest, match="header"):
        Client("http://server", "käy")
    assert "secret" not in Client("http://me:secret@server")._transport.server


def test_files_below_folders_keep_their_path(tmp_path: Path) -> None:
    (tmp_path / "in/.git").mkdir(parents=True)
    for name in ("a.txt", "in/b.txt", "in/.git/c", ".hidden"):
        (tmp_path / name).write_text("x")
    assert [name for name, _ in find_files([tmp_path, tmp_path / "a.txt"])] == ["a.txt", "in/b.txt", "a.txt"]
    with pytest.raises(BadRequest, match="no file"):
        find_files([tmp_path / "nosuch"])
    with pytest.raises(BadRequest, match=r"sources\.add"):
        find_files(["s3://bucket/"])
    found = find_files([tmp_path / "a.txt"]) * 45
    assert [len(batch) for batch in batches(found)] == [20, 20, 5]


@pytest.mark.parametrize(("message_id", "stopped"), [(None, ["/prefix/api/chat/c/stop"]), ("m", [])])
async def test_an_answer_that_is_left_is_stopped_unless_somebody_can_come_back_to_it(
    message_id: str | None, stopped: list[str]
) -> None:
    seen = []
    start = (
        b'event: start\ndata: {"type":"start","n":1,"conversation_id":"c","message_id":"m"}\nid: 1\n\n'
        b'event: token\ndata: {"type":"token","n":2,"text":"One"}\nid: 2\n\n'
    )

    async def body() -> AsyncIterator[bytes]:
        yield start
        await asyncio.Event().wait()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        if request.url.path.endswith("/stop"):
            return httpx.Response(200, json={"stopping": True})
        return httpx.Response(200, content=body(), headers={"content-type": "text/event-stream"})

    async with client_of(answer) as client:
        async with aclosing(client.ask_stream("x", conversation_id="c", message_id=message_id)) as events:
            async for event in events:
                if event.type == "token":
                    break
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.ask("x", conversation_id="c", message_id=message_id)
    assert seen == ["/prefix/api/chat", *stopped] * 2
