"""operation: what a question asks to be computed over a table, and how the result is told."""

from __future__ import annotations

import re
from enum import StrEnum

_I = re.IGNORECASE
_MOST = re.compile(
    r"\b(?:most(?! (?:recent|of))|highest|largest|biggest|greatest|longest|tallest|heaviest|maximum|meisten|höchsten?|größten?|teuersten?|längsten?|"
    r"le plus|la plus|les plus|plus (?:grand|haut|cher|élevé)\w*|mayor|más)\b", _I
)  # fmt: skip
_LEAST = re.compile(
    r"\b(?:fewest|lowest|smallest|least|cheapest|minimum|shortest|wenigsten|niedrigsten?|kleinsten?|billigsten?|günstigsten?|kürzesten?|"
    r"le moins|la moins|les moins|menor|menos)\b", _I
)  # fmt: skip
_MEASURED = re.compile(
    r"\b(?:most|highest|largest|biggest|greatest|maximum|fewest|lowest|smallest|least|minimum|meisten|höchsten?|größten?|wenigsten|niedrigsten?|kleinsten?) "
    r"((?:[^\W\d]+ ?){1,2})", _I
)  # fmt: skip
_BOUNDS = re.compile(r"\bat (?:least|most)\b", _I)
_SUM = re.compile(
    r"\b(?:what(?:'s| is| was| are| were)|how (?:much|many)|calculate|give) .*\b(?:total|sum|altogether|combined|in all)\b|\b(?:insgesamt|zusammen|summe|gesamtwert)\b|"
    r"\b(?:au total|en tout|somme|suma|en total)\b", _I
)  # fmt: skip
# What narrows the rows in ways that are not computed here.
_NARROWS = re.compile(
    r"\b(?:first|last|next|previous|before|after|over|under|above|below|between|since|until|till|during|without|except|excluding|not|but|only|same|besides|other than|or|where|second|third|more than|less than|those|"
    r"at least|or more|or less|starting|ending|consecutive|vor|nach|seit|bis|ohne|avant|après|depuis|sans|antes|después|desde|sin)\b|(?<!\d)\d++ ?[-–] ?\d|(?<!\d)\d++ to \d", _I
)  # fmt: skip
_ASKED_NOUN = re.compile(
    r"\b(?:which|what|welche[rsnm]?|quel(?:le)?s?|qué|cuál(?:es)?) (?:single |of the )?((?:[^\W\d]+ ){1,3})", _I
)
_AVERAGE = re.compile(r"\b(?:average|mean|durchschnitt\w*|im mittel|moyenne?|media|promedio)\b", _I)
_DIFFERENCE = re.compile(
    r"\bhow (?:many|much) (?:more|fewer|less|higher|larger)\b|\bdifference (?:in|between|of)\b|\bwie viele? (?:mehr|weniger)\b|\bcombien .*\b(?:de plus|de moins)\b|"
    r"\bcuánt[oa]s? (?:más|menos)\b", _I
)  # fmt: skip
_PRICE = re.compile(r"\b(?:expensive|cheap\w*|pricey|costly|teuer\w*|billig\w*|cher|chère|caro|cara|barat\w*)\b", _I)
# Of `most` and `fewest`, what stands behind them is what is measured; of `largest` it may be what has the measure.
_QUANTIFIED = re.compile(r"\b(?:most|fewest|least|meisten|wenigsten) ((?:[^\W\d]+ ?){1,2})", _I)
_COMPARES = re.compile(
    r"\b(?:more|fewer|less|greater|larger|higher|lower|exactly|at (?:least|most)|mehr|weniger|plus|moins|más|menos)\b",
    _I,
)
_OF_ALL = re.compile(
    r"\b(?:how many|total number of|wie viele|combien d(?:e |['’])|cuánt[oa]s) ?(?:total )?((?:[^\W\d]+ ?){1,2})", _I
)
_MOST_CHARS = 600  # of a question; a longer one is a text
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TOP = re.compile(
    rf"\btop (\d{{1,2}}|{'|'.join(_WORDS)})\b|\b([2-9]|10|{'|'.join(_WORDS)}) (?:most|highest|largest|biggest|longest|cheapest|lowest|smallest|shortest|best)\b", _I
)  # fmt: skip
_COUNTED = re.compile(r"^\W*(?:how many|wie viele|combien d(?:e |['’])|cuánt[oa]s) ?((?:[^\W\d]+ ?){1,3})", _I)


class Operation(StrEnum):
    """What is computed."""

    MOST = "most"
    LEAST = "least"
    SUM = "sum"
    AVERAGE = "average"
    DIFFERENCE = "difference"
    COUNT = "count"


