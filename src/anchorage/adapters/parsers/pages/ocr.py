"""Text recognition in pictures by Tesseract, in this process: the sandbox's limits hold for it, too."""

from __future__ import annotations

import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from anchorage.adapters.parsers.builder import clean_text
from anchorage.adapters.parsers.task import Recognition
from anchorage.errors import DocumentRefused

if TYPE_CHECKING:
    from PIL.Image import Image

_DATA = ("usr/share/tesseract-ocr/*/tessdata", "usr/share/tessdata", "usr/share/tesseract/tessdata", "usr/local/share/tessdata",
         "opt/homebrew/share/tessdata")  # fmt: skip
_ADAPTIVE = (
    "2"  # Sauvola's threshold: finds letters on coloured cells and uneven paper, which Otsu's one for all does not
)
_ANGLES = (0, 180, 90, 270)
_SENSE = 60  # mean confidence, of 100, of text that stands upright
_HOW = "install `pip install 'anchorage[ocr]'` and Tesseract with its language data (Debian: tesseract-ocr)"


class Recogniser:
    """Reads pictures, one after another; close it. Raises `DocumentRefused` (needs_ocr) where Tesseract is missing."""

    def __init__(self, recognition: Recognition, name: str) -> None:
        try:
            import tesserocr
        except ImportError as error:
            raise DocumentRefused(
                "needs_ocr", f"{name} holds pictures of text. To have it recognised, {_HOW}."
            ) from error
        path = _find_data_folder(recognition)
        if path is None:
            raise DocumentRefused(
                "needs_ocr",
                f"{name} holds pictures of text, and Tesseract's data for the language {recognition.language!r} "
                f"(ANCHORAGE_INGEST__OCR_LANGUAGE) is missing: {_HOW}, or set TESSDATA_PREFIX to its folder.",
            )
        try:
            self._tesseract: Any = tesserocr.PyTessBaseAPI(
                path=path,
                lang=recognition.language,
                psm=tesserocr.PSM.AUTO,
                variables={"thresholding_method": _ADAPTIVE},
            )
        except RuntimeError as error:
            raise DocumentRefused(
                "needs_ocr", f"{name} holds pictures of text, and Tesseract does not start: {_HOW}."
            ) from error
        self._seconds = recognition.page_seconds
        recognition.begin()

    def recognise(self, picture: Image, resolution: int) -> str | None:
        """The text of a picture of `resolution` dots per inch; None when it took longer than a page may take.

        A picture that makes little sense is turned, and the best reading counts.
        """
        ends = monotonic() + self._seconds
        best, confidence = None, -1
        for angle in _ANGLES:
            self._tesseract.SetImage(picture.rotate(angle, expand=True) if angle else picture)
            self._tesseract.SetSourceResolution(resolution)
            if not self._tesseract.Recognize(max(1, int((ends - monotonic()) * 1000))):
                break
            found = self._tesseract.GetUTF8Text()
            if self._tesseract.MeanTextConf() > confidence:
                best, confidence = found, self._tesseract.MeanTextConf()
            if confidence >= _SENSE or not found.strip():
                break
        return None if best is None else clean_text(best)

    def close(self) -> None:
        """Give back the memory of the language data."""
        self._tesseract.End()


def refusal_of_slow_ocr(name: str) -> DocumentRefused:
    """The refusal of a file of which no page was recognised in time."""
    return DocumentRefused(
        "timeout",
        f"{name} holds pictures whose text was not recognised in the time that a page may take "
        "(ANCHORAGE_INGEST__OCR_PAGE_TIMEOUT). Raise the limit.",
    )


def _find_data_folder(recognition: Recognition) -> str | None:
    """The folder that holds the data of all its languages: the one that was named, or a usual one.

    Tesseract is not asked: without a folder of its own it searches the working directory, with all below it.
    """
    folders = [Path(recognition.data)] if recognition.data else []
    folders.append(Path(sys.prefix, "share/tessdata"))
    for pattern in _DATA:
        folders += sorted(Path("/").glob(pattern), reverse=True)
    wanted = [f"{part}.traineddata" for part in recognition.language.split("+")]
    return next((str(folder) for folder in folders if all((folder / name).exists() for name in wanted)), None)
