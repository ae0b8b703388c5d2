"""Documents and sources in the browser."""

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from acceptance.conftest import until

from .conftest import Site, Window

FILES = "input[type=file] >> nth=0"


def test_files_are_added_with_progress_reasons_and_another_try(window: Window, site: Site, tmp_path: Path) -> None:
    (tmp_path / "torn.pdf").write_text("not a pdf")
    (tmp_path / "canal.txt").write_text("The canal is thirty kilometres long.")
    (tmp_path / "large.txt").write_text("x" * 300_001)
    page = window.open("/documents")
    page.set_input_files(FILES, [tmp_path / name for name in ("torn.pdf", "canal.txt", "large.txt")])
    rows = page.locator(".upload")
    expect(rows.filter(has_text="canal.txt")).to_have_class(re.compile("upload-done"))
    expect(rows.filter(has_text="large.txt")).to_contain_text("too large for this server")
    broken = rows.filter(has_text="torn.pdf")
    expect(broken).to_contain_text("Save it again")
    with page.expect_response("**/api/jobs/*/retry") as retried:
        broken.get_by_role("button", name="Try again").click()
    assert retried.value.ok
    expect(broken).to_contain_text("Save it again")
    search = page.get_by_label("Search titles and names")
    search.fill("torn")
    expect(page.locator(".row")).to_have_count(1)
    page.get_by_label("Status").select_option("indexed")
    expect(page.locator(".row")).to_have_count(0)
    page.get_by_label("Status").select_option("failed")
    expect(page.locator(".row-reason")).to_contain_text("Save it again")
    page.get_by_label("Status").select_option("")
    search.fill("canal")
    expect(page.locator(".row")).to_have_count(1)
    page.locator(".row a").click()
    page.get_by_role("button", name="Passages").click()
    page.get_by_role("button", name="Passage 1").click()
    expect(page.locator(".text-part mark")).to_contain_text("thirty kilometres")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/documents")
    assert not site.api.get("/api/documents", params={"q": "canal"}).json()["documents"]


def test_a_folder_keeps_its_files_apart(window: Window, site: Site, tmp_path: Path) -> None:
    for name in ("a/notes.txt", "b/notes.txt", ".git/config.txt"):
        path = tmp_path / "papers" / name
        path.parent.mkdir(parents=True)
        path.write_text(f"Notes of {name}.")
    page = window.open("/documents")
    page.get_by_label("Collection").first.fill("papers")
    page.set_input_files("input[type=file] >> nth=1", tmp_path / "papers")
    expect(page.locator(".upload-done")).to_have_count(2)
    found = site.api.get("/api/documents", params={"collection": "papers"}).json()["documents"]
    assert [item["uri"] for item in found] == [
        "upload://papers/papers/a/notes.txt",
        "upload://papers/papers/b/notes.txt",
    ]


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders of the disk in the middle of the page, as a hand does."""
    session = page.context.new_cdp_session(page)
    size = page.viewport_size
    assert size
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent", {"type": kind, "x": size["width"] / 2, "y": size["height"] / 2, "data": data}
        )


def test_files_and_folders_are_dropped(window: Window, site: Site, tmp_path: Path) -> None:
    for name in ("dossier/a/notes.txt", "dossier/b/notes.txt", "dossier/.git/config.txt", "dropped.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Dropped: {name}.")
    page = window.open("/documents")
    page.get_by_label("Collection").first.fill("dossiers")
    drop(page, tmp_path / "dossier", tmp_path / "dropped.txt")
    expect(page.locator(".upload-done")).to_have_count(3)
    found = site.api.get("/api/documents", params={"collection": "dossiers"}).json()["documents"]
    assert [item["uri"].removeprefix("upload://dossiers/") for item in found] == [
        "dossier/a/notes.txt",
        "dossier/b/notes.txt",
        "dropped.txt",
    ]


def test_what_is_dropped_on_another_page_is_added_too(window: Window, site: Site, tmp_path: Path) -> None:
    (tmp_path / "quay.txt").write_text("The quay is four hundred metres long.")
    page = window.open("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    drop(page, tmp_path / "quay.txt")
    page.wait_for_url("**/documents")
    expect(page.locator(".upload-done")).to_contain_text("quay.txt")


def test_a_refusal_of_the_server_is_told_for_the_file(window: Window, site: Site, tmp_path: Path) -> None:
    window.expected = "413"
    (tmp_path / "a.txt").write_text("Something.")
    page = window.open("/documents")
    problem = '{"code": "too_large", "status": 413, "detail": "The body is larger than this server takes."}'
    page.route("**/api/documents?paths=true", lambda route: route.fulfill(status=413, body=problem))
    page.set_input_files(FILES, tmp_path / "a.txt")
    expect(page.locator(".upload-failed")).to_contain_text("larger than this server takes")
    page.unroute("**/api/documents?paths=true")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".upload-done")).to_be_visible()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A small web site."""
    (tmp_path / "index.html").write_text(
        "<title>Lock keepers</title><p>The lock keeper of Ghent lived in a yellow house by the water.</p>"
    )
    handler = type("Handler", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: handler(*a, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    thread.join()
    server.server_close()


def test_web_pages_become_sources_that_are_synced_and_removed(window: Window, site: Site, web: str) -> None:
    page = window.open("/documents")
    page.get_by_label("Or the address of a web page").fill(web)
    page.get_by_role("button", name="Read", exact=True).click()
    expect(page.get_by_text("The page is being read")).to_be_visible()
    page.get_by_role("link", name="Synced sources").click()
    card = page.locator(".source").filter(has_text=web)
    expect(card).to_contain_text("up to date")
    card.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("The sync has begun.")).to_be_visible()
    expect(card).to_contain_text("up to date")
    until(
        "the page to be read", lambda: site.api.get("/api/documents", params={"q": "lock keepers"}).json()["documents"]
    )
    card.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)
    assert not site.api.get("/api/documents", params={"q": "lock keepers"}).json()["documents"]


