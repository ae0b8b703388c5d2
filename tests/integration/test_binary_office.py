"""Office formats that no library at hand writes, made here record by record: .xlsb, .ods, .ppt."""

import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anchorage.adapters.parsers.sandbox.parser import ParseLimits, SandboxedParser, open_sandboxed_parser

from .test_formats import HEADING, ITEM, MEBI, PARAGRAPH, ROW, compound, kinds, open_document, parse, zipped


@pytest.fixture
async def parser() -> AsyncIterator[SandboxedParser]:
    async with open_sandboxed_parser(ParseLimits(60, 1024 * MEBI, 2_000_000), 1) as opened:
        yield opened


def brt(kind: int, body: bytes = b"") -> bytes:
    """A record of MS-XLSB (2.1.4): type and size in groups of seven bits."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = len(body), b""
    while size >= 0x80:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return head + length + bytes([size]) + body


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def binary_workbook(rows: list[list[str | float | bool]]) -> bytes:
    relation = "rId1"
    book = (
        brt(0x83)
        + brt(0x8F)
        + brt(0x9C, struct.pack("<II", 0, 1) + wide(relation) + wide("Ships"))
        + brt(0x90)
        + brt(0x84)
    )
    cells = b""
    for number, row in enumerate(rows):
        cells += brt(0x00, struct.pack("<I", number) + bytes(21))
        for column, value in enumerate(row):
            place = struct.pack("<II", column, 0)
            if isinstance(value, bool):
                cells += brt(0x04, place + bytes([value]))
            elif isinstance(value, str):
                cells += brt(0x06, place + wide(value))
            else:
                cells += brt(0x05, place + struct.pack("<d", value))
    size = struct.pack("<4I", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    sheet = brt(0x81) + brt(0x94, size) + brt(0x91) + cells + brt(0x92) + brt(0x82)
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    excel = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
    return zipped({
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"><Default Extension="bin" ContentType="{excel}"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="rId1" Type="{office}/officeDocument" '
        'Target="xl/workbook.bin"/></Relationships>',
        "xl/workbook.bin": book,
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="{relation}" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>',
        "xl/worksheets/sheet1.bin": sheet,
    })  # fmt: skip


async def test_binary_workbooks(parser: SandboxedParser, tmp_path: Path) -> None:
    rows: list[list[str | float | bool]] = [["town", "ships", "open"], ["Anchor 猫", 12.0, True], ["Brig", 7.25, False]]
    document = await parse(parser, tmp_path / "a.xlsb", binary_workbook(rows))
    assert kinds(document) == [
        (HEADING, "Ships"), (ROW, "town | ships | open"), (ROW, "town: Anchor 猫 | ships: 12 | open: True"),
        (ROW, "town: Brig | ships: 7.25 | open: False"),
    ]  # fmt: skip
    assert document.metadata["sheets"] == 1


async def test_open_document_sheets(parser: SandboxedParser, tmp_path: Path) -> None:
    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value}"><text:p>{value}</text:p></table:table-cell>'

    rows = [("town", "ships"), ("Anchor", 12), ("Brig", 7.5)]
    told = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    body = f'<office:spreadsheet><table:table table:name="Ships">{told}</table:table></office:spreadsheet>'
    document = await parse(parser, tmp_path / "a.ods", open_document("spreadsheet", body))
    assert kinds(document) == [
        (HEADING, "Ships"), (ROW, "town | ships"), (ROW, "town: Anchor | ships: 12"), (ROW, "town: Brig | ships: 7.5"),
    ]  # fmt: skip


def atom(kind: int, body: bytes, instance: int = 0) -> bytes:
    """A record of MS-PPT (2.3.1)."""
    return struct.pack("<HHI", instance << 4, kind, len(body)) + body


def container(kind: int, *records: bytes, instance: int = 0) -> bytes:
    body = b"".join(records)
    return struct.pack("<HHI", instance << 4 | 0xF, kind, len(body)) + body


def text(kind: int, words: str) -> bytes:
    """A text of a kind: 0 title, 1 body, 2 notes, 4 other; in one byte for each character where they fit."""
    head = atom(0x0F9F, struct.pack("<I", kind))
    return head + (
        atom(0x0FA8, words.encode("latin-1")) if words.isascii() else atom(0x0FA0, words.encode("utf-16-le"))
    )


def old_presentation() -> bytes:
    """One slide: title and body in the outline, a box of its own, and a page of notes."""

    def persist(number: int, identifier: int) -> bytes:
        return atom(0x03F3, struct.pack("<IIIII", number, 0, 0, identifier, 0))

    outline = container(0x0FF0, persist(2, 256), text(0, "Harbour"), text(1, "It opened in 1827.\rIt closed in 1901."))
    notes = container(0x0FF0, persist(3, 512), instance=2)
    slide = container(
        0x03EE,
        atom(0x03EF, struct.pack("<I8xIIHH", 0, 0, 512, 0, 0)),
        container(0x040C, *(container(0xF00D, atom(0x0F9E, struct.pack("<I", number))) for number in (0, 1)),
                  container(0xF00D, text(4, "Grüße an 猫."))),
    )  # fmt: skip
    objects = [
        container(0x03E8, outline, notes),
        slide,
        container(0x03F0, container(0xF00D, text(2, "Mention the flood."))),
    ]
    places = [sum(map(len, objects[:number])) for number in range(len(objects))]
    stream = b"".join(objects)
    directory = len(stream)
    stream += atom(0x1772, struct.pack("<I3I", 1 | 3 << 20, *places))
    edit = len(stream)
    stream += atom(0x0FF5, struct.pack("<IIIIIII", 256, 0x03000000, 0, directory, 1, 4, 1))
    user = atom(0x0FF6, struct.pack("<III", 20, 0xE391C05F, edit))
    return compound({"PowerPoint Document": stream, "Current User": user})


async def test_old_presentations(parser: SandboxedParser, tmp_path: Path) -> None:
    document = await parse(parser, tmp_path / "a.ppt", old_presentation())
    assert kinds(document) == [
        (HEADING, "Harbour"), (ITEM, "It opened in 1827."), (ITEM, "It closed in 1901."), (PARAGRAPH, "Grüße an 猫."),
        (PARAGRAPH, "Notes: Mention the flood."),
    ]  # fmt: skip
    assert [page.number for page in document.pages] == [1] and document.metadata["kind"] == "ppt"
