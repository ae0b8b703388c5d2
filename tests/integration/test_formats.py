"""Office, mail, e-book, data and archive formats through the sandbox, on small files made here."""

import io
import json
import struct
import zipfile
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from anchorage.adapters.parsers.sandbox.parser import ParseLimits, SandboxedParser, open_sandboxed_parser
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

MEBI = 1024**2
HEADING, PARAGRAPH, ITEM, ROW, CODE = (
    BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW, BlockKind.CODE,
)  # fmt: skip


@pytest.fixture
async def parser() -> AsyncIterator[SandboxedParser]:
    async with open_sandboxed_parser(ParseLimits(60, 1024 * MEBI, 2_000_000), 1) as opened:
        yield opened


async def parse(
    parser: SandboxedParser, path: Path, content: bytes | None = None, password: str | None = None
) -> ParsedDocument:
    if content is not None:
        path.write_bytes(content)
    document = await parser.parse(path, path.name, password=password)
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end].strip()
        end = block.end
    return document


def kinds(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def zipped(parts: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file (MS-CFB) of streams at the root; each is padded so that it needs no mini stream."""
    chains = [content.ljust(4096, b"\0") for content in streams.values()]
    chains = [chain.ljust(-(-len(chain) // 512) * 512, b"\0") for chain in chains]
    sectors, starts, fat = [], [], [0xFFFFFFFD]
    for chain in chains:
        first, count = len(fat), len(chain) // 512
        starts.append(first)
        fat += [first + number + 1 for number in range(count - 1)] + [0xFFFFFFFE]
        sectors += [chain[at : at + 512] for at in range(0, len(chain), 512)]
    entries = [_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1)]
    for number, (name, start, chain) in enumerate(zip(streams, starts, chains, strict=True), 1):
        entries.append(_entry(name, 2, start, len(chain), right=number + 1 if number < len(streams) else 0xFFFFFFFF))
    directory = b"".join(entries)
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    where, count = len(fat), len(directory) // 512
    fat += [where + number + 1 for number in range(count - 1)] + [0xFFFFFFFE]
    sectors += [directory[at : at + 512] for at in range(0, len(directory), 512)]
    assert len(fat) <= 128
    table = struct.pack("<128I", *fat, *([0xFFFFFFFF] * (128 - len(fat))))
    header = struct.pack("<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, where,
                         0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)  # fmt: skip
    return header + b"\xff" * (512 - len(header)) + table + b"".join(sectors)


def _entry(name: str, kind: int, start: int, size: int, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    return encoded.ljust(64, b"\0") + struct.pack(
        "<HBBIII16xI16xIQ", len(encoded), kind, 1, 0xFFFFFFFF, right, child, 0, start, size
    )


def presentation() -> bytes:
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Harbour"
    slide.placeholders[1].text = "It opened in 1827.\nIt closed in 1901."
    slide.notes_slide.notes_text_frame.text = "Mention the flood."
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Figures"
    place = Inches(1), Inches(1), Inches(4), Inches(2)
    table = slide.shapes.add_table(2, 2, *place).table
    for row, cells in enumerate([("town", "ships"), ("Anchor", "12")]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    data = CategoryChartData()
    data.categories = ["1827", "1828"]
    data.add_series("tons", (5, 7.5))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)
    buffer = io.BytesIO()
    deck.save(buffer)
    return buffer.getvalue()


async def test_slides_are_pages_with_notes_tables_and_charts(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(parser, tmp_path / "a.pptx", presentation())
    assert kinds(document) == [
        (HEADING, "Harbour"), (ITEM, "It opened in 1827."), (ITEM, "It closed in 1901."), (PARAGRAPH, "Notes: Mention the flood."),
        (HEADING, "Figures"), (ROW, "town | ships"), (ROW, "town: Anchor | ships: 12"), (PARAGRAPH, "Bar chart"), (ROW, "tons"),
        (ROW, "1827 | tons: 5"), (ROW, "1828 | tons: 7.5"),
    ]  # fmt: skip
    assert [page.number for page in document.pages] == [1, 2]
    assert "Figures" in document.text[document.pages[1].start : document.pages[1].end]


def workbook() -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet("Ships")
        sheet.write(0, 0, "Arrivals of the year")
        for row, cells in enumerate([("town", "ships", "share"), ("Anchor", 12, 0.25), ("Brig", 7, 1.5)], 2):
            sheet.write_row(row, 0, cells)
        sheet.write_comment("B4", "Counted twice.")
        other = book.add_worksheet("Merged")
        other.write_row(0, 0, ("year", "month", "rain"))
        other.merge_range(1, 0, 2, 0, 2025)
        other.write_row(1, 1, ("May", 3))
        other.write_row(2, 1, ("June", 4))
    return buffer.getvalue()


async def test_rows_of_sheets_carry_their_headers(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(parser, tmp_path / "a.xlsx", workbook())
    found = kinds(document)
    assert found[:8] == [
        (HEADING, "Ships"), (PARAGRAPH, "Arrivals of the year"), (ROW, "town | ships | share"),
        (ROW, "town: Anchor | ships: 12 | share: 0.25"), (ROW, "town: Brig | ships: 7 | share: 1.5"), (HEADING, "Merged"),
        (ROW, "year | month | rain"), (ROW, "year: 2025 | month: May | rain: 3"),
    ]  # fmt: skip
    assert (ROW, "year: 2025 | month: June | rain: 4") in found
    assert any("Counted twice." in text for _, text in found)


_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def open_document(family: str, body: str, manifest: str = "<m/>") -> bytes:
    spaces = " ".join(
        f'xmlns:{name}="{_ODF}:{long}:1.0"'
        for name, long in [("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("presentation", "presentation")]
    )  # fmt: skip
    content = f"<office:document-content {spaces}><office:body>{body}</office:body></office:document-content>"
    return zipped({
        "mimetype": f"application/vnd.oasis.opendocument.{family}", "content.xml": content, "META-INF/manifest.xml": manifest
    })  # fmt: skip


async def test_open_document_text(parser: SandboxedParser, tmp_path: Path) -> None:
    def cell(text: str) -> str:
        return f"<table:table-cell><text:p>{text}</text:p></table:table-cell>"

    rows = "".join(
        f"<table:table-row>{cell(a)}{cell(b)}</table:table-row>" for a, b in [("town", "ships"), ("Anchor", "12")]
    )
    body = (
        '<office:text><text:h text:outline-level="2">Harbour</text:h><text:p>Two<text:s/>words</text:p>'
        f"<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list><table:table>{rows}</table:table></office:text>"
    )
    document = await parse(parser, tmp_path / "a.odt", open_document("text", body))
    assert kinds(document) == [
        (HEADING, "Harbour"), (PARAGRAPH, "Two words"), (ITEM, "one"), (ROW, "town | ships"), (ROW, "town: Anchor | ships: 12"),
    ]  # fmt: skip
    assert document.blocks[0].level == 2


async def test_open_document_slides_are_pages(parser: SandboxedParser, tmp_path: Path) -> None:
    slide = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Harbour</text:p></draw:text-box></draw:frame>'
        "<draw:frame><draw:text-box><text:p>Ships.</text:p></draw:text-box></draw:frame></draw:page>"
    )
    body = f"<office:presentation>{slide}{slide}</office:presentation>"
    document = await parse(parser, tmp_path / "a.odp", open_document("presentation", body))
    assert kinds(document) == [(HEADING, "Harbour"), (PARAGRAPH, "Ships.")] * 2
    assert [page.number for page in document.pages] == [1, 2]


async def test_rich_text(parser: SandboxedParser, tmp_path: Path) -> None:
    source = rb"{\rtf1\ansi{\info{\title Ships}}Caf\'e9 opens.\par Second.\par}"
    document = await parse(parser, tmp_path / "a.rtf", source)
    assert kinds(document) == [(PARAGRAPH, "Café opens."), (PARAGRAPH, "Second.")]


def book(extra: dict[str, bytes | str] | None = None) -> bytes:
    return zipped({
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": '<package><metadata><title>Sea tales</title><creator>A. Writer</creator></metadata><manifest>'
        '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/><item id="a" href="one%20.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
        "OEBPS/one .xhtml": "<html><body><h1>One</h1><p>First.</p></body></html>",
        "OEBPS/two.xhtml": "<html><body><h1>Two</h1><p>Second.</p></body></html>",
        **(extra or {}),
    })  # fmt: skip


async def test_books_are_read_in_the_order_of_their_spine(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(parser, tmp_path / "a.epub", book())
    assert document.title == "Sea tales"
    assert [text for _, text in kinds(document)] == ["Authors: A. Writer", "One", "First.", "Two", "Second."]


def mail() -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Grüße", "Anna <anna@example.org>", "ben@example.org"
    message["Date"] = "Mon, 02 Mar 2026 10:00:00 +0000"
    message.set_content("Please find the list attached.\n")
    message.add_alternative("<p>Please find the list attached.</p>", subtype="html")
    message.add_attachment("town,ships\nAnchor,12\n", subtype="csv", filename="list.csv")
    message.add_attachment(b"\0\1\2\3" * 50, maintype="application", subtype="octet-stream", filename="engine.bin")
    return message


async def test_mail_holds_its_attachments(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(parser, tmp_path / "a.eml", mail().as_bytes())
    assert document.title == "Grüße"
    assert kinds(document) == [
        (HEADING, "Grüße"), (PARAGRAPH, "From: Anna <anna@example.org>\nTo: ben@example.org\nDate: 2026-03-02 10:00+00:00"),
        (PARAGRAPH, "Please find the list attached."), (HEADING, "list.csv"), (ROW, "town | ships"), (ROW, "town: Anchor | ships: 12"),
    ]  # fmt: skip
    assert [note["name"] for note in document.metadata["skipped"]] == ["engine.bin"]
    assert "not supported" in document.metadata["skipped"][0]["reason"]


async def test_mailboxes_hold_messages(parser: SandboxedParser, tmp_path: Path) -> None:
    one = b"From a@example.org Mon Mar  2 10:00:00 2026\nSubject: First\nFrom: a@example.org\n\nHello.\n\n"
    document = await parse(parser, tmp_path / "a.mbox", one + one.replace(b"First", b"Second"))
    assert [text for kind, text in kinds(document) if kind is HEADING] == ["First", "Second"]


async def test_enclosed_messages_are_read(parser: SandboxedParser, tmp_path: Path) -> None:
    outer = EmailMessage()
    outer["Subject"], outer["From"] = "Forwarded", "b@example.org"
    outer.set_content("See below.")
    outer.add_attachment(mail())
    text = (await parse(parser, tmp_path / "a.eml", outer.as_bytes())).text
    assert "See below." in text
    assert "town: Anchor | ships: 12" in text


async def test_old_word_text_by_its_pieces(parser: SandboxedParser, tmp_path: Path) -> None:
    narrow, wide = b"Harbour\rIt opened in 1827.\r", "Grüße an 猫.\r"
    main = bytearray(2048)
    main[1024 : 1024 + len(narrow)] = narrow
    encoded = wide.encode("utf-16-le")
    main[1536 : 1536 + len(encoded)] = encoded
    struct.pack_into("<HH", main, 0, 0xA5EC, 0xC1)
    positions = struct.pack("<3I", 0, len(narrow), len(narrow) + len(wide))
    pieces = b"".join(struct.pack("<HIH", 0, where, 0) for where in (1024 * 2 | 0x40000000, 1536))
    table = b"\x02" + struct.pack("<I", len(positions + pieces)) + positions + pieces
    struct.pack_into("<II", main, 0x1A2, 0, len(table))
    document = await parse(parser, tmp_path / "a.doc", compound({"WordDocument": bytes(main), "0Table": table}))
    assert document.text == "Harbour\n\nIt opened in 1827.\n\nGrüße an 猫."


async def test_outlook_messages(parser: SandboxedParser, tmp_path: Path) -> None:
    properties = b"\0" * 32 + b"".join(struct.pack("<HHIQ", 0x1F, number, 6, 0) for number in (0x37, 0x1000))
    content = compound({
        "__properties_version1.0": properties, "__substg1.0_0037001F": "Ships".encode("utf-16-le"),
        "__substg1.0_1000001F": "They came late.".encode("utf-16-le"),
    })  # fmt: skip
    document = await parse(parser, tmp_path / "a.msg", content)
    assert document.text == "Ships\n\nThey came late."


async def test_json_records_are_rows(parser: SandboxedParser, tmp_path: Path) -> None:
    value = {
        "name": "fleet",
        "size": 2.50,
        "ships": [{"id": 1, "home": {"town": "Anchor"}}, {"id": 2}],
        "tags": ["a", "b"],
    }
    document = await parse(parser, tmp_path / "a.json", json.dumps(value).encode())
    assert [text for _, text in kinds(document)] == [
        "name: fleet\nsize: 2.5", "ships", "id: 1 | home.town: Anchor", "id: 2", "tags: a, b"
    ]  # fmt: skip
    lines = await parse(parser, tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a": 2, "b": null}\n')
    assert kinds(lines) == [(ROW, "a: 1"), (ROW, "a: 2")]


async def test_notebooks(parser: SandboxedParser, tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Ships\n", "Many."]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": ["1\n"]}]},
    ]
    document = await parse(parser, tmp_path / "a.ipynb", json.dumps({"cells": cells}).encode())
    assert kinds(document) == [(HEADING, "Ships"), (PARAGRAPH, "Many."), (CODE, "print(1)"), (CODE, "1")]


async def test_xml_records_are_rows_and_entities_are_left_alone(parser: SandboxedParser, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    source = (
        f'<!DOCTYPE f [<!ENTITY e SYSTEM "{secret.as_uri()}">]><fleet><title>Ships</title>'
        '<ship id="1"><name>Brig</name><town>Anchor</town></ship><note>&e;</note><p>Run <b>on</b> text.</p></fleet>'
    )
    document = await parse(parser, tmp_path / "a.xml", source.encode())
    assert kinds(document) == [
        (HEADING, "Ships"), (ROW, "id: 1 | name: Brig | town: Anchor"), (PARAGRAPH, "Run on text."),
    ]  # fmt: skip


async def test_archives_hold_their_files(parser: SandboxedParser, tmp_path: Path) -> None:
    inner = zipped({"deep.md": "# Deep\n\nWords."})
    parts = {"a/list.csv": "town,ships\nAnchor,12\n", "inner.zip": inner, "tool.exe": b"\x7fELF\0\0", "empty.txt": b""}
    document = await parse(parser, tmp_path / "a.zip", zipped(parts))
    assert [text for _, text in kinds(document)] == [
        "a/list.csv", "town | ships", "town: Anchor | ships: 12", "inner.zip", "deep.md", "Deep", "Words."
    ]  # fmt: skip
    assert [block.level for block in document.blocks if block.kind is HEADING] == [1, 1, 2, 3]
    assert [note["name"] for note in document.metadata["skipped"]] == ["tool.exe"]


async def test_archives_within_archives_end_somewhere(parser: SandboxedParser, tmp_path: Path) -> None:
    content = zipped({"words.txt": "At the bottom."})
    for number in range(8):
        content = zipped({f"{number}.zip": content, "words.txt": f"Level {number}."})
    document = await parse(parser, tmp_path / "a.zip", content)
    assert "Level 7." in document.text
    assert "At the bottom." not in document.text
    assert "too deeply" in document.metadata["skipped"][0]["reason"]


async def test_bombs_are_left_out(parser: SandboxedParser, tmp_path: Path) -> None:
    content = zipped({"bomb.txt": b"\0" * (201 * MEBI), "words.txt": "Still here."})
    document = await parse(parser, tmp_path / "a.zip", content)
    assert document.text == "words.txt\n\nStill here."
    assert [note["name"] for note in document.metadata["skipped"]] == ["bomb.txt"]


async def test_a_password_opens_an_office_file(parser: SandboxedParser, tmp_path: Path) -> None:
    from msoffcrypto.format.ooxml import OOXMLFile

    locked = io.BytesIO()
    OOXMLFile(io.BytesIO(workbook())).encrypt("sesame", locked)
    path = tmp_path / "a.xlsx"
    path.write_bytes(locked.getvalue())
    for password in (None, "wrong"):
        with pytest.raises(DocumentRefused, match="password") as raised:
            await parse(parser, path, password=password)
        assert raised.value.code == "encrypted"
    assert "town: Anchor" in (await parse(parser, path, password="sesame")).text


def locked_zip(name: str) -> bytes:
    data = bytearray(zipped({name: "words"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1  # general purpose flag: encrypted
    return bytes(data)


SEALED_MAIL = b"From: a@example.org\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("cut.pptx", presentation()[:2000], "corrupt"),
        ("cut.xlsx", workbook()[:2000], "corrupt"),
        ("fake.xlsx", b"I am no workbook.", "corrupt"),
        ("fake.doc", b"I am no old document.", "corrupt"),
        ("cut.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 200, "corrupt"),
        ("odd.doc", compound({"WordDocument": b"\xec\xa5\xc1\0" + b"\xff" * 600, "0Table": b"\x02\xff"}), "corrupt"),
        ("odd.ppt", compound({"PowerPoint Document": b"\xff" * 600, "Current User": b"\x10" * 40}), "corrupt"),
        ("odd.xls", compound({"Workbook": b"\xff" * 600}), "corrupt"),
        ("fake.rtf", b"I am no rich text.", "corrupt"),
        ("cut.epub", zipped({"META-INF/container.xml": "<container/>"}), "corrupt"),
        ("cut.odt", zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x"}), "corrupt"),
        ("odd.json", b'{"a": ', "corrupt"),
        ("odd.ipynb", b"[]", "corrupt"),
        ("odd.xml", b"<a><b></a>", "corrupt"),
        ("cut.zip", zipped({"a.txt": "words"})[:30], "corrupt"),
        ("tools.zip", zipped({"a.exe": b"\x7fELF"}), "unsupported_format"),
        ("none.zip", zipped({}), "no_text"),
        ("deep.json", b"[" * 200_000, "too_complex"),
        ("locked.odt", open_document("text", "<office:text/>", "<manifest:encryption-data/>"), "encrypted"),
        ("locked.zip", locked_zip("a.txt"), "encrypted"),
        ("locked.epub", book({"META-INF/encryption.xml": '<e><CipherReference URI="OEBPS/two.xhtml"/></e>'}), "encrypted"),
        ("sealed.eml", SEALED_MAIL, "encrypted"),
        ("bomb.pptx", zipped({"ppt/presentation.xml": b"\0" * (101 * MEBI)}), "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_cannot_be_read_says_why(
    parser: SandboxedParser, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    with pytest.raises(DocumentRefused) as raised:
        await parse(parser, tmp_path / name, content)
    assert raised.value.code == code
    assert name in raised.value.message


async def test_the_bytes_decide_before_the_name(parser: SandboxedParser, tmp_path: Path) -> None:
    assert (await parse(parser, tmp_path / "a.docx", workbook())).metadata["kind"] == "xlsx"
    assert (await parse(parser, tmp_path / "b.txt", presentation())).metadata["kind"] == "pptx"
    assert (await parse(parser, tmp_path / "c.doc", rb"{\rtf1 Words.}")).metadata["kind"] == "rtf"
    assert (await parse(parser, tmp_path / "message", mail().as_bytes())).metadata["kind"] == "eml"
    assert (await parse(parser, tmp_path / "d.xls", b"<html><body>A page.</body></html>")).text == "A page."
