"""What the web page asks of the API: pages and searches of lists, passages, what is running; and that answers have the described shape."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter

from anchorage.adapters.postgres.pool import Pool
from anchorage.faces.http import page, shapes, source_shapes
from anchorage.faces.http.app import create_app
from anchorage.faces.http.events import ChatEvent
from anchorage.faces.http.openapi import format_description
from anchorage.faces.http.state import ProcessState
from anchorage.settings.sections import HttpSettings
from anchorage.testing.fakes import ScriptedGenerator

from .api import ingest_documents, running_api
from .conftest import World

ROOT = Path(__file__).parents[2]
QUESTION = "Who designed the Hôtel Tassel?"


def shaped(shape: type[BaseModel], response: httpx.Response) -> Any:
    """The answer, which must have the fields of the shape and no others."""
    assert response.is_success, response.text
    found = shape.model_validate_json(response.text, strict=True, extra="forbid")
    assert found.model_dump(mode="json", exclude_unset=True) == response.json()
    return response.json()


async def test_the_description_of_the_page_is_up_to_date() -> None:
    kept = (ROOT / "web/openapi.json").read_text("utf-8")
    assert kept == format_description(), "run `make types`"


async def test_conversations_are_paged_searched_and_shown_with_their_passages(
    world: World, pool: Pool, tmp_path: Path
) -> None:
    await ingest_documents(world, tmp_path / "docs")
    async with running_api(
        world, pool, tmp_path, generator=ScriptedGenerator(["Victor Horta designed the Hôtel Tassel. [1]"] * 9)
    ) as api:
        for number in range(3):
            body = {"message": f"{QUESTION} {number}% sure", "conversation_id": f"c{number}", "message_id": "m"}
            answer = shaped(shapes.AnswerShape, await api.client.post("/api/chat", json=body))
        first = shaped(shapes.Conversations, await api.client.get("/api/conversations", params={"limit": 2}))
        assert [item["id"] for item in first["conversations"]] == ["c2", "c1"]
        after = {"limit": 2, "after": first["next"]}
        second = shaped(shapes.Conversations, await api.client.get("/api/conversations", params=after))
        assert [item["id"] for item in second["conversations"]] == ["c0"] and second["next"] is None
        for words, expected in (
            ("1% SURE", ["c1"]),
            ("victor", ["c2", "c1", "c0"]),
            ("nowhere", []),
            ("%", ["c2", "c1", "c0"]),
        ):
            found = await api.client.get("/api/conversations", params={"q": words})
            assert [item["id"] for item in found.json()["conversations"]] == expected
        for nonsense in ("x", "2020-01-01/x", "/"):
            assert (await api.client.get("/api/conversations", params={"after": nonsense})).status_code == 400

        shaped(shapes.ConversationWithTurns, await api.client.get("/api/conversations/c2"))
        hits = shaped(shapes.Hits, await api.client.get("/api/conversations/c2/messages/m/hits"))["hits"]
        rounded = [{**hit, "score": pytest.approx(hit["score"], abs=1e-4)} for hit in hits]
        assert [(hit["chunk_id"], hit["text"]) for hit in hits] == [
            (hit["chunk_id"], hit["text"]) for hit in answer["hits"]
        ]
        assert rounded[0]["dense_score"] is not None and rounded[0]["version"] == answer["hits"][0]["version"]
        assert (await api.client.get("/api/conversations/c2/messages/none/hits")).status_code == 404
        other = await api.client.get("/api/conversations/c2/messages/m/hits", headers={"x-who": "other"})
        assert other.status_code == 404
        await api.client.delete(f"/api/documents/{hits[0]['document_id']}")
        left = await api.client.get("/api/conversations/c2/messages/m/hits")
        assert hits[0]["document_id"] not in {hit["document_id"] for hit in left.json()["hits"]}

        rated = {"message_id": "m", "conversation_id": "c1", "rating": "up", "comment": "good"}
        shaped(shapes.FeedbackShape, await api.client.post("/api/feedback", json=rated))
        own = shaped(shapes.Ratings, await api.client.get("/api/feedback", params={"conversation_id": "c1"}))
        assert len(own["feedback"]) == 1
        assert not (await api.client.get("/api/feedback", params={"conversation_id": "c0"})).json()["feedback"]


async def test_streams_are_described_and_can_be_found_again(world: World, pool: Pool, tmp_path: Path) -> None:
    await ingest_documents(world, tmp_path / "docs")
    async with running_api(
        world, pool, tmp_path, generator=ScriptedGenerator(["Victor Horta designed the Hôtel Tassel. [1]"] * 9)
    ) as api:
        assert (await api.client.get("/api/chat/c")).status_code == 404
        await api.client.post("/api/chat", json={"message": QUESTION, "conversation_id": "plain"})
        assert not shaped(shapes.StreamShape, await api.client.get("/api/chat/plain"))["running"]
        body = {"message": QUESTION, "conversation_id": "c", "message_id": "m", "stream": True}
        response = await api.client.post("/api/chat", json=body)
        lines = re.findall(r"^data: (.*)$", response.text, re.M)
        events = [TypeAdapter(ChatEvent).validate_json(line, strict=True) for line in lines]
        assert [event.root.type for event in events][:: len(events) - 1] == ["start", "done"]
        state = shaped(shapes.StreamShape, await api.client.get("/api/chat/c"))
        assert state == {"conversation_id": "c", "message_id": "m", "running": False, "question": None}
        shaped(shapes.Stopping, await api.client.post("/api/chat/c/stop"))


async def test_documents_are_filtered_and_shown_by_passage(world: World, pool: Pool, tmp_path: Path) -> None:
    await ingest_documents(world, tmp_path / "docs")
    async with running_api(world, pool, tmp_path) as api:
        listed = shaped(shapes.Documents, await api.client.get("/api/documents"))["documents"]
        assert len(listed) == 2
        for query, expected in (
            ({"q": "HORTA"}, 1), ({"q": ".txt"}, 1), ({"q": "%"}, 0), ({"status": "failed"}, 0), ({"status": "indexed", "q": "bread"}, 1),
        ):  # fmt: skip
            assert len((await api.client.get("/api/documents", params=query)).json()["documents"]) == expected, query
        assert (await api.client.get("/api/documents", params={"status": "odd"})).status_code == 422
        collections = shaped(shapes.Collections, await api.client.get("/api/collections"))["collections"]
        assert collections == [{"name": "c", "documents": 2, "chunks": sum(item["chunks"] for item in listed)}]

        key = next(item["document_id"] for item in listed if item["title"] == "Victor Horta")
        shown = shaped(shapes.DocumentWithText, await api.client.get(f"/api/documents/{key}"))
        heading = next(block for block in shown["blocks"] if block["kind"] == "heading")
        assert (shown["text"][heading["start"] : heading["end"]], heading["level"]) == ("Victor Horta", 1)
        place = f"/api/documents/{key}/chunks"
        whole = shaped(shapes.Chunks, await api.client.get(place))["chunks"]
        assert whole and all(shown["text"][item["start"] : item["end"]] == item["text"] for item in whole)
        one = shaped(shapes.Chunks, await api.client.get(place, params={"limit": 1}))
        rest = (
            (await api.client.get(place, params={"after": one["next"]})).json()["chunks"]
            if one["next"] is not None
            else []
        )
        assert [*one["chunks"], *rest] == whole
        hit = shaped(shapes.Hits, await api.client.post("/api/search", json={"question": "Horta"}))["hits"][0]
        assert hit["chunk_id"] in {item["chunk_id"] for item in whole}
        same = await api.client.get(f"/api/documents/{key}", params={"version": shown["version"]})
        assert same.json()["text"] == shown["text"]
        assert (await api.client.get(f"/api/documents/{key}", params={"version": "older"})).status_code == 404


async def test_folders_of_an_upload_are_kept_where_wanted(world: World, pool: Pool, tmp_path: Path) -> None:
    async with running_api(world, pool, tmp_path) as api:
        files = [("files", ("a/b/notes.txt", b"one")), ("files", ("a/c/notes.txt", b"two"))]
        sent = shaped(shapes.Queued, await api.client.post("/api/documents?paths=true", files=files))
        assert [item["uri"] for item in sent["documents"]] == [
            "upload://default/a/b/notes.txt", "upload://default/a/c/notes.txt",
        ]  # fmt: skip
        flat = await api.client.post("/api/documents", files=files[:1])
        assert flat.json()["documents"][0]["uri"] == "upload://default/notes.txt"
        for name in ("a/../x.txt", "./.", "x" * 300 + "/y.txt"):
            answer = await api.client.post("/api/documents?paths=true", files=[("files", (name, b"x"))])
            assert answer.status_code == 400 and "usable name" in answer.json()["detail"], name
        jobs = shaped(shapes.Jobs, await api.client.get("/api/jobs"))["jobs"]
        shaped(shapes.JobShape, await api.client.get(f"/api/jobs/{jobs[0]['id']}"))


async def test_what_is_running(world: World, pool: Pool, tmp_path: Path) -> None:
    async with running_api(world, pool, tmp_path, generator=ScriptedGenerator(["x"])) as api:
        found = shaped(shapes.System, await api.client.get("/api/system"))
        assert found["databases"] == {"vector": "connected", "state": "connected"} and found["status"] == "healthy"
        assert found["models"]["generator"] == {"model": "scripted", "state": "available"}
        assert found["models"]["reranker"]["model"] is None and found["limits"]["question_length"] > 0
        shaped(shapes.Health, await api.client.get("/api/health"))
        beats = await api.client.get("/api/stream-check")
        assert [line for line in beats.text.splitlines() if line.startswith("event")] == [
            "event: first",
            "event: second",
        ]
        shaped(source_shapes.Sources, await api.client.get("/api/sources"))


async def test_the_page_is_served_with_its_rules(api_of_a_build: httpx.AsyncClient, build: Path) -> None:
    for place in ("/", "/c/some-id", "/documents", "/documents/x", "/sources", "/system"):
        answer = await api_of_a_build.get(place)
        assert answer.status_code == 200 and '<base href="/under/it/">' in answer.text, place
        policy = answer.headers["content-security-policy"]
        assert (
            "script-src 'self';" in policy and "unsafe" not in policy and answer.headers["cache-control"] == "no-cache"
        )
        script = '<link rel="modulepreload" crossorigin href="assets/rest-1.js">'
        ahead = f'{script}<link rel="preload" as="style" crossorigin href="assets/rest-1.css"></head>'
        assert (ahead in answer.text) is (place != "/"), place
    again = await api_of_a_build.get("/system", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304 and not again.content
    for accepted, encoding in (("gzip, br", "br"), ("gzip", "gzip"), ("identity", None)):
        asset = await api_of_a_build.get("/assets/app-1.js", headers={"accept-encoding": accepted})
        assert asset.headers.get("content-encoding") == encoding and "immutable" in asset.headers["cache-control"]
        assert (
            asset.headers["content-type"].startswith("text/javascript") and asset.headers["vary"] == "Accept-Encoding"
        )
    for nothing in (
        "/assets/none.js",
        "/assets/..%2Findex.html",
        "/assets/app-1.js.br",
        "/assets/%00",
        f"/assets/{'a' * 300}",
        "/nosuch",
    ):
        assert (await api_of_a_build.get(nothing)).status_code == 404, nothing
    (build / "manifest.json").unlink()
    (build / "index.html").touch()
    assert "modulepreload" not in (await api_of_a_build.get("/system")).text
    (build / "index.html").unlink()
    missing = await api_of_a_build.get("/")
    assert missing.status_code == 503 and "make setup" in missing.text


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What a build of the page leaves, in small."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><html><head></head><body></body></html>")
    rest = {"file": "assets/rest-1.js", "css": ["assets/rest-1.css"]}
    (tmp_path / "manifest.json").write_text(json.dumps({"src/rest.ts": rest}))
    for name, content in (
        ("app-1.js", b"let x"),
        ("app-1.js.br", b"\x0b\x02\x80let x\x03"),
        ("app-1.js.gz", _gzipped(b"let x")),
    ):
        (tmp_path / "assets" / name).write_bytes(content)
    return tmp_path


def _gzipped(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content)


@pytest.fixture
async def api_of_a_build(build: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    install = page.install
    monkeypatch.setattr(page, "install", lambda app: install(app, build))
    app = create_app(HttpSettings(), ProcessState())
    transport = httpx.ASGITransport(app, root_path="/under/it")
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
