"""Fails where the built site would ask another host for anything, or has nothing to search in.

usage: check.py FOLDER
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\s\"')]*", re.IGNORECASE)
_FETCHED = {"src", "srcset", "poster", "data", "href"}


class _Page(HTMLParser):
    """Collects what a browser would fetch while it draws a page; a link that one clicks is none of that."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name not in _FETCHED or value is None or (name == "href" and tag == "a"):
                continue
            self.found += [part.strip() for part in value.split(",") if _ELSEWHERE.match(part)]


def requests_elsewhere(folder: Path) -> list[str]:
    """What pages and style sheets below a folder would fetch from other hosts, each with its file."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".html", ".css"}:
            continue
        text = path.read_text("utf-8")
        page = _Page()
        if path.suffix == ".html":
            page.feed(text)
        found += [f"{path.relative_to(folder)}: {item}" for item in [*page.found, *_IN_STYLE.findall(text)]]
    return found


def main() -> int:
    """Print what is wrong; 0 when nothing is."""
    folder = Path(sys.argv[1])
    wrong = [f"{item} is fetched from another host" for item in requests_elsewhere(folder)]
    if not (folder / "searchindex.js").is_file():
        wrong.append(f"{folder} has no index to search in")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
