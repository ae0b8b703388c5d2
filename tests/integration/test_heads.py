"""What comes before a body, to a real server: how long it may be, and how long it may take."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from anchorage.faces.http.heads import make_bounded_http
from anchorage.testing.serving import serve_app

MOST = 16_384


async def app(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(str(len(body))))]}
    )
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serve_app(app, http=make_bounded_http(MOST, 0.5)) as address:
        yield int(address.rsplit(":", 1)[1])


async def answers(port: int, *pieces: bytes, count: int = 1) -> list[str]:
    """The status lines and bodies that come back, each piece sent when the one before has gone out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        async with asyncio.timeout(20):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)  # a read of its own there
            for _ in range(count):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                found.append(f"{head.split()[1]} {(await reader.readexactly(length)).decode()}")
    finally:
        writer.close()
    return found


def request(*fields: bytes, body: bytes = b"", path: bytes = b"/") -> bytes:
    length = (b"Content-Length: %d" % len(body),) if body else ()
    return b"\r\n".join([b"POST %s HTTP/1.1" % path, b"Host: x", *fields, *length, b"", b""]) + body


async def test_a_usual_request_is_answered_however_it_is_cut(port: int) -> None:
    whole = request(b"X: " + b"a" * 4000, body=b"b" * 300_000)
    assert await answers(port, whole) == ["200 300000"]
    assert await answers(port, *(whole[at : at + 1000] for at in range(0, 5000, 1000)), whole[5000:]) == ["200 300000"]
    assert await answers(port, whole[:2000], whole[2000:]) == [
        "200 300000"
    ]  # the rest of the head with much of the body
    assert await answers(port, whole + whole[:2000], whole[2000:], count=2) == ["200 300000"] * 2


@pytest.mark.parametrize(
    "fields",
    [[b"X: " + b"a" * 20_000], [b"X%d: a" % number for number in range(5000)], [b"X" * 20_000 + b": a"]],
)
@pytest.mark.parametrize("cut", [1_000, 10**9])
async def test_a_head_that_is_too_long_is_refused(port: int, fields: list[bytes], cut: int) -> None:
    whole = request(*fields, body=b"b")
    (told,) = await answers(port, *(whole[at : at + cut] for at in range(0, min(len(whole), 19_000), cut)))
    assert told.startswith("431 ") and "ANCHORAGE_HTTP__MAX_HEAD_BYTES" in told


async def test_a_head_without_an_end_is_refused_before_it_is_gathered(port: int) -> None:
    (told,) = await answers(port, b"GET / HTTP/1.1\r\nX: ", *(b"a" * 1000 for _ in range(17)))
    assert told.startswith("431 ")
    (told,) = await answers(port, request(path=b"/" + b"a" * 20_000))
    assert told.startswith("431 ")


async def test_a_head_that_does_not_come_is_given_up(port: int) -> None:
    (told,) = await answers(port, b"GET / HTTP/1.1\r\nHost:")
    assert told.startswith("408 ") and "0.5 s" in told
    assert await answers(port, b"nonsense\r\n\r\n") == ["400 Invalid HTTP request received."]
