"""Which parser reads a file: by what its bytes show, then by its name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from anchorage.adapters.parsers.archive import archive_entries
from anchorage.adapters.parsers.encoding import has_mark, is_binary
from anchorage.errors import DocumentRefused, UnknownFormat
from anchorage.model import ParsedDocument

PARSERS_VERSION = "anchorage-parsers/1"
Parse = Callable[[Path, str, int, str | None], ParsedDocument]

# Kind -> the names by which it goes. Each kind is a module of this package with a function `parse`.
EXTENSIONS = {
    "pdf": ("pdf",),
    "docx": ("docx", "docm", "dotx"),
    "html": ("html", "htm", "xhtml"),
    "webpage": ("webpage",),  # the name that web sources give: read without what every page of a site repeats
    "markdown": ("md", "markdown", "mdown", "mkd", "mdx"),
    "csv": ("csv", "tsv", "tab"),
    "plain": ("txt", "text", "log", "rst", "adoc", "asciidoc", "org", "tex", "srt", "vtt", "py", "js", "ts", "tsx", "jsx", "java",
              "c", "h", "cc", "cpp", "hpp", "cs", "go", "rs", "rb", "php", "sh", "sql", "yaml", "yml", "toml", "ini", "cfg",
              "conf", "properties"),
}  # fmt: skip
_KIND_OF = {extension: kind for kind, names in EXTENSIONS.items() for extension in names}
_SUPPORTED = "pdf, docx, html, md, csv, tsv and plain text"
_ZIP_PARTS = (
    ("word/document.xml", "docx"),
    ("xl/workbook", "xlsx"),
    ("ppt/presentation.xml", "pptx"),
    ("META-INF/container.xml", "epub"),
)
_SIGNATURES = (
    (b"{\\rtf", "rtf"), (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
    (b"\x1f\x8b", "gzip"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "rar"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"\x7fELF", "ELF"),
    (b"%!PS", "postscript"), (b"SQLite format 3", "sqlite"),
)  # fmt: skip
_HEAD = 64 * 1024


def extension(name: str) -> str:
    """The last extension, in small letters; empty where there is none."""
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def supports(name: str) -> bool:
    """Whether a file of this name may be read; files without an extension are tried as text."""
    return extension(name) in _KIND_OF or not extension(name)


def kind_of(path: Path, name: str) -> str:
    """The kind of the file. Raises `UnknownFormat` or `DocumentRefused` (empty, encrypted, corrupt, binary)."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b" \t\r\n\0"):
        raise DocumentRefused("empty", f"{name} is empty." if not head else f"{name} holds only blanks.")
    named = _KIND_OF.get(extension(name))
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _archive_kind(path, name)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise _compound(path, name)
    found = next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)
    if found:
        raise _unsupported(name, found)
    if named in ("pdf", "docx"):
        raise DocumentRefused(
            "corrupt", f"{name} is not the {named} file that its name promises, or it is damaged. Save it again."
        )
    if is_binary(head):
        if named:
            raise DocumentRefused(
                "binary", f"{name} holds binary data, not text. Convert it to a supported format first."
            )
        raise _unsupported(name, extension(name))
    return _text_kind(head, name, named)


def _text_kind(head: bytes, name: str, named: str | None) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if named in (None, "plain") and start.startswith((b"<!doctype html", b"<html")) and not has_mark(head[:2]):
        return "html"
    if named is None and extension(name):
        raise _unsupported(name, extension(name))
    return named or "plain"


def _archive_kind(path: Path, name: str) -> str:
    names = [entry.filename for entry in archive_entries(path, name)]
    found = next((kind for part, kind in _ZIP_PARTS if any(entry.startswith(part) for entry in names)), None)
    if found == "docx":
        return found
    opened = "odf" if "mimetype" in names and found is None else found
    raise _unsupported(name, opened or "zip")


def _compound(path: Path, name: str) -> DocumentRefused | UnknownFormat:
    """An old Office file, or a new one that is encrypted: both use the same container (MS-CFB)."""
    with path.open("rb") as file:
        data = file.read(8 * 1024**2)
    if "EncryptedPackage".encode("utf-16-le") in data:
        return DocumentRefused("encrypted", f"{name} is protected by a password. Save it without one.")
    return _unsupported(name, extension(name) or "old Office")


def _unsupported(name: str, kind: str) -> UnknownFormat:
    return UnknownFormat(
        f"{name}: files of the kind {kind or 'unknown'!r} are not supported yet. Supported are {_SUPPORTED}."
    )


def parser_of(kind: str) -> Parse:
    """The function that reads a kind; its libraries load now and not before."""
    parse: Parse = import_module(f"anchorage.adapters.parsers.{kind}").parse
    return parse
