"""Splits text into sentences, by offsets. Pure functions, no model: punctuation, abbreviations, line structure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st vs etc e.g i.e cf al fig figs eq eqs ref refs no nos vol vols ch chap sec pp p ed eds "
    "inc ltd co corp dept est approx ca jan feb mar apr jun jul aug sep sept oct nov dec gen col sgt capt lt rev hon "
    "u.s u.k u.n a.m p.m ph.d m.d b.c a.d viz resp op cit ibid".split()
)
_SENTENCE_END = re.compile(
    r"""(?:(?<![.!?…])[.!?…]++["'”’»)\]]*+(?=\s|$))|[。！？]["”’」』）]*|\n[ \t]*\n+"""
    # Items of a list, and rows of a table, are sentences of their own.
    r"""|\n(?=[ \t]*(?:[-*•‣◦▪●]|\d{1,3}[.)])[ \t]+\S)|\n(?=[^\n]*[ ]\|[ ])"""
)
# Inside a sentence span, a statement also ends after a heading, an announcement, or a sentence that ends in emphasis or in the numbers of notes.
_STATEMENT_END = re.compile(
    r"^[ \t]*#{1,6}[ \t][^\n]*\n|^[^\n]*[:：][ \t*_]*\n|(?<=[.!?…])(?:\*{1,3}|_{1,3})[ \t\n]+(?=[\"“‘'(*_]*[A-ZÀ-ÞΑ-ΩЀ-Я\d])|"
    r"^[ \t]*\*\*[^*\n]+\*\*[ \t]*\n|^[ \t]*[-=*_]{3,}[ \t]*\n|(?<=[.!?…])(?:\[\d{1,3}\]){1,9}\s+(?=[\"“‘'(]*[A-ZÀ-ÞΑ-ΩЀ-Я\d])",
    re.MULTILINE,
)
# A German date or century: "am 1. Juni".
_ORDINAL = re.compile(r"(?<!\S)\d{1,2}\.\Z")
_AFTER_ORDINAL = re.compile(
    r"\s(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jahrhundert)\b"
)
_WORD_BEFORE = re.compile(r"(\S+)$")


def is_ordinal(text: str, end: int) -> bool:
    """Whether the number and full stop that end here (`1. `) are a German ordinal, of a day or a century."""
    return _AFTER_ORDINAL.match(text, end - 1) is not None


def find_sentence_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences in `text[start:end]`, trimmed, in order. Only white space lies outside them."""
    stop = len(text) if end is None else end
    begin = start
    for match in _SENTENCE_END.finditer(text, start, stop):
        if match.end() < stop and not _ends_sentence(text, begin, match):
            continue
        yield from _trim_span(text, begin, match.end())
        begin = match.end()
    yield from _trim_span(text, begin, stop)


def find_statement_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of statements: like sentences, but a heading, an announcement or an emphasised sentence is a statement of its own.

    The chunker does not use this, because its cuts are part of an index version.
    """
    marked = any(sign in text for sign in "\n*_[")
    begin = -1
    for start, end in find_sentence_spans(text):
        begin = start if begin < 0 else begin
        if not marked and not text[end - 2 : end - 1].isdigit():
            yield begin, end
            begin = -1
            continue
        if _ORDINAL.search(text, max(begin, end - 4), end) and _AFTER_ORDINAL.match(text, end):
            continue
        for match in _STATEMENT_END.finditer(text, begin, end) if marked else ():
            if match.start() >= begin:
                yield from _trim_span(text, begin, match.end())
                begin = match.end()
        yield from _trim_span(text, begin, end)
        begin = -1


def _trim_span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    if right > left:
        yield start + left, start + right


def _ends_sentence(text: str, begin: int, match: re.Match[str]) -> bool:
    mark = match.group()
    if mark[0] != ".":
        return True
    following = text[match.end() : match.end() + 80].lstrip()
    if following and (following[0].islower() or following[0] in ",;:)"):
        return False
    if len(mark) > 1:
        return True
    before = _WORD_BEFORE.search(text, max(begin, match.start() - 24), match.start())
    if before is None:
        return True
    word = before.group(1).lstrip("([\"'“‘").lower()
    if word in _ABBREVIATIONS:
        return False
    if len(word) == 1 and word.isalpha():  # an initial, as in "J. Smith"
        return False
    # A number alone at the start numbers a list ("3. Results"). It belongs to the text after it.
    return not (word.isdigit() and before.start(1) <= begin + 1)
