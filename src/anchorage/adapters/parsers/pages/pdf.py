"""PDF by PDFium: text page by page; the outline's entries become headings where their words stand on their page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from pypdfium2 import PdfDocument, PdfiumError
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.pages.arabic import mend_arabic
from anchorage.adapters.parsers.pages.paragraphs import add_page
from anchorage.adapters.parsers.pages.scans import Scans
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_HYPHENATED = re.compile(r"(?<=\w)(?:\ufffe|\u00ad|\x02)\s*")  # PDFium marks the hyphen of a broken word so
_LINE_HYPHEN = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_GARBAGE_TITLE = re.compile(
    r"untitled|anonymous|microsoft word|powerpoint presentation|\.\w{2,4}\s*$|^\W*$|^(?:slide|title|document)\s*\d*$",
    re.IGNORECASE,
)


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`: encrypted, corrupt, empty, needs_ocr (a scan) or no_text."""
    try:
        document = PdfDocument(file, password=task.password)
    except PdfiumError as error:
        raise _refusal_of(error, name, task.password) from error
    with document:
        if len(document) == 0:
            raise DocumentRefused("empty", f"{name} has no pages.")
        builder = DocumentBuilder(task.limit)
        outline = _read_outline(document)
        scans = Scans(document, name, task.recognition)
        unread = 0
        for index in range(len(document)):
            text = _read_page(document, index)
            if text is None:
                unread += 1
            else:
                add_page(builder, text if text.strip() else scans.recognise_page(index), outline.get(index, ()))
            builder.end_page(index + 1)
        scans.close()
        if not builder.blocks:
            _refuse_textless(name, len(document), unread, scans)
        metadata = {
            "pages": len(document), **({"unreadable_pages": unread} if unread else {}), **scans.metadata()
        }  # fmt: skip
        return builder.finish(name, _read_title(document) or name.rsplit(".", 1)[0], metadata)


def _refusal_of(error: PdfiumError, name: str, password: str | None) -> DocumentRefused:
    if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
        what = "does not open with the password given" if password else "is protected by a password"
        return DocumentRefused("encrypted", f"{name} {what}. Save it without one.")
    return DocumentRefused("corrupt", f"{name} is damaged: it cannot be read as a PDF. Save, print or copy it again.")


def _refuse_textless(name: str, pages: int, unread: int, scans: Scans) -> None:
    if unread == pages:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: none of its {pages} pages can be read. Save or copy it again."
        )
    if scans.refusal:
        raise scans.refusal
    raise DocumentRefused("no_text", f"{name} holds no text: its {pages} page(s) are blank or hold only pictures.")


def _read_page(document: PdfDocument, index: int) -> str | None:
    """The text of a page, or None when it cannot be loaded: one bad page does not spoil the others."""
    try:
        page = document[index]
        try:
            textpage = page.get_textpage()
            try:
                text = mend_arabic(textpage.get_text_bounded(), textpage)
            finally:
                textpage.close()
        finally:
            page.close()
    except PdfiumError:
        return None
    text = clean_text(_HYPHENATED.sub("", text))
    return _LINE_HYPHEN.sub("", text)


def _read_outline(document: PdfDocument) -> Mapping[int, Sequence[tuple[int, str]]]:
    """(level, title) of the bookmarks of each page."""
    entries: dict[int, list[tuple[int, str]]] = defaultdict(list)
    try:
        for bookmark in document.get_toc(max_depth=6):
            destination = bookmark.get_dest()
            index = destination.get_index() if destination else None
            if index is not None and (title := fold_space(bookmark.get_title())):
                entries[index].append((min(6, bookmark.level + 1), title))
    except (PdfiumError, UnicodeDecodeError, ValueError):
        return {}
    return entries


def _read_title(document: PdfDocument) -> str:
    try:
        title: str = document.get_metadata_value("Title")
    except (PdfiumError, UnicodeDecodeError):
        return ""
    return "" if _GARBAGE_TITLE.search(title) else title
