"""Which parser reads a file: by what its bytes show, then by its name."""

from __future__ import annotations

import re
from importlib import import_module
from typing import BinaryIO
from zipfile import ZipFile

from anchorage.adapters.parsers.archive import list_archive
from anchorage.adapters.parsers.task import Parse
from anchorage.adapters.parsers.text.encoding import detect_wide_encoding, has_byte_order_mark, is_binary
from anchorage.errors import DocumentRefused, UnknownFormat

PARSERS_VERSION = "anchorage-parsers/2"

# Kind -> the names by which it goes. Each kind has a module in a wing with a function `parse`, its own or a shared one.
EXTENSIONS = {
    "pdf": ("pdf",),
    "docx": ("docx", "docm", "dotx"),
    "doc": ("doc", "dot"),
    "pptx": ("pptx", "pptm", "ppsx", "ppsm", "potx"),
    "ppt": ("ppt", "pps", "pot"),
    "xlsx": ("xlsx", "xlsm", "xltx", "xlsb"),
    "xls": ("xls", "xlt"),
    "odt": ("odt", "ott"),
    "odp": ("odp", "otp"),
    "ods": ("ods", "ots"),
    "rtf": ("rtf",),
    "epub": ("epub",),
    "eml": ("eml",),
    "mbox": ("mbox",),
    "msg": ("msg",),
    "json": ("json", "jsonl", "ndjson"),
    "notebook": ("ipynb",),
    "xml": ("xml", "rss", "atom"),
    "image": ("png", "jpg", "jpeg", "jpe", "gif", "tif", "tiff", "bmp", "webp"),
    "zip": ("zip",),
    "html": ("html", "htm", "xhtml"),
    "webpage": ("webpage",),  # the name that web sources give: read without what every page of a site repeats
    "markdown": ("md", "markdown", "mdown", "mkd", "mdx"),
    "csv": ("csv", "tsv", "tab"),
    "plain": ("txt", "text", "log", "rst", "adoc", "asciidoc", "org", "tex", "srt", "vtt", "py", "js", "ts", "tsx", "jsx", "java",
              "c", "h", "cc", "cpp", "hpp", "cs", "go", "rs", "rb", "php", "sh", "sql", "yaml", "yml", "toml", "ini", "cfg",
              "conf", "properties"),
}  # fmt: skip
_KIND_OF = {extension: kind for kind, names in EXTENSIONS.items() for extension in names}
_MODULES = {
    "docx": "office.docx", "doc": "office.doc", "pptx": "office.pptx", "ppt": "office.ppt", "rtf": "office.rtf",
    "xlsx": "office.sheets", "xls": "office.sheets", "ods": "office.sheets",
    "odt": "office.opendocument", "odp": "office.opendocument",
    "pdf": "pages.pdf", "image": "pages.image",
    "html": "web.html", "webpage": "web.webpage", "epub": "web.epub",
    "eml": "mail.mime", "mbox": "mail.mime", "msg": "mail.msg",
    "plain": "text.plain", "markdown": "text.markdown", "csv": "text.csv", "json": "text.json", "notebook": "text.notebook",
    "xml": "text.xml", "zip": "zip",
}  # fmt: skip
_BINARY = {
    "pdf",
    "docx",
    "doc",
    "pptx",
    "ppt",
    "xlsx",
    "xls",
    "odt",
    "odp",
    "ods",
    "rtf",
    "epub",
    "msg",
    "image",
    "zip",
}
_SUPPORTED = (
    "pdf, docx, pptx, xlsx, doc, ppt, xls, odt, odp, ods, rtf, epub, eml, msg, mbox, html, xml, json, jsonl, ipynb, md, csv, "
    "tsv, plain text, pictures with text and zip"
)
_ZIP_PARTS = (
    ("word/document", "docx"),
    ("xl/workbook", "xlsx"),
    ("ppt/presentation", "pptx"),
    ("META-INF/container.xml", "epub"),
)
_OPEN_DOCUMENT = {"text": "odt", "presentation": "odp", "spreadsheet": "ods"}
_SIGNATURES = (
    (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"), (b"II*\0", "image"), (b"MM\0*", "image"),
    (b"{\\rtf", "rtf"),
)  # fmt: skip
_FOREIGN = (
    (b"\x1f\x8b", "gzip"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "rar"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"\x7fELF", "ELF"), (b"%!PS", "postscript"), (b"SQLite format 3", "sqlite"),
)  # fmt: skip
_MAIL_HEAD = re.compile(
    rb"(?:(?:From|To|Cc|Subject|Date|Received|Return-Path|Message-ID|MIME-Version|Delivered-To|Content-Type|X-[\w-]+):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*){3}",
    re.IGNORECASE,
)
_HEAD = 64 * 1024


def extension_of(name: str) -> str:
    """The last extension, in small letters; empty where there is none."""
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def supports(name: str) -> bool:
    """Whether a file of this name may be read; files without an extension are tried as text."""
    return extension_of(name) in _KIND_OF or not extension_of(name)


def identify_kind(file: BinaryIO, name: str, password: str | None) -> tuple[str, BinaryIO]:
    """The kind of a file, and the file, decrypted where that is needed.

    Raises `UnknownFormat` or `DocumentRefused` (empty, encrypted, corrupt, binary).
    """
    head = file.read(_HEAD)
    if not head.strip(b" \t\r\n\0"):
        raise DocumentRefused("empty", f"{name} is empty." if not head else f"{name} holds only blanks.")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        from anchorage.adapters.parsers.office.compound import remove_password

        kind, file = remove_password(file, name, password)
        return (_identify_archive(file, name) if kind == "zip" else kind), file
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and b"%PDF-" not in head[:1024]:
        return _identify_archive(file, name), file
    return _identify_plain(head, name), file


def _identify_plain(head: bytes, name: str) -> str:
    """The kind of a file that is no container."""
    named = _KIND_OF.get(extension_of(name))
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if found := next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None):
        return found
    if named == "image" and (head.startswith(b"BM") or head[8:12] == b"WEBP"):
        return named
    if foreign := next((kind for signature, kind in _FOREIGN if head.startswith(signature)), None):
        raise _refusal_of_unsupported(name, foreign)
    if named in ("doc", "xls") and not is_binary(head) and _identify_text(head, name, None) != "plain":
        return _identify_text(head, name, None)  # web pages that programs save under the names of Office
    if named in _BINARY:
        raise DocumentRefused(
            "corrupt",
            f"{name} is not the {extension_of(name)} file that its name promises, or it is damaged. Save it again.",
        )
    if is_binary(head):
        if named:
            raise DocumentRefused(
                "binary", f"{name} holds binary data, not text. Convert it to a supported format first."
            )
        raise _refusal_of_unsupported(name, extension_of(name))
    kind = _identify_text(head, name, named)
    if kind == "plain" and named is None and extension_of(name):
        raise _refusal_of_unsupported(name, extension_of(name))
    return kind


