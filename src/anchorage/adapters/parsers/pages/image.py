"""Pictures of text, page by page, through text recognition."""

from __future__ import annotations

from typing import BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder
from anchorage.adapters.parsers.pages.ocr import Recogniser, refusal_of_slow_ocr
from anchorage.adapters.parsers.pages.paragraphs import add_page
from anchorage.adapters.parsers.task import Task
from anchorage.errors import DocumentRefused
from anchorage.model import ParsedDocument

_RESOLUTION = 300
_MAX_PIXELS = 100_000_000
_ENOUGH = 3_000  # smaller pictures are enlarged: Tesseract wants letters of 20 pixels or more
_MAX_PAGES = 2_000


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`: needs_ocr where text recognition is missing."""
    recogniser = Recogniser(task.recognition, name)
    try:
        from PIL import Image, ImageSequence, UnidentifiedImageError

        builder = DocumentBuilder(task.limit)
        slow = []
        try:
            with Image.open(file) as picture:
                for number, frame in enumerate(ImageSequence.Iterator(picture), 1):
                    if frame.width * frame.height > _MAX_PIXELS or number > _MAX_PAGES:
                        raise DocumentRefused(
                            "too_large", f"{name} has more than {_MAX_PIXELS} pixels. Make it smaller."
                        )
                    page = frame.convert("L")
                    if (larger := min(4, _ENOUGH // max(page.size))) > 1:
                        page = page.resize((page.width * larger, page.height * larger), Image.Resampling.LANCZOS)
                    text = recogniser.recognise(page, _RESOLUTION)
                    if text is None:
                        slow.append(number)
                    add_page(builder, text or "")
                    builder.end_page(number)
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise DocumentRefused(
                "corrupt", f"{name} is damaged: it cannot be read as a picture. Save it again."
            ) from error
        if slow and not builder.blocks:
            raise refusal_of_slow_ocr(name)
        metadata = {
            "recognised_pages": [page.number for page in builder.pages],
            **({"slow_pages": slow} if slow else {}),
        }
        return builder.finish(name, name.rsplit(".", 1)[0], metadata)
    finally:
        recogniser.close()
