"""Documents from S3 and originals on S3, with whole processes: what one machine takes in, another ingests."""

import signal
from pathlib import Path

from anchorage.adapters.s3.client import S3, S3Config

from .conftest import Cli, until


async def test_a_bucket_from_ingest_to_sync(s3: S3, s3_config: S3Config, bucket: str, tmp_path: Path) -> None:
    async def put(key: str, text: str) -> None:
        await s3.call("put_object", key, bucket, Key=key, Body=text.encode(), Metadata={"owner": "ann"})

    for number in range(4):
        await put(f"docs/harbour {number}.txt", f"Harbour number {number} opened in {1800 + number}.")
    keys = {
        "AWS_ACCESS_KEY_ID": s3_config.access_key or "",
        "AWS_SECRET_ACCESS_KEY": s3_config.secret_key or "",
        "AWS_ENDPOINT_URL": s3_config.endpoint or "",
        "ANCHORAGE_BLOBS__URL": f"s3://{bucket}/originals",
    }
    cli = Cli(tmp_path / "data", keys)
    location = f"s3://{bucket}/docs/"
    first = cli("ingest", location, "--json").json["documents"]
    assert [item["status"] for item in first] == ["indexed"] * 4
    assert {item["uri"] for item in first} == {f"{location}harbour%20{number}.txt" for number in range(4)}
    originals = await s3.call("list_objects_v2", "them", bucket, Prefix="originals/")
    assert originals["KeyCount"] == 4 and not (tmp_path / "data/blobs").exists()
    assert "1802" in cli("ask", "When did harbour number 2 open?", "--json").json["answer"]

    await put("docs/harbour 1.txt", "Harbour number 1 opened in 1901.")
    await s3.call("delete_object", "it", bucket, Key="docs/harbour 3.txt")
    again = {item["uri"][-5]: item["status"] for item in cli("ingest", location, "--json").json["documents"]}
    assert again == {"0": "unchanged", "1": "indexed", "2": "unchanged", "3": "deleted"}
    assert (await s3.call("list_objects_v2", "them", bucket, Prefix="originals/"))["KeyCount"] >= 3

    (tmp_path / "uploaded.txt").write_text("The lighthouse was lit in 1850.")
    cli("ingest", str(tmp_path / "uploaded.txt"), "--no-wait", "--json")
    cli("sources", "add", location, "--collection", "kept", "--json")
    worker = cli.start("worker")
    try:
        until("all jobs", lambda: _jobs(cli) == {"done"} and len(_documents(cli, "kept")) == 3)
        assert len(_documents(cli, "default")) == 4
    finally:
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0 and keys["AWS_SECRET_ACCESS_KEY"] not in errors, errors


def test_wrong_keys_are_told(s3_config: S3Config, tmp_path: Path) -> None:
    wrong = {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "wrong-secret",
        "AWS_ENDPOINT_URL": s3_config.endpoint or "",
    }
    told = Cli(tmp_path / "data", wrong)("ingest", "s3://some-bucket/", "--json", code=1)
    assert told.json["error"]["code"] == "not_allowed" and "wrong-secret" not in told.out + told.err


def _jobs(cli: Cli) -> set[str]:
    return {job["status"] for job in cli("jobs", "list", "--json").json["jobs"]}


def _documents(cli: Cli, collection: str) -> list[object]:
    return list(cli("documents", "list", "--collection", collection, "--json").json["documents"])
