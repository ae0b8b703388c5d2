"""The numbers of a text in one notation: `1,000`, `one thousand` and `1000` are the same; so are `19th` and `nineteenth`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from anchorage.text.languages import Language

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_UNITS.split())} | {
    word: value for value, word in enumerate(_ORDINALS.split())
}
_WORDS |= {word: 20 + 10 * place for place, word in enumerate(_TENS.split())}
_WORDS |= {f"{word[:-1]}ieth": 20 + 10 * place for place, word in enumerate(_TENS.split())}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12}
_MONTHS = "january february march april may june july august september october november december".split()
# These stand in many texts without counting anything.
_LOOSE = frozenset(("zero", "one", "first", "second"))
_HEDGES = "about around approximately roughly nearly almost over (?:more|less|fewer)[ ]than some circa ~".split()
_MORE_HEDGES = (  # of the other languages
    "etwa rund ungefähr knapp fast gut über environ près[ ]de presque plus[ ]de unos unas casi cerca[ ]de aproximadamente alrededor[ ]de más[ ]de "
    "quasi più[ ]di circa mais[ ]de ongeveer bijna ruim meer[ ]dan около примерно почти более свыше khoảng gần hơn 约 大约 約"
).split()
_DIGITS = r"(?P<digits>\d+(?:[.,'\u2019\u00a0\u202f]\d+)*)"
_MINUS = re.compile(r"(?<![\w.,)\]])[-\u2212]$")
_SPLIT = re.compile(r"[\W\d_]+")
_GROUPED = re.compile(r"\d{1,3}(?:[.,'\u2019\u00a0\u202f]\d{3})+")
_SEPARATORS = re.compile(r"[.,'\u2019\u00a0\u202f]")
_LISTED = re.compile(
    r"(?:, ?|,? (?:and|or|to|und|oder|bis|et|ou|à|y|o|a|e|en|of|tot|и|или|до|và|hoặc|đến) ?|[-\u2013])"
)
_CHINESE = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {"两": 2, "兩": 2, "零": 0}
_CHINESE_SCALES = {"十": 1e1, "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "億": 1e8, "亿": 1e8}
_CHINESE_NUMBER = re.compile(f"[{''.join(_CHINESE)}{''.join(_CHINESE_SCALES)}]+")


class _Notation:
    """How a language writes numbers and dates in words."""

    def __init__(
        self,
        words: Mapping[str, float],
        scales: Mapping[str, float],
        months: Sequence[str],
        hedges: Sequence[str],
        of: str,
    ) -> None:
        self.words, self.scales, self.months = words, scales, {name: place for place, name in enumerate(months, 1)}
        word = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
        tail = rf"(?:(?P<range>[-\u2013](?P<last>\d\d)(?!\d))|[- ]?(?P<scale>{'|'.join(scales)})s?\b)?"
        self.only_digits = re.compile(_DIGITS + tail, re.IGNORECASE)
        spelled = rf"\b(?P<word>{word})(?:[- ](?P<more>{word}))?\b"
        self.number = re.compile(rf"(?:{_DIGITS}|{spelled}){tail}", re.IGNORECASE) if words else self.only_digits
        # Where none of these parts occurs, the text has no number in words.
        self.parts = frozenset(part for text in words for part in text.split())
        self.hedge = re.compile(rf"(?:^|\W)(?:{'|'.join(hedges)})\s*$", re.IGNORECASE)
        names = "|".join(months)
        before = r"(?<=\d )|(?<=\d[a-z]{2} )" + (r"|(?<=\d\. )|(?<=\d de )" if of else "")
        date = rf"\b(?:{names})\b(?=\.?,?{of} \d)|(?:{before})(?:{names})\b"
        self.date = re.compile(date, re.IGNORECASE) if months else None


MONTHS = frozenset(_MONTHS)
"""The English months, in lower case."""
_ENGLISH = _Notation(_WORDS, _SCALES, _MONTHS, _HEDGES, "")


@lru_cache(maxsize=32)
def _load_notation(language: Language) -> _Notation:
    if language.name in ("english", "none"):
        return _ENGLISH
    units = {word: float(value) for value, word in enumerate(language.units.split()) if word != "_"}
    tens = {word: 20.0 + 10 * place for place, word in enumerate(language.tens.split())}
    made = {
        language.compound.format(ten=ten.removesuffix("s"), unit=unit): high + low
        for ten, high in tens.items() for unit, low in units.items() if language.compound and low < 10
    }  # fmt: skip
    scales = language.scales or _SCALES
    words = made | tens | units | dict(language.spellings)
    return _Notation(words, scales, language.months.split(), [*_HEDGES, *_MORE_HEDGES], "(?: del?)?")


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a text: what it may mean (`1.234` is two things), and whether the text calls it approximate."""

    values: frozenset[float]
    hedged: bool
    loose: bool
    start: int
    end: int

    def is_among(self, others: frozenset[float] | set[float]) -> bool:
        """Whether the others contain this number or, where it is approximate, a number that rounds to it."""
        if self.values & others:
            return True
        return self.hedged and any(_is_rounded_from(value, other) for value in self.values for other in others)


