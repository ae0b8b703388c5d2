"""Parsers through the sandbox, on files made here: good, odd, broken and hostile ones."""

import asyncio
import csv
import os
import signal
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from anchorage.adapters.parsers.sandbox import parser as sandbox
from anchorage.adapters.parsers.sandbox.parser import ParseLimits, SandboxedParser, open_sandboxed_parser
from anchorage.errors import DocumentRefused, UnknownFormat
from anchorage.model import BlockKind, ParsedDocument

MEBI = 1024**2


@pytest.fixture
async def parser() -> AsyncIterator[SandboxedParser]:
    async with open_sandboxed_parser(ParseLimits(20, 1024 * MEBI, 2_000_000), 2) as opened:
        yield opened


def pdf(pages: list[str], *, outline: bool = False) -> bytes:
    """A minimal PDF with one line of text on each page, written by hand."""
    count = len(pages)
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(count))
    first_outline = 3 + 2 * count
    catalog = f"<< /Type /Catalog /Pages 2 0 R {f'/Outlines {first_outline} 0 R' if outline else ''} >>"
    objects = [catalog, f"<< /Type /Pages /Kids [{kids}] /Count {count} >>"]
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for number, text in enumerate(pages):
        lines = "".join(f"({line}) Tj 0 -20 Td " for line in text.split("\n"))
        stream = f"BT /F1 12 Tf 72 700 Td {lines}ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {font} /Contents {4 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    if outline:
        objects.append(f"<< /Type /Outlines /First {first_outline + 1} 0 R /Last {first_outline + 1} 0 R /Count 1 >>")
        objects.append(f"<< /Title (Second part) /Parent {first_outline} 0 R /Dest [5 0 R /Fit] >>")
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return body + f"{trailer}startxref\n{len(body)}\n%%EOF".encode()


def docx(path: Path, paragraphs: list[tuple[str, str]]) -> None:
    """A minimal Word file of (style, text) paragraphs."""
    kinds = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    space = "http://schemas.openxmlformats.org"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{space}/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="r1" '
            f'Type="{space}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{space}/wordprocessingml/2006/main"><w:body>{kinds}</w:body></w:document>',
        )


async def parse(parser: SandboxedParser, path: Path, content: bytes | None = None) -> ParsedDocument:
    if content is not None:
        path.write_bytes(content)
    document = await parser.parse(path, path.name)
    for block in document.blocks:
        assert document.text[block.start : block.end].strip()
    assert list(document.blocks) == sorted(document.blocks, key=lambda block: block.start)
    return document


def kinds(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


async def test_pdf_has_pages_and_headings(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(parser, tmp_path / "a.pdf", pdf(["First page.", "Second part\nwith text."], outline=True))
    assert [document.text[page.start : page.end].strip() for page in document.pages] == [
        "First page.",
        "Second part\n\nwith text.",
    ]
    assert (BlockKind.HEADING, "Second part") in kinds(document)


async def test_docx_has_headings(parser: SandboxedParser, tmp_path: Path) -> None:
    docx(tmp_path / "a.docx", [("Heading1", "Harbour"), ("Normal", "It opened in 1827.")])
    document = await parse(parser, tmp_path / "a.docx")
    assert "It opened in 1827." in document.text


async def test_html_leaves_out_what_is_not_content(parser: SandboxedParser, tmp_path: Path) -> None:
    page = (
        "<html><head><title>Page title</title><script>evil()</script></head><body><nav>Menu</nav><main><h1>Top</h1><p>A <b>bold</b> "
        "claim.</p><ul><li>one</li><li>two</li></ul><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<p style='display:none'>hidden</p><pre>x = 1\ny = 2</pre></main><footer>Foot</footer></body></html>"
    )
    document = await parse(parser, tmp_path / "a.html", page.encode())
    assert document.title == "Page title"
    assert kinds(document) == [
        (BlockKind.HEADING, "Top"), (BlockKind.PARAGRAPH, "A bold claim."), (BlockKind.LIST_ITEM, "one"), (BlockKind.LIST_ITEM, "two"),
        (BlockKind.TABLE_ROW, "a | b"), (BlockKind.TABLE_ROW, "1 | 2"), (BlockKind.CODE, "x = 1\ny = 2"),
    ]  # fmt: skip


async def test_markdown_reads_as_it_looks(parser: SandboxedParser, tmp_path: Path) -> None:
    text = (
        "---\ntitle: The guide\n---\n# Start\n\nSome *text* with a [link](x.html).\n\n- one\n- two\n\n"
        "| a | b |\n| - | - |\n| 1 | 2 |\n\n```\ncode()\n```\n"
    )
    document = await parse(parser, tmp_path / "a.md", text.encode())
    assert document.title == "The guide"
    assert kinds(document) == [
        (BlockKind.HEADING, "Start"), (BlockKind.PARAGRAPH, "Some text with a link."), (BlockKind.LIST_ITEM, "one"),
        (BlockKind.LIST_ITEM, "two"), (BlockKind.TABLE_ROW, "a | b"), (BlockKind.TABLE_ROW, "1 | 2"), (BlockKind.CODE, "code()"),
    ]  # fmt: skip


async def test_csv_rows_carry_their_column_names(parser: SandboxedParser, tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["name", "age"], ["Anna; B", "7"], ["", ""], ["Ben", "9"]])
    document = await parse(parser, tmp_path / "a.csv")
    assert document.text == "name | age\nname: Anna; B | age: 7\nname: Ben | age: 9"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8-sig", "Grüße"), ("utf-16", "Grüße an alle"), ("utf-16-le", "plain words here"), ("cp1252", "Das “Café” öffnet früh am Morgen."),
     ("utf-8", "猫は好きです")],
)  # fmt: skip
async def test_encodings_are_detected(parser: SandboxedParser, tmp_path: Path, encoding: str, text: str) -> None:
    assert (await parse(parser, tmp_path / "a.txt", text.encode(encoding))).text == text


