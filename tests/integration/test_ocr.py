"""Text recognition in pictures and scans; skipped where Tesseract or its language data is missing."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from anchorage.adapters.parsers.sandbox.parser import ParseLimits, SandboxedParser, open_sandboxed_parser
from anchorage.errors import DocumentRefused

WORDS = "The harbour opened in 1827"


def _missing() -> str:
    """Why text cannot be recognised here; empty if it can."""
    try:
        from anchorage.adapters.parsers.pages.ocr import Recogniser
        from anchorage.adapters.parsers.task import Recognition

        Recogniser(Recognition(), "a test").close()
    except DocumentRefused as refusal:
        return refusal.message
    return ""


MISSING = _missing()
needs_tesseract = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture
async def parser() -> AsyncIterator[SandboxedParser]:
    async with open_sandboxed_parser(ParseLimits(60, 1024**3, 2_000_000), 1) as opened:
        yield opened


def picture(text: str) -> Any:
    image, draw, font = (pytest.importorskip(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))
    page = image.new("L", (1400, 400), 255)
    if text:
        draw.Draw(page).text((80, 150), text, font=font.load_default(size=64), fill=0)
    return page


def saved(pages: list[Any], kind: str) -> bytes:
    buffer = io.BytesIO()
    pages[0].save(buffer, kind, save_all=True, append_images=pages[1:])
    return buffer.getvalue()


@needs_tesseract
async def test_pictures_are_read_page_by_page(parser: SandboxedParser, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(saved([picture(WORDS), picture("Second page")], "TIFF"))
    document = await parser.parse(tmp_path / "a.tif", "a.tif")
    assert [document.text[page.start : page.end].strip() for page in document.pages] == [WORDS, "Second page"]


@needs_tesseract
@pytest.mark.parametrize("angle", [0, 90, 180])
async def test_scans_are_read_however_they_lie(parser: SandboxedParser, tmp_path: Path, angle: int) -> None:
    (tmp_path / "a.pdf").write_bytes(saved([picture(WORDS).rotate(angle, expand=True), picture("")], "PDF"))
    document = await parser.parse(tmp_path / "a.pdf", "a.pdf")
    assert document.text == WORDS
    assert len(document.pages) == 2
    assert 1 in document.metadata["recognised_pages"]


@needs_tesseract
async def test_a_page_that_takes_too_long_stays_without_text(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved([picture(WORDS)], "PNG"))
    async with open_sandboxed_parser(ParseLimits(60, 1024**3, 2_000_000, ocr_page_seconds=0.001), 1) as parser:
        with pytest.raises(DocumentRefused, match="OCR_PAGE_TIMEOUT") as raised:
            await parser.parse(tmp_path / "a.png", "a.png")
    assert raised.value.code == "timeout"


@needs_tesseract
async def test_recognition_has_its_own_time_limit(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(saved([picture(WORDS)] * 60, "TIFF"))
    async with open_sandboxed_parser(ParseLimits(1, 1024**3, 2_000_000, ocr_seconds=1), 1) as parser:
        with pytest.raises(DocumentRefused, match="OCR_TIMEOUT") as raised:
            await parser.parse(tmp_path / "a.tif", "a.tif")
    assert raised.value.code == "timeout"


@pytest.mark.parametrize("kind", ["PDF", "PNG"])
async def test_without_the_language_a_scan_says_what_it_needs(tmp_path: Path, kind: str) -> None:
    name = f"a.{kind.lower()}"
    (tmp_path / name).write_bytes(saved([picture(WORDS)], kind))
    async with open_sandboxed_parser(ParseLimits(60, 1024**3, 2_000_000, ocr_language="none"), 1) as parser:
        with pytest.raises(DocumentRefused, match=r"anchorage\[ocr\]") as raised:
            await parser.parse(tmp_path / name, name)
    assert raised.value.code == "needs_ocr"