def _identify_text(head: bytes, name: str, named: str | None) -> str:
    if named not in (None, "plain", "xml"):
        return named or "plain"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if not has_byte_order_mark(head[:2]) and not detect_wide_encoding(head):
        if start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in start):
            return "html"
        if start.startswith(b"<?xml") and named is None:
            return "xml"
        if named is None and _MAIL_HEAD.match(head.replace(b"\r\n", b"\n")):
            return "eml"
    return named or "plain"


def _identify_archive(file: BinaryIO, name: str) -> str:
    names = [entry.filename for entry in list_archive(file, name)]
    if "mimetype" in names and "content.xml" in names:
        with ZipFile(file) as archive, archive.open("mimetype") as part:
            family = part.read(100).decode("latin-1").strip().removeprefix("application/vnd.oasis.opendocument.")
        if kind := _OPEN_DOCUMENT.get(family.removesuffix("-template")):
            return kind
    found = next((kind for part, kind in _ZIP_PARTS if any(entry.startswith(part) for entry in names)), None)
    return found or "zip"


def _refusal_of_unsupported(name: str, kind: str) -> UnknownFormat:
    return UnknownFormat(
        f"{name}: files of the kind {kind or 'unknown'!r} are not supported. Supported are {_SUPPORTED}."
    )


def load_parser(kind: str) -> Parse:
    """The function that reads a kind; its libraries load now and not before."""
    parse: Parse = import_module(f"anchorage.adapters.parsers.{_MODULES[kind]}").parse
    return parse
