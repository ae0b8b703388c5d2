"""Pages of a PDF that hold pictures of text: rendered and recognised."""

from __future__ import annotations

from typing import Any

from pypdfium2 import PdfDocument, PdfiumError

from anchorage.adapters.parsers.pages.ocr import Recogniser, refusal_of_slow_ocr
from anchorage.adapters.parsers.task import Recognition
from anchorage.errors import DocumentRefused

_RESOLUTION = 300
_MAX_PIXELS = 40_000_000  # a page of A2 size; larger ones are rendered more coarsely


class Scans:
    """Recognises the text of pages; Tesseract loads with the first one. `refusal` says why it could not, if so."""

    def __init__(self, document: PdfDocument, name: str, recognition: Recognition) -> None:
        self._document = document
        self._name = name
        self._recognition = recognition
        self._recogniser: Any = None
        self.refusal: DocumentRefused | None = None
        self._recognised: list[int] = []
        self._slow: list[int] = []
        self._missed: list[int] = []

    def recognise_page(self, index: int) -> str:
        """The text in the pictures of a page; empty where there is none or it cannot be recognised."""
        try:
            page = self._document[index]
        except PdfiumError:
            return ""
        try:
            if next(iter(page.get_objects(max_depth=1)), None) is None:
                return ""
            if not self._start_tesseract():
                self._missed.append(index + 1)
                return ""
            width, height = page.get_size()
            scale = min(_RESOLUTION / 72, (_MAX_PIXELS / max(1.0, width * height)) ** 0.5)
            picture = page.render(scale=scale, grayscale=True).to_pil()
        except PdfiumError:
            return ""
        finally:
            page.close()
        text: str | None = self._recogniser.recognise(picture, max(70, int(scale * 72)))
        if text is None:
            self.refusal = refusal_of_slow_ocr(self._name)
        (self._slow if text is None else self._recognised).append(index + 1)
        return text or ""

    def _start_tesseract(self) -> bool:
        if self._recogniser is None and self.refusal is None:
            try:
                self._recogniser = Recogniser(self._recognition, self._name)
            except DocumentRefused as refusal:
                self.refusal = refusal
        return self._recogniser is not None

    def metadata(self) -> dict[str, Any]:
        """Numbers of the pages that were recognised, that took too long, or that would need text recognition."""
        found = {"recognised_pages": self._recognised, "slow_pages": self._slow, "pages_needing_ocr": self._missed}
        return {name: pages for name, pages in found.items() if pages}

    def close(self) -> None:
        """Give back Tesseract's memory."""
        if self._recogniser:
            self._recogniser.close()
