"""The numbers of a text in one notation: `1,000`, `one thousand` and `1000` are the same; so are `19th` and `nineteenth`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

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

_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_TAIL = rf"(?:(?P<range>[-\u2013](?P<last>\d\d)(?!\d))|[- ]?(?P<scale>{'|'.join(_SCALES)})s?\b)?"
_DIGITS = r"(?P<digits>\d+(?:[.,'\u2019\u00a0\u202f]\d+)*)"
_ONLY_DIGITS = re.compile(_DIGITS + _TAIL, re.IGNORECASE)
_NUMBER = re.compile(rf"(?:{_DIGITS}|\b(?P<word>{_WORD})(?:[- ](?P<more>{_WORD}))?\b){_TAIL}", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:about|around|approximately|roughly|nearly|almost|over|(?:more|less|fewer) than|some|circa|~)\s*$",
    re.IGNORECASE,
)
_MINUS = re.compile(r"(?<![\w.,)\]])[-\u2212]$")
_SPLIT = re.compile(r"[^a-z]+")
_DATE = re.compile(
    rf"\b(?:{'|'.join(_MONTHS)})\b(?=\.?,? \d)|(?:(?<=\d )|(?<=\d[a-z]{{2}} ))(?:{'|'.join(_MONTHS)})\b", re.IGNORECASE
)
_GROUPED = re.compile(r"\d{1,3}(?:[.,'\u2019\u00a0\u202f]\d{3})+")
_SEPARATORS = re.compile(r"[.,'\u2019\u00a0\u202f]")


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a text: what it may mean (`1.234` is two things), and whether the text calls it approximate."""

    values: frozenset[float]
    hedged: bool
    loose: bool
    start: int
    end: int

    def among(self, others: frozenset[float] | set[float]) -> bool:
        """Whether the others hold this number, or one that it rounds where it is approximate."""
        if self.values & others:
            return True
        return self.hedged and any(_rounds(value, other) for value in self.values for other in others)


def numbers(text: str) -> list[Number]:
    """The numbers in order; a date in digits is three of them, a range two."""
    found = []
    spelled = not _WORDS.keys().isdisjoint(_SPLIT.split(text.lower()))
    for match in (_NUMBER if spelled else _ONLY_DIGITS).finditer(text):
        digits, scale = match["digits"], match["scale"]
        if digits:
            parts = _of_digits(digits)
        else:
            value = float(_WORDS[match["word"].lower()])
            parts = [{_compound(value, float(_WORDS[match["more"].lower()])) if match["more"] else value}]
        if match["range"] and digits and len(digits) == 4:  # 1914-18
            parts.append({float(digits[:2] + match["last"])})
        before = text[max(match.start() - 16, 0) : match.start()]
        factor = (_SCALES[scale.lower()] if scale else 1) * (-1 if _MINUS.search(before) else 1)
        loose = not digits and not scale and not match["more"] and match["word"].lower() in _LOOSE
        for values in parts:
            meant = frozenset(value * factor for value in values)
            found.append(Number(meant, bool(_HEDGE.search(before)), loose, *match.span()))
    return found


def values_of(text: str) -> set[float]:
    """All that the numbers of a text may mean, its months counted as numbers too."""
    values = {value for number in numbers(text) for value in number.values}
    return values | months_of(text) if values else values


def months_of(text: str) -> set[float]:
    """The months of the dates in a text that are written in words, 1 to 12."""
    return {float(_MONTHS.index(match.group().lower()) + 1) for match in _DATE.finditer(text)}


def _of_digits(digits: str) -> list[set[float]]:
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


def _rounds(value: float, other: float) -> bool:
    """Whether the value has fewer digits than the other, and is what it comes to with so many, up or down."""
    if value == 0 or other == 0 or (value < 0) != (other < 0):
        return False
    digits = _significant(value)
    if digits >= _significant(other):
        return False
    step = 10.0 ** (math.floor(math.log10(abs(other))) - digits + 1)
    return abs(value - other) < step * (1 + 1e-9)


def _significant(value: float) -> int:
    return len(f"{abs(value):.12g}".replace(".", "").strip("0"))


def _compound(first: float, second: float) -> float:
    """`twenty-five` is 25; `nineteen ten` is read as a year."""
    return first + second if first >= 20 and second < 10 else first * 100 + second
