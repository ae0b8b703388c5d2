"""A disk without room, for real: whatever writes to it ends with a temporary reason and leaves nothing behind."""

import os
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.s3.blobs import S3BlobStore
from anchorage.adapters.s3.client import S3
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.adapters.sources.confluence.client import ConfluenceAccess
from anchorage.adapters.sources.confluence.source import ConfluenceSource
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.source import WebOptions, WebSource
from anchorage.errors import Unavailable
from anchorage.ports.source import Source
from anchorage.testing.confluence_server import TOKEN, confluence_server
from anchorage.testing.web_site import web_site

from .conftest import World, http_client

ROOM = 256 * 1024
LARGE = os.urandom(ROOM * 8)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, with room for next to nothing."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0777", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a disk, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def temporary(full: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The full disk holds the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(full))
    return full


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def refused(source: Source, uri: str) -> Unavailable:
    with pytest.raises(Unavailable, match=r"No space left on device.*TMPDIR") as raised:
        async with source.fetch(uri):
            pass
    assert raised.value.temporary
    return raised.value


async def test_objects_of_s3(temporary: Path, s3: S3, bucket: str, tmp_path: Path) -> None:
    await s3.call("put_object", "a", bucket, Key="large", Body=LARGE)
    await s3.call("put_object", "a", bucket, Key="small", Body=b"fits")
    source = S3Source(s3, Place(bucket), max_bytes=10**8)
    assert "large" in (await refused(source, f"s3://{bucket}/large")).message and not left(temporary)
    async with source.fetch(f"s3://{bucket}/small") as item:
        assert Path(item.path).read_bytes() == b"fits"
    (tmp_path / "original").write_bytes(LARGE)
    blobs = S3BlobStore(s3, Place(bucket, "originals/"))
    key = await blobs.put(tmp_path / "original")
    with pytest.raises(Unavailable, match="No space left on device"):
        async with blobs.local(key):
            pass
    assert not left(temporary)


async def test_originals_in_a_folder(full: Path, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "small").write_bytes(b"fits")
    blobs = FolderBlobStore(full / "blobs")
    with pytest.raises(Unavailable, match="No space left on device") as raised:
        await blobs.put(tmp_path / "large")
    assert raised.value.temporary and not left(full)
    key = await blobs.put(tmp_path / "small")
    assert [path.name for path in left(full)] == [key]


async def test_web_pages(temporary: Path) -> None:
    async with web_site() as site:
        site.add_page("/docs/", '<a href="large">l</a><a href="small">s</a>')
        site.add_page("/docs/large", LARGE)
        site.add_page("/docs/small", "fits")
        client = WebClient(WebLimits(10**8, pause=0, allow_private=True))
        source = WebSource(f"{site.url}/docs/", client, WebOptions("crawl"))
        found = [entry.uri async for entry in source.list()]
        assert len(found) == 3  # the crawl goes on, and tells of it where the page is fetched
        await refused(source, found[1])
        async with source.fetch(found[2]) as item:
            assert Path(item.path).read_bytes() == b"fits"
        await refused(WebSource(found[1], client), found[1])
        source.close()
    assert not left(temporary)


async def test_confluence(temporary: Path) -> None:
    async with confluence_server() as server:
        page = server.add("DOCS", "Large", "x" * (ROOM * 4))
        server.attach(server.add("DOCS", "Small", "fits"), "large.txt", LARGE, "text/plain")
        source = ConfluenceSource(
            "confluence://DOCS", ConfluenceAccess(server.url, "ada@example.org", TOKEN, "cloud"), max_bytes=10**8
        )
        found = [entry.uri async for entry in source.list()]
        assert found[0].endswith(page.id) and "preview=" in found[2]
        await refused(source, found[0])
        await refused(source, found[2])
        async with source.fetch(found[1]) as item:
            assert item.size
    assert not left(temporary)


async def test_an_ingest_fails_for_now_and_completes_when_there_is_room(
    full: Path, world: World, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "large.txt").write_text("The harbour of Ghent opened in 1827. " * (ROOM // 30))
    (tmp_path / "docs" / "small.txt").write_text("Bread is made of flour.")
    source = LocalSource(tmp_path / "docs", max_bytes=10**8)

    async def outcomes(folder: Path) -> dict[str, str]:
        # One after the other: while the large one fills the disk, there is no room for the small one either.
        services = replace(world.ingest, blobs=FolderBlobStore(folder / "blobs"), documents_at_once=1)
        found = [item async for item in services.ingester_for(world.principal).ingest_source("c", source)]
        assert all(item.error is None or item.error.temporary for item in found)
        return {Path(item.uri).name: item.status.value for item in found}

    assert await outcomes(full) == {"large.txt": "failed", "small.txt": "indexed"}
    assert len(left(full)) == 1
    assert await outcomes(tmp_path) == {"large.txt": "indexed", "small.txt": "unchanged"}


async def test_parsers_write_nothing(temporary: Path, world: World, tmp_path: Path) -> None:
    (temporary / "filler").write_bytes(bytes(ROOM))
    with pytest.raises(OSError, match="No space left"):
        (temporary / "more").write_bytes(b"x" * 8192)
    packed = tmp_path / "files.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "Harbour. " * ROOM)
    assert "Harbour." in (await world.ingest.parser.parse(packed, packed.name)).text


@pytest.mark.parametrize("where", ["temporary", "data"])
async def test_uploads(
    full: Path, world: World, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    data = full if where == "data" else tmp_path
    monkeypatch.setattr(tempfile, "tempdir", str(full if where == "temporary" else tmp_path))
    async with http_client(world, pool, data) as client:
        answer = await client.post("/api/documents", files=[("files", ("large.txt", LARGE))])
        assert answer.status_code == 503 and answer.json()["code"] == "unavailable"
        assert "No space left on device" in answer.json()["detail"] and answer.headers["retry-after"]
        assert not left(full)
        answer = await client.post("/api/documents", files=[("files", ("small.txt", b"fits"))])
        assert answer.status_code == 202
