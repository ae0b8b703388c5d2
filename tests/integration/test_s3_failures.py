"""S3 when it fails: a server that breaks off, drips, slows down, lies, or is not there."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError

from anchorage.adapters.s3.client import S3Config, open_s3
from anchorage.adapters.s3.failures import translate_error
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.errors import AnchorageError, ConfigurationError, DocumentRefused, NotAllowed, NotFound, Unavailable
from anchorage.testing.s3_server import Fault, S3Server, s3_server

LARGE = bytes(range(256)) * 12_000  # three pieces
SLOW = Fault(status=503, code="SlowDown")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.retries.standard import ExponentialBackoff

    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)


@asynccontextmanager
async def opened(server: S3Server, location: str = "s3://bkt/", **options: float) -> AsyncIterator[S3Source]:
    config = replace(S3Config(endpoint=server.url, access_key="a", secret_key="very-secret"), **options)
    async with open_s3(config) as s3:
        yield S3Source(s3, Place.parse(location), max_bytes=10**8)


async def listed(source: S3Source) -> list[str]:
    return [entry.uri async for entry in source.list()]


async def fetched(source: S3Source, key: str = "a") -> bytes:
    async with source.fetch(Place("bkt", key).uri) as item:
        return Path(item.path).read_bytes()


KEYS = [
    "a//b",
    "//",
    "../up",
    "x/../../y",
    "./.",
    "..",
    "a\nb\t\x7f",
    "%2e%2e/é",
    "ü/猫 🐈",
    "a?b#c&d+e=f",
    "~-_.!*'()",
    "back\\slash",
    "a/",
]


@pytest.mark.parametrize("key", KEYS)
async def test_any_key_is_listed_and_fetched_under_its_own_uri(key: str, temporary: Path) -> None:
    content = key.encode()
    async with s3_server({f"bkt/{key}": content, "bkt/zzz": b"another"}) as server, opened(server) as source:
        uri = (await listed(source))[0 if key < "zzz" else 1]
        assert uri.startswith("s3://bkt/") and uri.isascii() and uri.isprintable() and " " not in uri
        assert Place.parse(uri).key == key
        async with source.fetch(uri) as item:
            path = Path(item.path)
            assert path.read_bytes() == content and path.parent == temporary
            assert "/" not in item.name and item.name not in ("", ".", "..") and item.name.isprintable()
            assert item.name.encode()


async def test_a_server_that_asks_to_slow_down_is_asked_again() -> None:
    async with s3_server({"bkt/a": LARGE}) as server, opened(server) as source:
        server.script(SLOW, SLOW)
        assert await listed(source) == ["s3://bkt/a"]
        server.script(SLOW, Fault(status=500, code="InternalError"))
        assert await fetched(source) == LARGE
        assert len(server.requests) == 6


async def test_a_server_that_goes_on_failing_is_unavailable() -> None:
    async with s3_server({"bkt/a": LARGE}) as server, opened(server, retries=2) as source:
        server.script(*[SLOW] * 3)
        with pytest.raises(Unavailable, match="slow down"):
            await listed(source)
        server.script(*[Fault(status=502)] * 3)
        with pytest.raises(Unavailable, match="502"):
            await fetched(source)
        assert len(server.requests) == 6


async def test_a_list_that_fails_in_the_middle_does_not_end() -> None:
    objects = {f"bkt/{number}": b"x" for number in range(10)}
    async with s3_server(objects, page=4) as server, opened(server, retries=1) as source:
        assert len(await listed(source)) == 10
        good = Fault()
        server.script(good, Fault(status=403, code="ExpiredToken"))
        with pytest.raises(NotAllowed, match="expired"):
            await listed(source)
        server.script(good, *[SLOW] * 2)
        with pytest.raises(Unavailable):
            await listed(source)
        server.script(good, *[Fault(cut=50)] * 2)
        with pytest.raises(Unavailable):
            await listed(source)
        for body in (
            b"",
            b"<html>Log in first</html>",
            b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        ):
            server.script(good, Fault(body=body))
            with pytest.raises(Unavailable):
                await listed(source)
        assert len(await listed(source)) == 10


async def test_a_transfer_that_breaks_off_is_resumed() -> None:
    async with s3_server({"bkt/a": LARGE}) as server, opened(server) as source:
        server.script(Fault(cut=1_500_000), Fault(cut=700_000))
        assert await fetched(source) == LARGE
        ranges = [request.headers.get("range") for request in server.requests]
        assert len(ranges) == 3 and ranges[0] is None and all(ranges[1:])


async def test_a_transfer_that_goes_on_breaking_off_ends(temporary: Path) -> None:
    async with s3_server({"bkt/a": LARGE}) as server, opened(server, retries=1) as source:
        server.script(*[Fault(cut=1000)] * 2)
        with pytest.raises(Unavailable, match="broke off"):
            await fetched(source)
    assert not list(temporary.iterdir())


async def test_bytes_that_change_while_they_are_read_are_not_mixed() -> None:
    async with s3_server({"bkt/a": LARGE}) as server, opened(server) as source:
        server.script(Fault(cut=1_500_000, replace=LARGE[::-1]))
        with pytest.raises(Unavailable, match="changed"):
            await fetched(source)
        assert await fetched(source) == LARGE[::-1]


async def test_a_server_that_drips_ends_by_the_total_time() -> None:
    async with (
        s3_server({"bkt/a": LARGE}) as server,
        opened(server, transfer_timeout=0.5, request_timeout=0.5, retries=0) as source,
    ):
        for work in (fetched, listed):
            server.script(Fault(drip=0.02))
            started = time.monotonic()
            with pytest.raises(Unavailable, match="in time"):
                await work(source)
            assert time.monotonic() - started < 5


async def test_a_silent_server_ends_by_the_read_timeout() -> None:
    async with s3_server() as server, opened(server, read_timeout=0.2, retries=1) as source:
        server.script(*[Fault(silent=True)] * 2)
        with pytest.raises(Unavailable, match="in time"):
            await listed(source)


async def test_an_endpoint_that_is_not_there() -> None:
    async with s3_server() as server:
        pass
    async with opened(server, retries=1) as source:
        with pytest.raises(Unavailable, match="AWS_ENDPOINT_URL"):
            await listed(source)


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (Fault(status=404, code="NoSuchKey"), NotFound, "gone"),
        (Fault(status=404), Unavailable, "404"),  # nothing says that the object is gone
        (Fault(status=403, code="AccessDenied"), NotAllowed, "s3:GetObject"),
        (Fault(status=403, code="RequestTimeTooSkewed"), NotAllowed, "clock"),
        (Fault(status=400, code="ExpiredToken"), NotAllowed, "expired"),
        (Fault(status=404, code="NoSuchBucket"), NotFound, "bucket"),
        (Fault(status=403, code="InvalidObjectState"), DocumentRefused, "Restore"),
        (Fault(status=400, code="AuthorizationHeaderMalformed"), ConfigurationError, "AWS_REGION"),
    ],
)
async def test_what_the_server_refuses(fault: Fault, kind: type[AnchorageError], told: str) -> None:
    async with s3_server({"bkt/a": b"x"}) as server, opened(server, retries=0) as source:
        server.script(fault)
        with pytest.raises(kind, match=told) as raised:
            await fetched(source)
        assert "s3://bkt/a" in raised.value.message


async def test_a_cancelled_fetch_leaves_nothing(temporary: Path) -> None:
    async with s3_server({"bkt/a": LARGE}) as server, opened(server) as source:
        server.script(Fault(drip=0.05))
        task = asyncio.create_task(fetched(source))
        async with asyncio.timeout(10):
            while not server.requests:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not list(temporary.iterdir())


def test_every_error_of_the_library_becomes_ours() -> None:
    kinds = [
        kind
        for kind in vars(botocore.exceptions).values()
        if isinstance(kind, type) and issubclass(kind, BotoCoreError)
    ]
    assert len(kinds) > 70
    for kind in kinds:
        error = kind.__new__(kind)
        error.args = ("AWSAccessKeyId=very-secret",)
        ours = translate_error(error, "s3://bkt/a", "bkt", "http://host")
        assert isinstance(ours, AnchorageError) and "very-secret" not in ours.message
