"""S3 against a real server: odd keys, many objects, versions, wrong settings, and originals on several machines."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from anchorage.adapters.s3.blobs import S3BlobStore
from anchorage.adapters.s3.client import S3, S3Config, open_s3
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.diagnosis import _check_originals
from anchorage.errors import AnchorageError, BadRequest, ConfigurationError, NotAllowed, NotFound, TooLarge, Unavailable
from anchorage.settings import load_settings
from anchorage.wiring.sources import open_blobs, open_location
from anchorage.wiring.sources import s3_config as configured


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files; nothing may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@asynccontextmanager
async def opened(config: S3Config, location: str, max_bytes: int = 10**6) -> AsyncIterator[S3Source]:
    async with open_s3(config) as s3:
        yield S3Source(s3, Place.parse(location), max_bytes=max_bytes)


async def put(s3: S3, bucket: str, key: str, content: bytes = b"x", **more: object) -> None:
    await s3.call("put_object", key, bucket, Key=key, Body=content, **more)


async def uris(source: S3Source) -> list[str]:
    return [entry.uri async for entry in source.list()]


async def test_metadata_type_and_versions_are_kept(s3: S3, s3_config: S3Config, bucket: str) -> None:
    await s3.call("put_bucket_versioning", "it", bucket, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"old", b"new"):
        await put(s3, bucket, "Report.TXT", content, ContentType="Text/Plain; charset=utf-8", Metadata={"owner": "ann"})
    await put(s3, bucket, "untyped", ContentType="binary/octet-stream")
    async with opened(s3_config, f"s3://{bucket}") as source:
        assert source.uri == source.prefix == f"s3://{bucket}/"
        (entry, other) = [entry async for entry in source.list()]
        async with source.fetch(entry.uri) as item:
            assert Path(item.path).read_bytes() == b"new"
            assert (item.name, item.media_type, item.tag) == ("Report.TXT", "text/plain", entry.tag)
            assert item.metadata["user"] == {"owner": "ann"} and item.metadata["version_id"]
            assert item.metadata["last_modified"].endswith("+00:00") and item.metadata["etag"]
        async with source.fetch(other.uri) as item:
            assert item.media_type is None


async def test_a_folder_is_not_its_namesakes_and_an_object_is_alone(s3: S3, s3_config: S3Config, bucket: str) -> None:
    for key in ("docs/a", "docs/b c", "docs-old/x", "docs/.git/y"):
        await put(s3, bucket, key)
    await put(s3, bucket, "docs/", b"")  # as consoles do to show a folder
    for location in (f"s3://{bucket}/docs", f"s3://{bucket}/docs/"):
        async with opened(s3_config, location) as source:
            assert await uris(source) == [f"s3://{bucket}/docs/a", f"s3://{bucket}/docs/b%20c"]
            assert source.prefix == f"s3://{bucket}/docs/"
    for location in (f"s3://{bucket}/docs/b c", f"s3://{bucket}/docs/b%20c"):
        async with opened(s3_config, location) as source:
            (entry,) = [entry async for entry in source.list()]
            assert entry.uri == source.uri == f"s3://{bucket}/docs/b%20c" and source.prefix is None
            async with source.fetch(entry.uri) as item:
                assert item.tag == entry.tag
            await s3.call("delete_object", "it", bucket, Key="docs/b c")
            with pytest.raises(NotFound, match="spelling"):
                await uris(source)
            await put(s3, bucket, "docs/b c")
            assert len(await uris(source)) == 1


async def test_many_objects_come_in_pages(s3: S3, s3_config: S3Config, bucket: str) -> None:
    keys = [f"many/{number:05}.txt" for number in range(2500)]
    for start in range(0, len(keys), 50):
        await asyncio.gather(*(put(s3, bucket, key) for key in keys[start : start + 50]))
    async with opened(s3_config, f"s3://{bucket}/many/") as source:
        assert await uris(source) == [f"s3://{bucket}/{key}" for key in keys]
        async for entry in source.list():  # one that stops early leaves nothing behind
            assert entry.tag
            break


async def test_a_size_beyond_the_limit_is_refused(s3: S3, s3_config: S3Config, bucket: str, temporary: Path) -> None:
    await put(s3, bucket, "large", bytes(1001))
    async with opened(s3_config, f"s3://{bucket}", max_bytes=1000) as source:
        with pytest.raises(TooLarge, match="MAX_FILE_BYTES"):
            async with source.fetch(f"s3://{bucket}/large"):
                pass
    assert not list(temporary.iterdir())


async def test_temporary_files_go(s3: S3, s3_config: S3Config, bucket: str, temporary: Path) -> None:
    await put(s3, bucket, "a", bytes(10))
    async with opened(s3_config, f"s3://{bucket}") as source:
        with pytest.raises(ZeroDivisionError):
            async with source.fetch(f"s3://{bucket}/a") as item:
                assert Path(item.path).parent == temporary
                raise ZeroDivisionError
        assert not list(temporary.iterdir())
        with pytest.raises(NotFound):
            async with source.fetch(f"s3://{bucket}/none"):
                pass
        with pytest.raises(NotFound):
            async with source.fetch("s3://another/a"):
                pass
    assert not list(temporary.iterdir())


async def test_no_room_for_temporary_files(
    s3: S3, s3_config: S3Config, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(s3, bucket, "a", bytes(3 * 1024**2))
    with open("/dev/full", "w+b", buffering=0) as full:
        monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda *_, **__: full)
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
        async with opened(s3_config, f"s3://{bucket}", max_bytes=10**8) as source:
            with pytest.raises(Unavailable, match=r"No space left.*TMPDIR"):
                async with source.fetch(f"s3://{bucket}/a"):
                    pass


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"secret_key": "wrong-secret"}, "secret key"), ({"access_key": "nobody"}, "access key is not known")],
)
async def test_wrong_keys(s3_config: S3Config, bucket: str, wrong: dict[str, str], told: str) -> None:
    async with opened(replace(s3_config, **wrong), f"s3://{bucket}/docs") as source:
        with pytest.raises(NotAllowed, match=told) as raised:
            await uris(source)
        assert "wrong-secret" not in raised.value.message
        with pytest.raises(NotAllowed, match="AWS_ACCESS_KEY_ID"):
            async with source.fetch(f"s3://{bucket}/a"):
                pass


async def test_no_keys_at_all(s3_config: S3Config, bucket: str) -> None:
    with pytest.raises(ConfigurationError, match="AWS_PROFILE"):
        async with opened(replace(s3_config, access_key=None, secret_key=None), f"s3://{bucket}") as source:
            await uris(source)


async def test_a_profile_serves_where_no_keys_are_set(
    s3: S3, s3_config: S3Config, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(s3, bucket, "a")
    (tmp_path / "credentials").write_text(
        f"[work]\naws_access_key_id={s3_config.access_key}\naws_secret_access_key={s3_config.secret_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    config = replace(s3_config, access_key=None, secret_key=None)
    monkeypatch.setenv("AWS_PROFILE", "work")
    async with opened(config, f"s3://{bucket}") as source:
        assert await uris(source) == [f"s3://{bucket}/a"]
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match="profile"):
        async with opened(config, f"s3://{bucket}") as source:
            await uris(source)


async def test_a_bucket_that_is_not_there(s3_config: S3Config) -> None:
    async with opened(s3_config, "s3://no-such-bucket/docs") as source:
        with pytest.raises(NotFound, match=r"no bucket 'no-such-bucket' at http://127.*AWS_ENDPOINT_URL"):
            await uris(source)


@pytest.mark.parametrize("location", ["s3://", "s3:///x", "s3://a", "s3://bad bucket/x", "s3://ü/x", "s3://../x"])
async def test_locations_that_name_no_bucket(s3_config: S3Config, location: str) -> None:
    with pytest.raises(BadRequest, match="names no bucket"):
        async with opened(s3_config, location):
            pass


@pytest.mark.parametrize(
    "endpoint", ["ftp://host", "http://", "http://user:pa55@host", "http://host:port", "http://[x"]
)
async def test_endpoints_that_are_none(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL") as raised:
        async with open_s3(S3Config(endpoint=endpoint)) as s3:
            await s3.head_object(Place("bkt", "a"))
    assert "pa55" not in raised.value.message
    assert S3Config(endpoint="eu.linodeobjects.com").endpoint_url == "https://eu.linodeobjects.com"


async def test_half_a_key_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        async with open_s3(S3Config(access_key="a")) as s3:
            await s3.head_object(Place("bkt", "a"))


async def test_linode_names_work_as_they_are(
    s3: S3, s3_config: S3Config, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(s3, bucket, "reports/a")
    monkeypatch.setenv("LINODE_OBJECT_STORAGE_ACCESS_KEY", s3_config.access_key or "")
    monkeypatch.setenv("LINODE_OBJECT_STORAGE_SECRET_KEY", s3_config.secret_key or "")
    monkeypatch.setenv("LINODE_OBJECT_STORAGE_ENDPOINT", s3_config.endpoint or "")
    monkeypatch.setenv("LINODE_OBJECT_STORAGE_BUCKET", bucket)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-another-account")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings = load_settings()
    assert "test-secret" not in repr(settings)
    async with open_location(settings, "s3:///reports/") as source:
        assert [entry.uri async for entry in source.list()] == [f"s3://{bucket}/reports/a"]


async def test_originals_reach_other_machines(
    s3: S3, s3_config: S3Config, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_config.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_config.secret_key or "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_config.endpoint or "")
    monkeypatch.setenv("ANCHORAGE_BLOBS__URL", f"s3://{bucket}/originals")
    (tmp_path / "a").write_bytes(b"original")
    settings = load_settings()
    async with open_s3(configured(settings.s3)) as other:
        key = await open_blobs(settings, other).put(tmp_path / "a")
    (check,) = await _check_originals(settings)
    assert check.status == "ok"
    found = await s3.call("list_objects_v2", "it", bucket)
    assert [item["Key"] for item in found["Contents"]] == [f"originals/{key[:2]}/{key}"]
    async with open_s3(configured(settings.s3)) as other, open_blobs(settings, other).local(key) as path:
        assert path.read_bytes() == b"original"


async def test_originals_that_cannot_be_kept_are_told_by_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _check_originals(load_settings()) == []
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("ANCHORAGE_BLOBS__URL", "s3://some-bucket")
    monkeypatch.setenv("ANCHORAGE_S3__RETRIES", "0")
    (check,) = await _check_originals(load_settings())
    assert check.status == "failed" and "AWS_ENDPOINT_URL" in check.detail


async def test_large_originals_go_up_in_parts(s3: S3, bucket: str, tmp_path: Path, temporary: Path) -> None:
    content = os.urandom(1024**2) * 23  # five parts: more than go at once
    (tmp_path / "large").write_bytes(content)
    blobs = S3BlobStore(s3, Place(bucket), part_bytes=5 * 1024**2)
    key = await blobs.put(tmp_path / "large")
    assert key == sha256(content).hexdigest()
    assert b"".join([piece async for piece in blobs.read(key)]) == content
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("new", [60.0, -3600.0])
async def test_what_is_there_is_not_sent_again(
    s3: S3, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: float
) -> None:
    monkeypatch.setattr("anchorage.adapters.s3.blobs._NEW", new)  # an object that is older is made new where it is
    (tmp_path / "a").write_bytes(b"original")
    blobs = S3BlobStore(s3, Place(bucket))
    key = await blobs.put(tmp_path / "a")
    place = f"{key[:2]}/{key}"
    first = await s3.call("head_object", "it", bucket, Key=place)
    await put(s3, bucket, place, b"ORIGINAL")  # the same size: it stays, so nothing was sent
    assert await blobs.put(tmp_path / "a") == key
    assert (await s3.call("head_object", "it", bucket, Key=place))["ETag"] != first["ETag"]
    with pytest.raises(Unavailable, match="damaged"):
        async with blobs.local(key):
            pass
    await put(s3, bucket, place, b"cut")  # another size: it is mended
    assert await blobs.put(tmp_path / "a") == key
    assert (await s3.call("head_object", "it", bucket, Key=place))["ETag"] == first["ETag"]


async def test_a_file_that_changes_while_it_goes_up_is_not_kept(
    s3: S3, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(11 * 1024**2))
    real = S3.call

    async def change(self: S3, operation: str, *arguments: object, **more: object) -> object:
        if operation == "create_multipart_upload":
            with path.open("r+b") as file:
                file.write(b"changed")
        return await real(self, operation, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(S3, "call", change)
    with pytest.raises(Unavailable, match="changed"):
        await S3BlobStore(s3, Place(bucket), part_bytes=5 * 1024**2).put(path)
    monkeypatch.undo()
    assert "Contents" not in await s3.call("list_objects_v2", "it", bucket)
    assert not (await s3.call("list_multipart_uploads", "it", bucket)).get("Uploads")


async def test_originals_in_a_bucket_that_is_gone(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"original")
    blobs = S3BlobStore(s3, Place("no-such-bucket"))
    for work in (blobs.put(tmp_path / "a"), blobs.delete("0" * 64)):
        with pytest.raises(AnchorageError, match="no bucket 'no-such-bucket'"):
            await work