async def test_plain_text_has_chapters(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(
        parser, tmp_path / "book.txt", b"CHAPTER I.\r\n\r\nIt began.\r\nIt went on.\r\n\r\nChapter 2\r\n\r\nThe end."
    )
    assert [text for kind, text in kinds(document) if kind is BlockKind.HEADING] == ["CHAPTER I.", "Chapter 2"]
    assert "It began.\nIt went on." in document.text


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.txt", b" \n\n ", "empty"),
        ("binary.txt", bytes(range(256)) * 10, "binary"),
        ("fake.pdf", b"I am no PDF at all.", "corrupt"),
        ("fake.docx", b"I am no Word file.", "corrupt"),
        ("cut.pdf", pdf(["x"])[:60], "corrupt"),
        ("cut.docx", b"PK\x03\x04" + b"\0" * 200, "corrupt"),
        ("none.pdf", pdf([]), "corrupt"),  # PDFium does not open a PDF without pages
        ("scan.pdf", pdf([""]), "no_text"),
        ("empty.html", b"<html><body><script>1</script></body></html>", "no_text"),
        ("long.txt", b"word " * 500_000, "too_large"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_with_its_reason(
    parser: SandboxedParser, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    with pytest.raises(DocumentRefused) as raised:
        await parse(parser, tmp_path / name, content)
    assert raised.value.code == code
    assert name in raised.value.message or code == "too_large"


@pytest.mark.parametrize("name", ["a.xyz", "a.mp3", "a.7z"])
async def test_kinds_that_are_not_supported_say_so(parser: SandboxedParser, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownFormat, match="not supported"):
        await parse(parser, tmp_path / name, b"7z\xbc\xaf\x27\x1c" if name.endswith("7z") else b"some text")


async def test_the_bytes_decide_before_the_name(parser: SandboxedParser, tmp_path: Path) -> None:
    assert (await parse(parser, tmp_path / "notes.txt", pdf(["Really a PDF."]))).pages
    assert (await parse(parser, tmp_path / "page.txt", b"<!doctype html><p>Really HTML.</p>")).text == "Really HTML."
    assert (await parse(parser, tmp_path / "README", b"No extension.")).text == "No extension."


def locked_pdf() -> bytes:
    """A PDF whose owner's and user's keys fit no empty password (standard security handler, 40 bits)."""
    keys = f"/O <{'41' * 32}> /U <{'42' * 32}>"
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 {keys} /P -4 >> /ID [<{'00' * 16}> <{'00' * 16}>] /Root 1 0 R"
    return pdf(["secret"]).replace(b"/Root 1 0 R", encrypt.encode())


def locked_zip(name: str) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "<x/>")
    data = bytearray(buffer.getvalue())
    at = data.index(b"PK\x01\x02") + 8
    data[at] |= 1  # general purpose flag: encrypted
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", locked_pdf()),
        ("a.docx", locked_zip("word/document.xml")),
        ("b.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512 + "EncryptedPackage".encode("utf-16-le")),
    ],
    ids=["pdf", "zip", "office"],
)
async def test_locked_files_are_refused_as_such(
    parser: SandboxedParser, tmp_path: Path, name: str, content: bytes
) -> None:
    with pytest.raises(DocumentRefused, match="password") as raised:
        await parse(parser, tmp_path / name, content)
    assert raised.value.code == "encrypted"


async def test_a_zip_bomb_is_not_unpacked(parser: SandboxedParser, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\0" * (400 * MEBI))
    with pytest.raises(DocumentRefused) as raised:
        await parse(parser, tmp_path / "bomb.docx")
    assert raised.value.code == "too_large"


async def test_deep_nesting_does_no_harm(parser: SandboxedParser, tmp_path: Path) -> None:
    nested = b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000
    try:
        assert "deep" in (await parse(parser, tmp_path / "a.html", nested)).text
    except DocumentRefused as refused:
        assert refused.code in ("no_text", "too_complex", "corrupt")
    assert (await parse(parser, tmp_path / "b.txt", b"still alive")).text == "still alive"


async def test_too_much_memory_is_refused_and_the_next_file_is_read(tmp_path: Path) -> None:
    async with open_sandboxed_parser(ParseLimits(30, 300 * MEBI, 10**9), 1) as parser:
        (tmp_path / "big.txt").write_bytes(b"many words here " * (12 * MEBI))
        with pytest.raises(DocumentRefused) as raised:
            await parser.parse(tmp_path / "big.txt", "big.txt")
        assert raised.value.code == "too_complex"
        assert (await parse(parser, tmp_path / "b.txt", b"still alive")).text == "still alive"


async def test_signals_to_the_whole_group_are_not_the_files_fault(tmp_path: Path) -> None:
    """Ctrl+C, or the end of a unit: what is being read is read to its end."""
    (tmp_path / "a.csv").write_text("name,year\n" + "quay,1827\n" * 20_000)
    async with open_sandboxed_parser(ParseLimits(60, 1024 * MEBI, 10**9), 1) as parser:
        await parser.parse(tmp_path / "a.csv", "a.csv")
        (child,) = parser._free
        assert os.getpgid(child.process.pid) != os.getpgid(0)
        reading = asyncio.create_task(parser.parse(tmp_path / "a.csv", "a.csv"))
        while parser._free:
            await asyncio.sleep(0)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(child.process.pid, number)
        assert "quay" in (await reading).text
        assert [item.process.pid for item in parser._free] == [child.process.pid]


async def test_a_sandbox_that_dies_idle_takes_no_file_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The quay of Ghent.")
    async with open_sandboxed_parser(ParseLimits(60, 1024 * MEBI, 10**9), 1) as parser:
        await parser.parse(tmp_path / "a.txt", "a.txt")
        (child,) = parser._free
        child.process.kill()
        await child.process.wait()
        assert (await parser.parse(tmp_path / "a.txt", "a.txt")).text == "The quay of Ghent."


async def test_text_recognition_may_begin_more_than_once_in_a_file(
    parser: SandboxedParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("The quay of Ghent.")
    receive, told = sandbox._receive, iter([{"recognising": True}] * 3)

    async def begun(stdout: asyncio.StreamReader) -> Any:
        return next(told, None) or await receive(stdout)

    monkeypatch.setattr(sandbox, "_receive", begun)
    assert (await parser.parse(tmp_path / "a.txt", "a.txt")).text == "The quay of Ghent."


async def test_too_much_time_is_refused_and_the_next_file_is_read(tmp_path: Path) -> None:
    async with open_sandboxed_parser(ParseLimits(0.2, 1024 * MEBI, 10**9), 1) as parser:
        (tmp_path / "slow.csv").write_bytes(b"a,b,c\n" * 3_000_000)
        with pytest.raises(DocumentRefused) as raised:
            await parser.parse(tmp_path / "slow.csv", "slow.csv")
        assert raised.value.code == "timeout"
    async with open_sandboxed_parser(ParseLimits(20, 1024 * MEBI, 10**9), 1) as parser:
        assert (await parse(parser, tmp_path / "b.txt", b"still alive")).text == "still alive"