def find_numbers(text: str, language: Language | None = None) -> list[Number]:
    """Return the numbers in order. A date in digits counts as three, a range as two. Without a language, the text is read as English."""
    found: list[Number] = []
    notation = _load_notation(language) if language else _ENGLISH
    spelled = not notation.parts.isdisjoint(_SPLIT.split(text.lower()))
    for match in (notation.number if spelled else notation.only_digits).finditer(text):
        digits, scale = match["digits"], match["scale"]
        if digits:
            parts = _parse_digits(digits)
        else:
            value = float(notation.words[match["word"].lower()])
            more = match["more"]
            parts = [{_combine_words(value, float(notation.words[more.lower()])) if more else value}]
        if match["range"] and digits and len(digits) == 4:  # 1914-18
            parts.append({float(digits[:2] + match["last"])})
        before = text[max(match.start() - 16, 0) : match.start()]
        scaled = notation.scales[scale.lower()] if scale else 1
        factor = scaled * (-1 if _MINUS.search(before) else 1)
        loose = not digits and not scale and not match["more"] and match["word"].lower() in _LOOSE
        if scale and found and _LISTED.fullmatch(text, found[-1].end, match.start()):
            _share_scale(found, text, scaled)
        for values in parts:
            meant = frozenset(value * factor for value in values)
            found.append(Number(meant, bool(notation.hedge.search(before)), loose, *match.span()))
    return found


def _share_scale(found: list[Number], text: str, scale: float) -> None:
    """In "14, 22 and 31 million", the numbers listed before may be millions too."""
    for place in range(len(found) - 1, -1, -1):
        number = found[place]
        if not text[number.start : number.end].isdigit():
            return
        found[place] = replace(number, values=number.values | {value * scale for value in number.values})
        if place and not _LISTED.fullmatch(text, found[place - 1].end, number.start):
            return


def find_number_values(text: str, language: Language | None = None) -> set[float]:
    """Return all values that the numbers of a text may mean. Months count as numbers too."""
    values = {value for number in find_numbers(text, language) for value in number.values}
    if language and language.characters:
        values |= {_parse_chinese_number(match.group()) for match in _CHINESE_NUMBER.finditer(text)}
    return values | find_months(text, language) if values else values


def find_months(text: str, language: Language | None = None) -> set[float]:
    """Return the months, 1 to 12, of the dates in a text that write them in words."""
    notation = _load_notation(language) if language else _ENGLISH
    if notation.date is None:
        return set()
    return {float(notation.months[match.group().lower()]) for match in notation.date.finditer(text)}


def _parse_chinese_number(text: str) -> float:
    """Parse a number in Chinese characters: `三百二十` is 320."""
    whole = part = 0.0
    digit: float | None = None
    for char in text:
        scale = _CHINESE_SCALES.get(char)
        if scale is None:
            digit = (digit or 0) * 10 + _CHINESE[char]
        elif scale < 1e4:
            part, digit = part + (1 if digit is None else digit) * scale, None
        else:
            whole, part, digit = (whole + part + (digit or 0)) * scale, 0.0, None
    return whole + part + (digit or 0)


def _parse_digits(digits: str) -> list[set[float]]:
    separators = _SEPARATORS.findall(digits)
    if not separators:
        return [{float(digits)}]
    if _GROUPED.fullmatch(digits) and len(set(separators)) == 1:
        whole = float(_SEPARATORS.sub("", digits))
        one_dot = len(separators) == 1 and separators[0] == "."
        return [{whole, float(digits)} if one_dot else {whole}]
    head, last, tail = digits.rpartition(separators[-1])
    if (len(separators) == 1 or (_GROUPED.fullmatch(head) and last not in head)) and last in ".,":
        return [{float(f"{_SEPARATORS.sub('', head)}.{tail}")}]
    return [{float(part)} for part in _SEPARATORS.split(digits)]  # dates, versions


def _is_rounded_from(value: float, other: float) -> bool:
    """Whether the other number, rounded up or down to the fewer digits of this value, gives this value."""
    if value == 0 or other == 0 or (value < 0) != (other < 0):
        return False
    digits = _count_significant_digits(value)
    if digits >= _count_significant_digits(other):
        return False
    step = 10.0 ** (math.floor(math.log10(abs(other))) - digits + 1)
    return abs(value - other) < step * (1 + 1e-9)


def _count_significant_digits(value: float) -> int:
    return len(f"{abs(value):.12g}".replace(".", "").strip("0"))


def _combine_words(first: float, second: float) -> float:
    """`twenty-five` is 25; `nineteen ten` is read as a year."""
    return first + second if first >= 20 and second < 10 else first * 100 + second
