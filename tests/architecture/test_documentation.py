"""Promises about the documentation: it stands alone, its links hold, and what README and CONTRIBUTING name is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECK = ROOT / "scripts/docs/check.py"
SITE = ROOT / ".setup/docs/bin/python"
PAGE = "<html><head>{head}</head><body>{body}</body></html>"


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(CHECK), str(folder)], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ('<link rel="stylesheet" href="https://fonts.example.org/inter.css">', ""),
        ('<script src="//cdn.example.org/search.js"></script>', ""),
        ("<style>body { background: url('https://example.org/b.png') }</style>", ""),
        ("<style>@import 'https://example.org/b.css';</style>", ""),
        ("", '<img src="small.png" srcset="small.png 1x, HTTP://example.org/large.png 2x">'),
        ("", '<iframe src="https://example.org/"></iframe>'),
        ("", '<video poster="https://example.org/p.png"></video>'),
    ],
)
def test_a_site_that_asks_other_hosts_is_refused(tmp_path: Path, head: str, body: str) -> None:
    (tmp_path / "index.html").write_text(PAGE.format(head=head, body=body))
    (tmp_path / "searchindex.js").touch()
    checked = check(tmp_path)
    assert checked.returncode == 1 and "index.html: " in checked.stderr and "example.org" in checked.stderr


def test_a_site_that_stands_alone_may_link_elsewhere(tmp_path: Path) -> None:
    head = '<link rel="stylesheet" href="_static/a.css"><script src="a.js"></script>'
    (tmp_path / "index.html").write_text(PAGE.format(head=head, body='<a href="https://example.org/">there</a>'))
    (tmp_path / "a.css").write_text("body { background: url(data:image/png;base64,AA==) }")
    assert check(tmp_path).returncode == 1  # there is nothing to search in
    (tmp_path / "searchindex.js").touch()
    assert check(tmp_path).returncode == 0


@pytest.mark.skipif(not SITE.exists(), reason="the documentation's tool is not installed: run `make docs`")
def test_each_broken_link_fails_the_build(tmp_path: Path) -> None:
    pages, site = tmp_path / "docs", tmp_path / "site"
    for folder in ("tutorial", "how-to", "reference", "explanation", "adr"):
        (pages / folder).mkdir(parents=True)
        (pages / folder / "0001.md").write_text("# A page\n\n## A heading\n")
    (pages / "adr/README.md").write_text("# Decisions\n")
    deploy = os.path.relpath(ROOT / "deploy", pages)
    whole = ["how-to/0001.md#a-heading", "#start", f"{deploy}/chart/README.md", deploy]
    broken = ["how-to/none.md", "how-to/0001.md#nothing", "#nothing", f"{deploy}/none.yaml", f"{deploy}/none.md"]

    def build(*lines: str) -> "subprocess.CompletedProcess[str]":
        (pages / "index.md").write_text("\n\n".join(["# Start", *lines]))
        command = ["sh", str(ROOT / "scripts/docs.sh"), str(pages), str(site)]
        return subprocess.run(command, capture_output=True, text=True)

    built = build(*(f"[x]({link})" for link in whole))
    assert built.returncode == 0, built.stderr
    assert "deploy/chart/README.md</span></code> in the repository" in (site / "index.html").read_text("utf-8")
    built = build(*(f"[x]({link})" for link in broken), "![x](images/none.png)")
    lines = {int(line) for line in re.findall(r"index\.md:(\d+): WARNING", built.stderr)}
    assert built.returncode == 1 and lines == {3, 5, 7, 9, 11, 13}, built.stderr


def test_the_tools_lock_names_no_address() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        assert "://" not in lock.read_text("utf-8"), lock.name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "bench/README.md"])
def test_links_lead_to_what_there_is(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]


def test_the_readme_shows_the_page_and_its_parts() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "](docs/images/page.png)" in text and "](docs/images/parts.svg)" in text
    picture = (ROOT / "docs/images/page.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) <= 150_000
    assert not re.search(r"(?:href|src|url\()[=\"'\s]*https?:", (ROOT / "docs/images/parts.svg").read_text("utf-8"))
