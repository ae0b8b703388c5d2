"""Mends what PDFium makes of Arabic: ligatures of lam and alef in the wrong order, and words that run into Latin ones."""

from __future__ import annotations

import re

from pypdfium2 import PdfTextPage
from pypdfium2.raw import FPDFText_GetUnicode

_LAM, _ALEFS = "\u0644", "\u0627\u0623\u0625\u0622"
_PAIR = re.compile(f"([{_ALEFS}]){_LAM}")
_RUN_IN = re.compile(r"(?<=[A-Za-z0-9])(?=[\u0621-\u064a])|(?<=[\u0621-\u064a])(?=[A-Za-z])")


def mend_arabic(text: str, textpage: PdfTextPage) -> str:
    """The text of a page; that of other scripts comes back as it is."""
    if not _PAIR.search(text):
        return text
    swapped = _find_ligatures(textpage)
    if len(swapped) == len(_PAIR.findall(text)):
        order = iter(swapped)
        text = _PAIR.sub(lambda pair: _LAM + pair.group(1) if next(order) else pair.group(), text)
    return _RUN_IN.sub(" ", text)


def _find_ligatures(textpage: PdfTextPage) -> list[bool]:
    """For each pair of alef and lam whether both stand in the same place: one glyph, whose letters PDFium turned around."""
    letters = [chr(FPDFText_GetUnicode(textpage, number)) for number in range(textpage.count_chars())]
    return [
        textpage.get_charbox(number, loose=True) == textpage.get_charbox(number + 1, loose=True)
        for number, letter in enumerate(letters[:-1])
        if letter in _ALEFS and letters[number + 1] == _LAM
    ]