def test_a_source_whose_page_cannot_be_read_is_not_called_up_to_date(window: Window, site: Site, web: str) -> None:
    missing = web.replace("index.html", "gone.html")
    page = window.open("/documents")
    page.get_by_label("Or the address of a web page").fill(missing)
    page.get_by_role("button", name="Read", exact=True).click()
    page.get_by_role("link", name="Synced sources").click()
    card = page.locator(".source").filter(has_text=missing)
    expect(card.locator(".badge-bad")).to_be_visible(timeout=20_000)
    expect(card).not_to_contain_text("up to date")


def test_a_failed_document_is_read_again_from_the_list(window: Window, site: Site, tmp_path: Path) -> None:
    (tmp_path / "ripped.pdf").write_bytes(b"%PDF-1.7 and nothing of one")
    page = window.open("/documents")
    page.set_input_files(FILES, tmp_path / "ripped.pdf")
    row = page.locator(".rows > .row").filter(has_text="ripped.pdf")
    expect(row).to_contain_text("failed", timeout=20_000)

    def failed_at() -> list[str]:
        jobs = site.api.get("/api/jobs", params={"status": "failed"}).json()["jobs"]
        return [job["finished_at"] for job in jobs if job["name"] == "ripped.pdf"]

    (before,) = failed_at()
    row.get_by_role("button", name="again").click()
    expect(page.get_by_text("It is being read again.")).to_be_visible()
    until("the second try to fail too", lambda: failed_at() not in ([], [before]) or None)
    expect(row).to_contain_text("failed")


def test_a_source_that_cannot_be_is_refused_with_the_reason(window: Window) -> None:
    window.expected = "40[03]|422"
    page = window.open("/sources")
    page.get_by_role("button", name="Add a source").click()
    page.get_by_label("Where it is").fill("/etc")
    page.get_by_role("dialog").get_by_role("button", name="Add a source").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Add a source")).to_be_focused()


def test_the_system_says_what_runs(window: Window, site: Site) -> None:
    page = window.open("/system")
    expect(page.get_by_text("Everything works.")).to_be_visible()
    expect(page.locator(".part").filter(has_text="Writer of answers")).to_contain_text("test")
    expect(page.get_by_text("Answers reach you word by word.")).to_be_visible()