_RESTS_ON_ALL = (Operation.SUM, Operation.AVERAGE, Operation.COUNT)
_SAID = {
    "english": {"most": "highest of {count}", "least": "lowest of {count}", "sum": "sum of {count} rows", "average": "average of {count} rows",
                "difference": "difference", "count": "{count} of {all} rows",
                "cited": "the first {count} of them cited"},
    "german": {"most": "der höchste Wert von {count}", "least": "der niedrigste Wert von {count}", "sum": "Summe von {count} Zeilen",
               "average": "Durchschnitt von {count} Zeilen", "difference": "Unterschied", "count": "{count} von {all} Zeilen",
               "cited": "davon die ersten {count} belegt"},
    "french": {"most": "le plus élevé de {count}", "least": "le plus bas de {count}", "sum": "somme de {count} lignes", "average": "moyenne de {count} lignes",
               "difference": "différence", "count": "{count} lignes sur {all}",
               "cited": "dont les {count} premières sont citées"},
    "spanish": {"most": "el más alto de {count}", "least": "el más bajo de {count}", "sum": "suma de {count} filas", "average": "media de {count} filas",
                "difference": "diferencia", "count": "{count} de {all} filas",
                "cited": "se citan las {count} primeras"},
}  # fmt: skip


def find_operation(question: str) -> Operation | None:
    """What a question asks to be computed; None where it asks for nothing of the kind."""
    if len(question) > _MOST_CHARS:
        return None
    if _DIFFERENCE.search(question):
        return Operation.DIFFERENCE
    unbound = _BOUNDS.sub("", question)
    if _LEAST.search(unbound):
        return Operation.LEAST
    if _MOST.search(unbound) or _TOP.search(question):
        return Operation.MOST
    if _AVERAGE.search(question):
        return Operation.AVERAGE
    if _SUM.search(question):
        return Operation.SUM
    return Operation.COUNT if _COUNTED.search(question) else None


def narrows_otherwise(question: str, operation: Operation) -> bool:
    """Whether a question narrows the rows in a way that is not computed here: by a comparison, an order, an exception."""
    if operation is Operation.DIFFERENCE:
        return False
    compares = operation is Operation.COUNT and _COMPARES.search(question) is not None
    return compares or _NARROWS.search(question) is not None


def asks_second_operation(question: str, operation: Operation, column: str) -> bool:
    """Whether a sum or an average is asked for beside the most or least, other than as a part of the column's name."""
    if operation not in (Operation.MOST, Operation.LEAST):
        return False
    averages = _AVERAGE.search(question) is not None and not _AVERAGE.search(column)
    return averages or (_OF_ALL.search(question) is not None and _BOUNDS.search(question) is not None)


def asks_for_price(question: str) -> bool:
    """Whether the most or least is one of a price, which need not be named: the cheapest, the most expensive."""
    return _PRICE.search(question) is not None


def find_asked_noun(question: str) -> str:
    """The words behind "which": what is asked for, and what may stand behind it."""
    found = _ASKED_NOUN.search(question)
    return found[1] if found else ""


def find_measured(question: str) -> str:
    """What there is the most or least of."""
    found = _MEASURED.search(question)
    return found[1] if found and not _PRICE.match(found[1]) else ""


def find_quantified(question: str) -> str:
    """What is measured, where the words leave no doubt: of the most goals, goals."""
    found = _QUANTIFIED.search(question)
    return found[1] if found and not _PRICE.match(found[1]) else ""


def find_counted(question: str) -> str:
    """What is counted: the words behind "how many"."""
    found = _COUNTED.search(question)
    return found[1] if found else ""


def find_summed(question: str) -> str:
    """What there is a number of in all: the words behind "how many" or "the total number of", wherever they stand."""
    found = _OF_ALL.search(question)
    return found[1] if found else ""


def find_how_many(question: str) -> int:
    """How many of the highest or lowest are asked for: 1 unless the question says so."""
    found = _TOP.search(question)
    told = (found[1] or found[2]).lower() if found else "1"
    return int(told) if told.isdigit() else _WORDS.index(told) + 2


def describe_operation(operation: Operation, language: str, count: int, of: int, cited: int) -> str:
    """What was computed, over how many rows, and how many of them are cited where not all are."""
    said = _SAID.get(language, _SAID["english"])
    told = said[operation.value].format(count=count, all=of)
    return f"{told}, {said['cited'].format(count=cited)}" if cited < count and operation in _RESTS_ON_ALL else told
