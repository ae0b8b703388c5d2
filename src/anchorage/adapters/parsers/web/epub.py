"""E-books (.epub): the chapters in the order of the spine, each through the HTML parser."""

from __future__ import annotations

import posixpath
import re
from typing import Any, BinaryIO
from urllib.parse import unquote

from anchorage.adapters.parsers.archive import Package
from anchorage.adapters.parsers.builder import DocumentBuilder, fold_space
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.adapters.parsers.text.xml import parse_tree
from anchorage.adapters.parsers.web.html import find_declared_encoding, parse_markup
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_TEXT = (".xhtml", ".html", ".htm", ".xml")
_TAG = re.compile(r"<[^>]+>")


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    package = Package(file, name)
    _check_rights(package, name)
    container = parse_tree(package.part("META-INF/container.xml"), name)
    root = next((element.get("full-path") for element in container.iter("{*}rootfile")), None)
    if not root:
        raise DocumentRefused("corrupt", f"{name} is damaged: it names no book. Save or copy it again.")
    book = parse_tree(package.part(root), name)
    builder = DocumentBuilder(task.limit)
    title = fold_space(book.findtext(".//{*}metadata/{*}title") or "")
    _add_front_matter(builder, book)
    missing = []
    for path in _list_chapters(book, posixpath.dirname(root)):
        try:
            data = package.part(path)
            chapter = parse_markup(decode_text(data, path, find_declared_encoding(data)), path, task.limit)
        except DocumentRefused as refusal:
            if refusal.code == "too_large":
                raise
            if refusal.code != "no_text":  # a page that holds only a picture
                missing.append({"name": path, "reason": refusal.message})
            continue
        builder.append(chapter, 0)
    return builder.finish(name, title, {"skipped": missing} if missing else {})


def _add_front_matter(builder: DocumentBuilder, book: Any) -> None:
    """Who wrote the book and what it is about."""
    authors = [fold_space(element.text or "") for element in book.iterfind(".//{*}metadata/{*}creator")]
    if any(authors):
        builder.add(BlockKind.PARAGRAPH, "Authors: " + ", ".join(author for author in authors if author))
    for element in book.iterfind(".//{*}metadata/{*}description"):
        builder.add(BlockKind.PARAGRAPH, fold_space(_TAG.sub(" ", element.text or "")))


def _list_chapters(book: Any, folder: str) -> list[str]:
    """Paths of the chapters in reading order, each once."""
    items = {
        item.get("id"): posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in book.iterfind(".//{*}manifest/{*}item")
        if item.get("media-type", "") in ("application/xhtml+xml", "text/html") or item.get("href", "").endswith(_TEXT)
    }
    order = [items[ref.get("idref")] for ref in book.iterfind(".//{*}spine/{*}itemref") if ref.get("idref") in items]
    return list(dict.fromkeys(order))


def _check_rights(package: Package, name: str) -> None:
    """Books under digital rights management list their chapters as encrypted; others at most their fonts."""
    if "META-INF/encryption.xml" in package.names:
        listed = parse_tree(package.part("META-INF/encryption.xml"), name)
        if any(element.get("URI", "").endswith(_TEXT) for element in listed.iter("{*}CipherReference")):
            raise DocumentRefused(
                "encrypted", f"{name} is protected by digital rights management. Use a free copy of it."
            )
