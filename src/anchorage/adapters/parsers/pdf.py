"""PDF by PDFium: text page by page; the outline's entries become headings where their words stand on their page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pypdfium2 import PdfDocument, PdfiumError
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from anchorage.adapters.parsers.builder import DocumentBuilder, clean, folded
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_HYPHENATED = re.compile(r"(?<=\w)(?:\ufffe|\u00ad|\x02)\s*")  # PDFium marks the hyphen of a broken word so
_LINE_HYPHEN = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_SENTENCE_END = re.compile(r"[.!?:;)\]\"”»]$")
_BULLET = re.compile(r"(?:[•‣◦▪●·–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_GARBAGE_TITLE = re.compile(
    r"untitled|anonymous|microsoft word|powerpoint presentation|\.\w{2,4}\s*$|^\W*$|^(?:slide|title|document)\s*\d*$",
    re.IGNORECASE,
)


def parse(path: Path, name: str, limit: int, password: str | None) -> ParsedDocument:
    """Raises `DocumentRefused`: encrypted, corrupt, no_text (a scan) or empty."""
    try:
        document = PdfDocument(path, password=password)
    except PdfiumError as error:
        raise _refusal(error, name, password) from error
    with document:
        if len(document) == 0:
            raise DocumentRefused("empty", f"{name} has no pages.")
        builder = DocumentBuilder(limit)
        outline = _outline(document)
        unread = 0
        for index in range(len(document)):
            text = _page_text(document, index)
            if text is None:
                unread += 1
            else:
                _add_page(builder, text, outline.get(index, ()))
            builder.end_page(index + 1)
        if not builder.blocks:
            _refuse_textless(name, len(document), unread)
        metadata = {"pages": len(document), **({"unreadable_pages": unread} if unread else {})}
        return builder.finish(name, _title(document) or name.rsplit(".", 1)[0], metadata)


def _refusal(error: PdfiumError, name: str, password: str | None) -> DocumentRefused:
    if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
        what = "does not open with the password given" if password else "is protected by a password"
        return DocumentRefused("encrypted", f"{name} {what}. Save it without one.")
    return DocumentRefused("corrupt", f"{name} is damaged: it cannot be read as a PDF. Save, print or copy it again.")


def _refuse_textless(name: str, pages: int, unread: int) -> None:
    if unread == pages:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: none of its {pages} pages can be read. Save or copy it again."
        )
    raise DocumentRefused(
        "no_text",
        f"{name} holds no text: its {pages} page(s) are pictures or blank. Text recognition (OCR) is not supported yet; run "
        "the file through an OCR program first.",
    )


def _page_text(document: PdfDocument, index: int) -> str | None:
    """The text of a page, or None when it cannot be loaded: one bad page does not spoil the others."""
    try:
        page = document[index]
        try:
            textpage = page.get_textpage()
            try:
                text: str = textpage.get_text_bounded()
            finally:
                textpage.close()
        finally:
            page.close()
    except PdfiumError:
        return None
    text = clean(_HYPHENATED.sub("", text))
    return _LINE_HYPHEN.sub("", text)


def _outline(document: PdfDocument) -> Mapping[int, Sequence[tuple[int, str]]]:
    """(level, title) of the bookmarks of each page."""
    entries: dict[int, list[tuple[int, str]]] = defaultdict(list)
    try:
        for bookmark in document.get_toc(max_depth=6):
            destination = bookmark.get_dest()
            index = destination.get_index() if destination else None
            if index is not None and (title := folded(bookmark.get_title())):
                entries[index].append((min(6, bookmark.level + 1), title))
    except (PdfiumError, UnicodeDecodeError, ValueError):
        return {}
    return entries


def _add_page(builder: DocumentBuilder, text: str, headings: Sequence[tuple[int, str]]) -> None:
    """Paragraphs of a page: PDFs only have lines, so one ends where a line is short or blank, or a bullet begins."""
    lines = [line.rstrip() for line in text.split("\n")]
    longest = max((len(line) for line in lines), default=0)
    wanted = {_key(title): level for level, title in headings}
    paragraph: list[str] = []

    def flush() -> None:
        builder.add(BlockKind.PARAGRAPH, "\n".join(paragraph))
        paragraph.clear()

    for line in lines:
        stripped = line.strip()
        key = _key(stripped)
        if not stripped:
            flush()
        elif key and key in wanted:
            flush()
            builder.add(BlockKind.HEADING, stripped, wanted.pop(key))
        elif _BULLET.match(stripped):
            flush()
            paragraph.append(stripped)
        else:
            paragraph.append(stripped)
            if len(stripped) < longest * 0.75 and _SENTENCE_END.search(stripped):
                flush()
    flush()


def _key(title: str) -> str:
    """A title without its number, case and punctuation, as it may differ between outline and page."""
    return re.sub(r"[\W_]+", "", re.sub(r"^[\dA-Z]{0,3}(?:\.\d+)*[.)]?\s+", "", title).lower())


def _title(document: PdfDocument) -> str:
    try:
        title: str = document.get_metadata_value("Title")
    except (PdfiumError, UnicodeDecodeError):
        return ""
    return "" if _GARBAGE_TITLE.search(title) else title
