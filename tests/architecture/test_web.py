"""Promises about the web page as it is built."""

import json
import re
from pathlib import Path

from bench.web import first_load

from anchorage.faces.http.page import BUILT

ROOT = Path(__file__).parents[2]


def test_the_first_load_is_small() -> None:
    found = first_load()
    assert found["gzip"] <= 200_000, found
    assert not [name for name in found["scripts"] if re.search("katex|highlight|Pdf|Markdown", name, re.I)]


def test_nothing_of_it_comes_from_elsewhere_or_stands_in_the_page() -> None:
    page = (BUILT / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|style=", page)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    for sheet in (BUILT / "assets").glob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:|data:|//)", sheet.read_text("utf-8")), sheet.name


def test_the_lock_file_names_no_address() -> None:
    lock = (ROOT / "web/package-lock.json").read_text("utf-8")
    packages = json.loads(lock)["packages"]
    assert '"resolved"' not in lock and not re.search(r'"(?:git\+|https?:)[^"]*\.tgz', lock)
    assert all("integrity" in item for name, item in packages.items() if name and not item.get("link"))
