"""Documents over HTTP, in this process: listing page by page."""

import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource

from .conftest import World, http_client


@pytest.fixture
async def client(world: World, pool: Pool, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(world, pool, tmp_path) as opened:
        yield opened


async def test_pages_go_on_where_a_document_was_deleted(
    client: httpx.AsyncClient, world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(5):
        (folder / f"n{number} ü.txt").write_text(f"Harbour {number}.")
    source = LocalSource(folder, max_bytes=1000)
    assert len([item async for item in world.ingester.ingest_source("c", source)]) == 5

    async def page(after: str) -> tuple[list[str], str | None, list[str]]:
        answer = (await client.get("/api/documents", params={"limit": 2, **({"after": after} if after else {})})).json()
        return (
            [item["uri"][-16:-9] for item in answer["documents"]],
            answer["next"],
            [item["document_id"] for item in answer["documents"]],
        )

    first, following, ids = await page("")
    assert len(first) == 2 and following
    by_id, _, _ = await page(ids[1])  # an id is taken, too
    assert (await client.delete(f"/api/documents/{ids[1]}")).status_code == 204
    second, following, _ = await page(following)
    third, end, _ = await page(following or "")
    assert by_id == second and len({*first, *second, *third}) == 5 and end is None
    assert (await client.get("/api/documents", params={"after": ids[1]})).status_code == 404


@pytest.mark.parametrize("after", ["nonsense", "eyJ9", *(
    base64.urlsafe_b64encode(text.encode()).decode() for text in ('["a"]', "5", '["a", 5]', '["a", "\\u0000"]', '["a", "\\ud800"]', "[" * 3000)
)])  # fmt: skip
async def test_marks_that_no_list_gave_out(client: httpx.AsyncClient, after: str) -> None:
    answer = await client.get("/api/documents", params={"after": after})
    assert answer.status_code == 400 and "`after`" in answer.json()["detail"]


async def test_requests_that_are_slips_are_told_what_to_mend(world: World, pool: Pool, tmp_path: Path) -> None:
    async with http_client(world, pool, tmp_path / "data") as client:
        plain = await client.post("/api/chat", content='{"message": "x"}', headers={"content-type": "text/plain"})
        broken = await client.post("/api/chat", content='{"message": ', headers={"content-type": "application/json"})
        typo = await client.post("/api/search", json={"question": "x", "colection": "c"})
        method = await client.get("/api/chat")
    assert plain.status_code == 422 and "content-type: application/json" in plain.json()["detail"]
    assert broken.status_code == 422 and "not JSON" in broken.json()["detail"]
    assert typo.status_code == 422 and "colection" in typo.json()["detail"]
    assert method.status_code == 405 and "POST" in method.json()["detail"]


async def test_a_location_that_no_index_takes_is_told_so(client: httpx.AsyncClient) -> None:
    key = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=3900))
    answer = await client.post("/api/sources", json={"location": f"s3://bucket/{key}"})
    assert answer.status_code == 400 and "Shorten" in answer.json()["detail"]
